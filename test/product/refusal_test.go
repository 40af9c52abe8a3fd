package product

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

const public = "https://connections.example.com"

// TestServeRefusesWhatIsUnsafe: each unsafe setting ends with exit code 1 and
// one sentence that says what is wrong.
func TestServeRefusesWhatIsUnsafe(t *testing.T) {
	for name, refusal := range map[string]struct {
		arrange func(t *testing.T, dir string) []string // what to do to the data, and further flags
		says    string
	}{
		"a public URL without TLS":   {func(*testing.T, string) []string { return []string{"--public-url", "http://connections.example.com"} }, "https"},
		"a public URL with a path":   {func(*testing.T, string) []string { return []string{"--public-url", public + "/api"} }, "public URL"},
		"a missing key file":         {removeKey, "key"},
		"the key of another service": {otherKey, "key"},
		"a key file that is damaged": {damagedKey, "key"},
		"a key file for all to read": {chmod(".key"), "chmod 600"},
		"a database for all to read": {chmodDatabase, "chmod"},
		"a newer schema":             {newerSchema, "newer"},
		"a directory without data":   {otherDirectory, "mooring init"},
		"a second process":           {secondProcess, "process"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _, _ := initialised(t)
			args := []string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--public-url", public}
			refused(t, append(args, refusal.arrange(t, dir)...), refusal.says)
		})
	}
}

// TestServeRefusesADatabaseThatDoesNotSync does it for PostgreSQL, where the
// setting is the database's own.
func TestServeRefusesADatabaseThatDoesNotSync(t *testing.T) {
	dsn := storetest.Postgres(t)
	key := filepath.Join(t.TempDir(), "mooring.key")
	if out, err := exec.Command(binary, "init", "--database", dsn, "--key-file", key).CombinedOutput(); err != nil {
		t.Fatalf("mooring init: %v\n%s", err, out)
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const weaken = `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`
	if _, err := db.Exec(weaken); err != nil {
		t.Fatal(err)
	}
	refused(t, []string{
		"serve", "--database", dsn, "--key-file", key, "--listen", "127.0.0.1:0", "--public-url", public,
	}, "synchronous_commit")
}

// refused runs the binary and expects exit code 1 and one line on the error
// stream with a word of the reason.
func refused(t *testing.T, args []string, says string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), drive.Patience)
	defer cancel()
	var log strings.Builder
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Stderr = &log
	err := cmd.Run()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("ended with %v\n%s", err, log.String())
	}
	sentence := strings.TrimSpace(log.String())
	if !strings.HasPrefix(sentence, "mooring: ") || strings.Contains(sentence, "\n") || !strings.Contains(sentence, says) {
		t.Errorf("the refusal is not one sentence about %q:\n%s", says, sentence)
	}
	t.Log(sentence)
}

func removeKey(t *testing.T, dir string) []string {
	if err := os.Remove(dir + ".key"); err != nil {
		t.Fatal(err)
	}
	return nil
}

func otherKey(t *testing.T, _ string) []string {
	other, _, _ := initialised(t)
	return []string{"--key-file", other + ".key"}
}

func damagedKey(t *testing.T, dir string) []string {
	if err := os.WriteFile(dir+".key", []byte("not a key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return nil
}

func chmod(suffix string) func(*testing.T, string) []string {
	return func(t *testing.T, dir string) []string {
		if err := os.Chmod(dir+suffix, 0o644); err != nil {
			t.Fatal(err)
		}
		return nil
	}
}

// database is the file of the embedded database.
func database(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the data directory has %v, %v", found, err)
	}
	return found[0]
}

func chmodDatabase(t *testing.T, dir string) []string {
	if err := os.Chmod(database(t, dir), 0o644); err != nil {
		t.Fatal(err)
	}
	return nil
}

func newerSchema(t *testing.T, dir string) []string {
	db, err := sql.Open("sqlite", database(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	return nil
}

func otherDirectory(t *testing.T, _ string) []string {
	return []string{"--data", filepath.Join(t.TempDir(), "mistyped")}
}

func secondProcess(t *testing.T, dir string) []string {
	address := freeAddress(t)
	s, err := drive.Serve(context.Background(), binary, "http://"+address,
		"serve", "--data", dir, "--listen", address, "--public-url", public)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return nil
}

// TestAMistypedCommandLineHasItsOwnExitCode keeps 2 apart from 1, for scripts.
func TestAMistypedCommandLineHasItsOwnExitCode(t *testing.T) {
	for _, args := range [][]string{{"sreve"}, {"serve"}, {"dev", "--no-such-flag"}, {"serve", "--data", "x", "--public-url", public, "--world", "X"}} {
		err := exec.Command(binary, args...).Run()
		if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("mooring %s: %v", strings.Join(args, " "), err)
		}
	}
}
