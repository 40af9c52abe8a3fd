// Command pocketbase is PocketBase with the tables of the benchmark: who is
// signed in posts an event, and a hook stores with it, in the same transaction,
// what an event changes in its connection, and a row for whoever is told.
//
//	pocketbase DIR ADDRESS full|normal CONNECTIONS
//
// It prints the token of a user once it is about to answer.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
	"github.com/pocketbase/pocketbase/tools/types"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("pocketbase DIR ADDRESS full|normal CONNECTIONS")
	}
	size, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	app := pocketbase.NewWithConfig(pocketbase.Config{
		DefaultDataDir: args[0], HideStartBanner: true,
		DBConnect: func(path string) (*dbx.DB, error) { return connect(path, args[2]) },
	})
	if err := app.Bootstrap(); err != nil {
		return err
	}
	if err := app.RunAllMigrations(); err != nil {
		return err
	}
	token, err := prepare(app, size)
	if err != nil {
		return err
	}
	app.OnRecordCreate("events").BindFunc(together)
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		fmt.Println(token)
		return e.Next()
	})
	return apis.Serve(app, apis.ServeConfig{HttpAddr: args[1]})
}

// connect is what PocketBase does by default, with another choice of how
// durable an answer is.
func connect(path, synchronous string) (*dbx.DB, error) {
	return dbx.Open("sqlite", path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=journal_size_limit(200000000)"+
		"&_pragma=synchronous("+synchronous+")&_pragma=foreign_keys(ON)&_pragma=temp_store(MEMORY)&_pragma=cache_size(-32000)")
}

// together makes one transaction of the event, its connection and the outbox.
func together(e *core.RecordEvent) error {
	original := e.App
	defer func() { e.App = original }()
	return e.App.RunInTransaction(func(tx core.App) error {
		e.App = tx
		if err := e.Next(); err != nil {
			return err
		}
		connection, err := tx.FindRecordById("connections", e.Record.GetString("connection"))
		if err != nil {
			return err
		}
		connection.Set("status", e.Record.GetString("status"))
		connection.Set("last_event", e.Record.Id)
		if err := tx.Save(connection); err != nil {
			return err
		}
		outbox, err := tx.FindCachedCollectionByNameOrId("outbox")
		if err != nil {
			return err
		}
		row := core.NewRecord(outbox)
		row.Set("connection", connection.Id)
		row.Set("event", e.Record.Id)
		return tx.Save(row)
	})
}

// prepare makes the tables and their rows unless they are there, and gives the
// token of the user.
func prepare(app core.App, size int) (string, error) {
	if _, err := app.FindCollectionByNameOrId("connections"); err != nil {
		if err := makeTables(app); err != nil {
			return "", err
		}
		if err := fill(app, size); err != nil {
			return "", err
		}
	}
	user, err := app.FindAuthRecordByEmail("users", "bench@mooring.example")
	if err != nil {
		users, err := app.FindCollectionByNameOrId("users")
		if err != nil {
			return "", err
		}
		user = core.NewRecord(users)
		user.SetEmail("bench@mooring.example")
		user.SetPassword("a-secret-of-the-bench")
		if err := app.Save(user); err != nil {
			return "", err
		}
	}
	return user.NewAuthToken()
}

func makeTables(app core.App) error {
	signedIn := types.Pointer(`@request.auth.id != ""`)
	connections := core.NewBaseCollection("connections")
	connections.ListRule, connections.ViewRule = signedIn, signedIn
	connections.Fields.Add(&core.TextField{Name: "account"}, &core.TextField{Name: "provider"}, &core.TextField{Name: "status"}, &core.TextField{Name: "last_event"})
	connections.AddIndex("connection_place", true, "account, provider", "")
	tables := []*core.Collection{connections, eventTable("events"), eventTable("plain")}
	outbox := core.NewBaseCollection("outbox")
	outbox.Fields.Add(&core.TextField{Name: "connection"}, &core.TextField{Name: "event"}, &core.AutodateField{Name: "created", OnCreate: true})
	for _, c := range append(tables, outbox) {
		if c.Name != "outbox" {
			c.CreateRule = signedIn
		}
		if err := app.Save(c); err != nil {
			return err
		}
	}
	return nil
}

// eventTable is a table of events: with a hook, or without.
func eventTable(name string) *core.Collection {
	signedIn := types.Pointer(`@request.auth.id != ""`)
	c := core.NewBaseCollection(name)
	c.ListRule, c.ViewRule = signedIn, signedIn
	c.Fields.Add(
		&core.TextField{Name: "connection", Required: true},
		&core.SelectField{Name: "status", Values: []string{"pending", "enabled", "failed", "closed"}, Required: true},
		&core.TextField{Name: "event", Required: true}, &core.TextField{Name: "description"}, &core.JSONField{Name: "metadata"},
		&core.AutodateField{Name: "created", OnCreate: true},
	)
	c.AddIndex(name+"_of", false, "connection, created", "")
	return c
}

// fill makes connections, and 20 events of the first.
func fill(app core.App, size int) error {
	const every = `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {:size}) `
	if _, err := app.DB().NewQuery(`INSERT INTO connections (id, account, provider, status, last_event) ` + every + `
		SELECT printf('c%014d', i), printf('T2%07d', i), 'vipps', 'pending', '' FROM n`).Bind(dbx.Params{"size": size}).Execute(); err != nil {
		return err
	}
	_, err := app.DB().NewQuery(`INSERT INTO events (id, connection, status, event, description, metadata, created) ` + every + `
		SELECT printf('e%014d', i), 'c00000000000000', 'pending', 'signature_required', 'Vipps awaiting signature', 'null',
			printf('2026-05-12 09:12:%02d.000Z', i) FROM n`).Bind(dbx.Params{"size": 20}).Execute()
	return err
}
