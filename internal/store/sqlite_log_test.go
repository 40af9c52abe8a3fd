package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// logsSince are the logs that are held back and were not there before.
func logsSince(before map[uintptr]*heldLog) []*heldLog {
	logFiles.Lock()
	defer logFiles.Unlock()
	var fresh []*heldLog
	for file, l := range logFiles.logs {
		if before[file] != l {
			fresh = append(fresh, l)
		}
	}
	return fresh
}

func logsNow() map[uintptr]*heldLog {
	logFiles.Lock()
	defer logFiles.Unlock()
	return maps.Clone(logFiles.logs)
}

// spoil has instead in the place of what writes to logs, as they are.
func spoil(logs []*heldLog, instead func(usual callBytes) callBytes) {
	for _, l := range logs {
		write := instead(callOf[callBytes](l.usual.FxWrite))
		l.usual.FxWrite = addressOf(&write)
		spoils = append(spoils, write)
	}
}

// spoils keeps functions whose addresses SQLite knows.
var spoils []callBytes

// mirror is what SQLite asked to have in a log.
type mirror struct {
	bytes []byte
	calls int
	write callBytes
	cut   callCut
}

// mirrored keeps what is asked of a log beside it.
func mirrored(l *heldLog) *mirror {
	m := &mirror{}
	m.write = func(tls *libc.TLS, file, from uintptr, n int32, at int64) int32 {
		m.calls++
		if more := int(at) + int(n) - len(m.bytes); more > 0 {
			m.bytes = append(m.bytes, make([]byte, more)...)
		}
		copy(m.bytes[at:], unsafe.Slice(memory[byte](from), n))
		return l.onWrite(tls, file, from, n, at)
	}
	m.cut = func(tls *libc.TLS, file uintptr, size int64) int32 {
		m.bytes = m.bytes[:min(int(size), len(m.bytes))]
		return l.onCut(tls, file, size)
	}
	calls := memory[sqlite3.Tsqlite3_io_methods](l.logCalls)
	calls.FxWrite, calls.FxTruncate = addressOf(&m.write), addressOf(&m.cut)
	return m
}

// TestALogThatIsHeldBackIsTheSameLog writes transactions small and large, of
// which some do not fit into memory and so are in the log before they end, and
// some come to nothing. After each the log is, byte by byte, what it would be if
// nothing was held back.
func TestALogThatIsHeldBackIsTheSameLog(t *testing.T) {
	if err := registerLogFiles(); err != nil {
		t.Fatal(err)
	}
	small := append(writingConnection.without("cache_size"), pragma{"cache_size", "10", is("10")}, pragma{"cache_spill", "1", atLeast(1)})
	for seed := range uint64(2) {
		before := logsNow()
		file := filepath.Join(t.TempDir(), "x.db")
		c, err := connector(file, "_txlock=immediate&vfs="+logSystem, small)
		if err != nil {
			t.Fatal(err)
		}
		writer := fixed(sql.OpenDB(c), 1)
		if _, err := writer.ExecContext(t.Context(), `CREATE TABLE x (a INTEGER PRIMARY KEY, b BLOB) STRICT; CREATE INDEX y ON x (b)`); err != nil {
			t.Fatal(err)
		}
		logs := logsSince(before)
		if len(logs) != 1 {
			t.Fatalf("%d logs are open", len(logs))
		}
		m := mirrored(logs[0])
		if m.bytes, err = os.ReadFile(file + "-wal"); err != nil {
			t.Fatal(err)
		}
		ramble(t, writer, file, rand.New(rand.NewPCG(seed, 1)), func() {
			if got, err := os.ReadFile(file + "-wal"); err != nil || !bytes.Equal(got, m.bytes) {
				t.Fatalf("seed %d: the log holds other bytes than were written to it (%d, %d, %v)", seed, len(got), len(m.bytes), err)
			}
		})
		if err := writer.Close(); err != nil || m.calls < 500 {
			t.Errorf("%d pages were written (%v)", m.calls/2, err)
		}
	}
}

// ramble writes at random, and sees after each transaction that others are
// shown what it came to.
func ramble(t *testing.T, writer *sql.DB, file string, r *rand.Rand, look func()) {
	t.Helper()
	ctx := context.Background()
	c, err := connector(file, "mode=ro", readingConnection)
	if err != nil {
		t.Fatal(err)
	}
	reader := fixed(sql.OpenDB(c), 1)
	defer reader.Close()
	do := func(on interface {
		ExecContext(context.Context, string, ...any) (sql.Result, error)
	}, text string, args ...any,
	) {
		if _, err := on.ExecContext(ctx, text, args...); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	for range 40 {
		tx, err := writer.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := summary(t, reader)
		for range 1 + r.IntN(1<<r.IntN(8)) {
			b := bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(1500))
			do(tx, `INSERT INTO x VALUES ($1, $2) ON CONFLICT DO UPDATE SET b = $2`, r.IntN(400), b)
			if r.IntN(8) == 0 {
				do(tx, `DELETE FROM x WHERE a > $1`, r.IntN(500))
			}
		}
		if got := summary(t, reader); got != before {
			t.Fatalf("a transaction that goes on is seen: %s, and %s before", got, before)
		}
		want := summary(t, tx)
		if r.IntN(3) == 0 {
			want, err = before, tx.Rollback()
		} else {
			err = tx.Commit()
		}
		if got := summary(t, reader); err != nil || got != want {
			t.Fatalf("others see %s after a transaction that came to %s (%v)", got, want, err)
		}
		look()
		if r.IntN(20) == 0 {
			if _, err := checkpoint(ctx, writer, "TRUNCATE"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func summary(t *testing.T, from interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
},
) string {
	t.Helper()
	var n, sum int64
	if err := from.QueryRowContext(context.Background(),
		`SELECT count(*), coalesce(sum(a * 7919 + length(b) * 31 + unicode(hex(b))), 0) FROM x`).Scan(&n, &sum); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(n, " ", sum)
}

// TestACommitIsWrittenAtOnce counts the calls by which pages come into the log.
func TestACommitIsWrittenAtOnce(t *testing.T) {
	before := logsNow()
	tune := standard
	tune.idle = true
	s := inhabit(t, openTuned(t, newSQLite(t), tune))
	mustChange(t, s, signing(merchant))
	var calls, most int32
	spoil(logsSince(before), func(usual callBytes) callBytes {
		return func(tls *libc.TLS, file, bytes uintptr, n int32, at int64) int32 {
			calls, most = calls+1, max(most, n)
			return usual(tls, file, bytes, n, at)
		}
	})
	mustChange(t, s, posting(enabled("one")))
	if calls != 1 || most < 5*4096 {
		t.Errorf("a commit came into the log in %d calls, of %d bytes at most", calls, most)
	}
}

// TestALogThatIsTornHoldsNothingOfItsEnd: the disk is full in the middle of a
// commit. Nothing of it is there, now or when the file is opened again, and
// what comes later is.
func TestALogThatIsTornHoldsNothingOfItsEnd(t *testing.T) {
	for _, room := range []int32{24 + 4096, 3*(24+4096) + 100} {
		before := logsNow()
		tune := standard
		tune.idle = true
		cfg := newSQLite(t)
		s := inhabit(t, openTuned(t, cfg, tune))
		mustChange(t, s, signing(merchant))
		full := true
		spoil(logsSince(before), func(usual callBytes) callBytes {
			return func(tls *libc.TLS, file, bytes uintptr, n int32, at int64) int32 {
				if !full || n <= room {
					return usual(tls, file, bytes, n, at)
				}
				full = false
				if room > 0 {
					usual(tls, file, bytes, room, at)
				}
				return sqlite3.SQLITE_FULL
			}
		})
		_, err := s.Change(context.Background(), keyed(posting(enabled("torn")), "k", "f"))
		wantUnavailable(t, err)
		if full {
			t.Fatal("the disk was never full")
		}
		wantNames(t, s, "signup_received")
		mustChange(t, s, posting(enabled("after")))
		wantNames(t, s, "signup_received", "after")

		copied := copyOf(t, cfg.DataDir) // as if the power failed now
		other := openStore(t, Config{DataDir: copied})
		wantNames(t, other, "signup_received", "after")
	}
}

// copyOf copies a directory whose files may be open.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(to)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Chmod(filepath.Join(to, f.Name()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(to, 0o700); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestALogThatFailsStopsTheStore: what the disk refuses for another reason than
// that it is full leaves an outcome that nobody knows.
func TestALogThatFailsStopsTheStore(t *testing.T) {
	before := logsNow()
	tune := standard
	tune.idle = true
	s := inhabit(t, openTuned(t, newSQLite(t), tune))
	mustChange(t, s, signing(merchant))
	spoil(logsSince(before), func(callBytes) callBytes {
		return func(*libc.TLS, uintptr, uintptr, int32, int64) int32 { return sqlite3.SQLITE_IOERR_WRITE }
	})
	_, err := s.Change(context.Background(), keyed(posting(enabled("lost")), "k", "f"))
	wantUnavailable(t, err)
	wantStopped(t, s)
}
