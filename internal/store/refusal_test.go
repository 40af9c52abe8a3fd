package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mooring/internal/store/storetest"
)

// wantRefusal holds that Open refuses cfg with one sentence that has every one
// of the given parts.
func wantRefusal(t *testing.T, cfg Config, parts ...string) {
	t.Helper()
	s, err := Open(context.Background(), cfg)
	if err == nil {
		s.Close()
		t.Fatalf("opened, want a refusal with %q", parts)
	}
	wantSentence(t, err, parts...)
}

func wantSentence(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want a refusal with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("refused with %q, which lacks %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("refused with more than one line: %q", err)
	}
}

func TestNoPlaceForTheDataIsRefused(t *testing.T) {
	wantRefusal(t, Config{}, "name a data directory")
}

func TestADirectoryOpenToOthersIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, Config{DataDir: dir}, dir, "mode 0750", "chmod 0700")
}

func TestAFileOpenToOthersIsRefused(t *testing.T) {
	for _, name := range []string{"mooring.db", "mooring.db-wal", "mooring.lock"} {
		cfg := newSQLite(t)
		closed(t, cfg)
		path := filepath.Join(cfg.DataDir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, cfg, path, "mode 0644", "chmod 0600")
	}
}

func TestAFileInPlaceOfTheDirectoryIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, Config{DataDir: path}, "not a directory")
}

func TestADirectoryWithoutParentIsRefused(t *testing.T) {
	wantRefusal(t, Config{DataDir: filepath.Join(t.TempDir(), "no", "data")}, "can't make the data directory")
}

func TestASecondProcessOnTheFileIsRefused(t *testing.T) {
	cfg := newSQLite(t)
	s := openStore(t, cfg)
	wantRefusal(t, cfg, "another mooring process", cfg.DataDir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	closed(t, cfg)
}

func TestAForeignFileIsRefused(t *testing.T) {
	cfg := newSQLite(t)
	closed(t, cfg)
	path := filepath.Join(cfg.DataDir, databaseFile)
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, cfg, path, "no SQLite database")
}

func TestANewerSchemaIsRefused(t *testing.T) {
	for name, d := range doors {
		t.Run(name, func(t *testing.T) {
			cfg := d(t)
			s := openStore(t, cfg)
			if _, err := s.write.db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, $1)", true); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			wantRefusal(t, cfg, "schema 9999", "newer release")
		})
	}
}

func TestFilesAreForOurEyesOnly(t *testing.T) {
	cfg := newSQLite(t)
	inhabit(t, openStore(t, cfg))
	entries, err := os.ReadDir(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		seen[entry.Name()] = true
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", entry.Name(), info.Mode().Perm())
		}
	}
	for _, name := range []string{"mooring.db", "mooring.db-wal", "mooring.db-shm", "mooring.lock"} {
		if !seen[name] {
			t.Errorf("there is no %s; found %v", name, seen)
		}
	}
	if info, err := os.Stat(cfg.DataDir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %04o, want 0700", info.Mode().Perm())
	}
}

func TestSQLiteVersionsThatDamageFilesAreRefused(t *testing.T) {
	for version, safe := range map[string]bool{
		"3.51.2": false, "3.51.3": true, "3.51.10": true, "3.52.0": false, "3.52.1": true,
		"3.53.4": true, "3.50.9": false, "4.0.0": true, "2.8.17": false,
	} {
		err := checkSQLiteVersion(version)
		if safe && err != nil {
			t.Errorf("%s: %v", version, err)
		}
		if !safe {
			wantSentence(t, err, "SQLite "+version, "3.51.3 or newer")
		}
	}
	wantSentence(t, checkSQLiteVersion("new"), `"new"`)
	if err := checkSQLiteVersion(sqliteVersion()); err != nil {
		t.Errorf("the library in this program: %v", err)
	}
}

// Every setting is weakened in turn: a connection that does not have it must
// not be handed out, neither for writing nor for reading.
func TestAConnectionWithAWeakSettingIsRefused(t *testing.T) {
	weak := map[string]string{
		"journal_mode": "delete", "synchronous": "1", "foreign_keys": "0", "trusted_schema": "1", "secure_delete": "0",
		"busy_timeout": "10", "wal_autocheckpoint": "1000", "query_only": "0", "cache_size": "-2000",
	}
	for kind, safe := range map[string]pragmas{"writing": writingConnection, "reading": readingConnection, "side": sideConnection} {
		for i, p := range safe {
			t.Run(kind+" "+p.name, func(t *testing.T) {
				spoiled := slices.Clone(safe)
				spoiled[i].value = weak[p.name]
				c, err := connector(filepath.Join(t.TempDir(), "x.db"), "_txlock=immediate", spoiled)
				if err != nil {
					t.Fatal(err)
				}
				conn, err := c.Connect(context.Background())
				if err == nil {
					conn.Close()
				}
				wantSentence(t, err, p.name+" = "+weak[p.name])
			})
		}
	}
}

// The settings must hold on each of the many connections, not on the first.
func TestEveryConnectionIsChecked(t *testing.T) {
	s := openStore(t, newSQLite(t))
	for name, p := range map[string]struct {
		db   *sql.DB
		want pragmas
	}{"read": {s.read.db, readingConnection}, "write": {s.write.db, writingConnection}} {
		for range p.db.Stats().MaxOpenConnections {
			conn, err := p.db.Conn(context.Background()) // held to the end, so that each is another
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.Raw(func(c any) error {
				return checkPragmas(context.Background(), c.(driver.Conn), p.want)
			}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestAReadingConnectionCannotWrite(t *testing.T) {
	for name, d := range doors {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, d(t))
			tx, err := s.begin(context.Background(), s.read, s.engine.snapshot())
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			if _, err := tx.Exec("UPDATE epoch SET value = 7"); err == nil {
				t.Error("a reading transaction wrote")
			}
		})
	}
}

func TestServerSettingsThatLoseWritesAreRefused(t *testing.T) {
	safe := map[string]string{
		"server_version_num": "150018", "server_encoding": "UTF8", "fsync": "on",
		"full_page_writes": "on", "synchronous_commit": "on", "transaction_read_only": "off",
	}
	if err := checkServerSettings(safe); err != nil {
		t.Errorf("safe settings: %v", err)
	}
	for _, test := range []struct{ name, value, sentence string }{
		{"server_version_num", "140012", "15 or newer"},
		{"server_version_num", "", "15 or newer"},
		{"server_encoding", "SQL_ASCII", "encoding UTF8"},
		{"fsync", "off", "fsync = off"},
		{"transaction_read_only", "on", "takes no writes"},
		{"full_page_writes", "off", "full_page_writes = off"},
		{"synchronous_commit", "off", "synchronous_commit = off"},
	} {
		settings := maps.Clone(safe)
		settings[test.name] = test.value
		wantSentence(t, checkServerSettings(settings), test.sentence)
	}
}

func TestAServerThatDoesNotWaitForTheDiskIsRefused(t *testing.T) {
	dsn, err := url.Parse(storetest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	query := dsn.Query()
	query.Set("synchronous_commit", "off")
	dsn.RawQuery = query.Encode()
	wantRefusal(t, Config{Database: dsn.String()}, "synchronous_commit = off", "turn it on")
}

// A pooler hides from us what a commit is told, and may keep no statement for us.
func TestAPoolerIsRefused(t *testing.T) {
	for _, mode := range []string{"transaction", "session"} {
		t.Run(mode, func(t *testing.T) {
			wantRefusal(t, Config{Database: storetest.Pooled(t, storetest.Postgres(t), mode)}, "pooler", "URL of PostgreSQL itself")
		})
	}
}

func TestABadDatabaseURLIsRefusedWithoutQuotingIt(t *testing.T) {
	cfg := Config{Database: "postgres://mooring:canary@[::1/x"}
	wantRefusal(t, cfg, "postgres://user@host")
	if _, err := Open(context.Background(), cfg); strings.Contains(err.Error(), "canary") {
		t.Errorf("the refusal tells the password: %v", err)
	}
}

func TestAServerThatIsNotThereIsRefusedWithoutItsPassword(t *testing.T) {
	cfg := Config{Database: "postgres://mooring:canary@localhost/x?host=" + url.QueryEscape(t.TempDir())}
	wantRefusal(t, cfg, "PostgreSQL can't be reached")
	if _, err := Open(context.Background(), cfg); strings.Contains(err.Error(), "canary") {
		t.Errorf("the refusal tells the password: %v", err)
	}
}

// There are two ways to secure a line, and each is tried.
func TestAServerThatIsNotThereIsToldOfOnce(t *testing.T) {
	at := nowhere(t)
	_, err := Open(context.Background(), Config{Database: "postgres://mooring@" + at + "," + nowhere(t) + "/x"})
	if err == nil || strings.Count(err.Error(), "dial tcp "+at) != 1 || strings.Count(err.Error(), "dial tcp") != 2 {
		t.Error(err)
	}
}

// nowhere is an address where nobody listens.
func nowhere(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Who may not read the tables is told so, and not to make what is there.
func TestARoleWithoutRightsIsToldSo(t *testing.T) {
	cfg := newPostgres(t)
	closed(t, cfg)
	at, err := url.Parse(cfg.Database)
	if err != nil {
		t.Fatal(err)
	}
	role := "weak_" + strings.ReplaceAll(newID(), "-", "_")
	on(t, cfg.Database, "CREATE ROLE "+role+" LOGIN")
	t.Cleanup(func() { on(t, cfg.Database, "DROP ROLE "+role) })
	at.User = url.User(role)
	wantRefusal(t, Config{Database: at.String(), MustExist: true}, "permission denied")
}

// closed opens and closes a store, which leaves its files.
func closed(t *testing.T, cfg Config) {
	t.Helper()
	if err := openStore(t, cfg).Close(); err != nil {
		t.Fatal(err)
	}
}
