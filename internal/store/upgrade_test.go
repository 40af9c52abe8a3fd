package store

import (
	"context"
	"database/sql/driver"
	"testing"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/store/storetest"
)

// rowsOfTheFirstSchema are an account with a client and a connection, as the
// first release wrote them.
var rowsOfTheFirstSchema = []string{
	`INSERT INTO account (id, kind, company, created_at, created_by) VALUES ('T11200000', 'partner', '{"business_name":"Partner"}', 1, 'test')`,
	`INSERT INTO account (id, kind, owner, company, created_at, created_by) VALUES ('T11223351', 'merchant', 'T11200000',
		'{"business_name":"Fjord Kaffe","organization_number":"923456783"}', 1, 'test')`,
	`INSERT INTO connection (account, provider, schema, status, created_at, created_by, updated_at, last_seq, last_event_at, last_signup, history)
		VALUES ('T11223351', 'vipps', 3, 'pending', 1, 'test', 1, 1, 1, 1, 10)`,
	`INSERT INTO signup (account, provider, seq, id, signup_key, data, token, schema, created_at, created_by, expires_at)
		VALUES ('T11223351', 'vipps', 1, '01990f29-0000-7000-8000-000000000001', '', '{"payment_options":[{"type":"ecom"}]}', 'token', 3, 1, 'test', 2)`,
	`INSERT INTO event (account, provider, seq, id, status, name, created_at, created_by, stale)
		VALUES ('T11223351', 'vipps', 1, '01990f29-0000-7000-8000-000000000002', 'pending', 'signup_received', 1, 'test', $1)`,
}

// What the first release wrote reads as if it had never heard of what came
// later, and lives on.
func TestRowsOfTheFirstSchemaLiveOn(t *testing.T) {
	for name, d := range map[string]door{
		"sqlite":   newSQLite,
		"postgres": func(tb testing.TB) Config { return Config{Database: storetest.Postgres(tb)} },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := d(t)
			writeFirstSchema(t, cfg)
			s := openStore(t, cfg)
			c := whole(t, s)
			if e := c.Events[0]; c.ConfiguredSeq != 0 || e.Signup != 0 || e.Code != "" || e.ProviderCode != "" {
				t.Errorf("an old connection came back as %+v", c)
			}
			old := c.Signups[0]
			if old.Digest != nil || old.Scenario != "" || !old.ErasedAt.IsZero() || string(old.Data) != `{"payment_options":[{"type":"ecom"}]}` {
				t.Errorf("an old signup came back as %+v", old)
			}
			if a, err := s.Account(context.Background(), merchant, merchantID); err != nil || a.Ahead != 0 {
				t.Errorf("an old account came back as %+v, %v", a, err)
			}
			wantVersions(t, s, map[string][]int{"vipps": {3}})
			wantPlaced(t, s)
			wantLabelled(t, s)
			change := hearing(1, func(s *connection.Signup) { s.CallbackAt = noon })
			change.System = true
			mustChange(t, s, also(change, func(_ Found, d *Decision) { d.Tasks = []Task{taskOf(TaskStep, old.ID, noon)} }))
			if got := whole(t, s).Signups[0]; !got.CallbackAt.Equal(noon) || got.ID != old.ID {
				t.Errorf("an old signup that was called back is %+v", got)
			}
		})
	}
}

// wantLabelled sees that an old account is found by what it says of itself once
// it was labelled, however often that was begun.
func wantLabelled(t *testing.T, s *Store) {
	t.Helper()
	options := account.Label(account.LabelPaymentOptions+vipps.Slug, "ecom")
	for round, want := range []int{0, 1, 1} {
		for name, by := range map[string]AccountFilter{
			"its name":           {Search: "fjord"},
			"its number":         {Search: "923 456 783"},
			"its payment option": {Labels: [][]string{{options}}},
		} {
			found, err := s.Accounts(context.Background(), partner, partnerID, by, "", 10)
			if err != nil || len(found) != want {
				t.Errorf("round %d: by %s %d are found, %v; want %d", round, name, len(found), err, want)
			}
		}
		for n := 1; n == 1; { // each a transaction of its own: a process that ends leaves the rest to the next
			var err error
			if n, err = s.Relabel(context.Background(), 1); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// wantPlaced sees that an old connection is in no list until it is placed, and
// then where its history says.
func wantPlaced(t *testing.T, s *Store) {
	t.Helper()
	waiting := func() (places int, rows []QueueRow) {
		old, err := s.Unplaced(context.Background(), Place{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		rows, err = s.Queue(context.Background(), partner, partnerID, QueueFilter{Now: noon}, QueuePosition{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(old), rows
	}
	if places, rows := waiting(); places != 1 || len(rows) != 0 {
		t.Errorf("before: %d to be placed, %d in the queue", places, len(rows))
	}
	for range 2 {
		mustChange(t, s, Change{
			System: true, Account: merchantID, Provider: "vipps", Whole: true,
			Decide: func(f Found) (Decision, error) {
				f.Connection.Place(vipps)
				return Decision{Connection: f.Connection}, nil
			},
		})
	}
	if places, rows := waiting(); places != 0 || len(rows) != 1 || rows[0].Stand.Event != connection.SignupReceived {
		t.Errorf("after: %d to be placed, %+v in the queue", places, rows)
	}
	wantTally(t, s, partnerID)
}

// writeFirstSchema makes a database as the first release left it.
func writeFirstSchema(t *testing.T, cfg Config) {
	t.Helper()
	e, err := engineOf(cfg, standard.limit)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	write, read, err := e.open(ctx, func(c driver.Connector) driver.Connector { return c })
	if err != nil {
		t.Fatal(err)
	}
	provider, err := e.migrator(write, migrations)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(ctx, 1); err != nil {
		t.Fatal(err)
	}
	for i, text := range rowsOfTheFirstSchema {
		var args []any
		if i == len(rowsOfTheFirstSchema)-1 {
			args = append(args, false) // the one type that the engines spell differently
		}
		if _, err := write.Exec(text, args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.close(&pool{db: read}, &pool{db: write}, true); err != nil {
		t.Fatal(err)
	}
}
