package storetest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestADatabaseIsFreshForEachTest(t *testing.T) {
	for range 2 {
		conn := connect(t, Postgres(t))
		if _, err := conn.Exec(context.Background(), "CREATE TABLE mine (id bigint)"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACloneHoldsWhatTheTemplateHolds(t *testing.T) {
	var template Template
	prepare := func(dsn string) {
		conn := connect(t, dsn)
		if _, err := conn.Exec(context.Background(), "CREATE TABLE made_once (id bigint)"); err != nil {
			t.Fatal(err)
		}
		conn.Close(context.Background())
	}
	for range 2 {
		conn := connect(t, template.Cloned(t, prepare))
		if _, err := conn.Exec(context.Background(), "INSERT INTO made_once VALUES (1)"); err != nil {
			t.Fatal(err)
		}
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}
