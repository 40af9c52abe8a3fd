package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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

func TestAMachineWithoutAServerIsToldWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := programs(t.TempDir() + "/*/bin/initdb")
	if !errors.Is(err, errNoServer) {
		t.Errorf("got %v, want %v", err, errNoServer)
	}
}

func TestTheNewestServerIsTaken(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	root := t.TempDir()
	for _, version := range []string{"9", "15", "16"} {
		bin := filepath.Join(root, version, "bin")
		if err := os.MkdirAll(bin, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, "initdb"), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	got, err := programs(root + "/*/bin/initdb")
	if want := filepath.Join(root, "16", "bin"); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
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
