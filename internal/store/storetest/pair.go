package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pair is a primary and a standby that it waits for at each commit, with one
// empty database. Both are the test's own, and gone after it.
type Pair struct {
	tb    testing.TB
	bin   string
	owner *syscall.Credential
	dirs  [2]string // of the first primary, and of its standby
}

const pairDatabase = "mooring"

// NewPair starts a pair.
func NewPair(tb testing.TB) *Pair {
	tb.Helper()
	p := &Pair{tb: tb}
	var err error
	if p.bin, err = programs(debian); err != nil {
		tb.Fatal(err)
	}
	if p.owner, err = unprivileged(); err != nil {
		tb.Fatal(err)
	}
	for i := range p.dirs {
		if p.dirs[i], err = directory(p.owner); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = os.RemoveAll(p.dirs[i]) }) // the watcher did, unless it never started
	}
	if err := initialise(p.bin, p.dirs[0], p.owner, "synchronous_standby_names = 'standby'\n"); err != nil {
		tb.Fatal(err)
	}
	p.launch(0)
	p.follow()
	p.launch(1)
	p.await("the standby follows", address("postgres", p.dirs[0]), "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
	p.run(address("postgres", p.dirs[0]), "CREATE DATABASE "+pairDatabase)
	p.await("the standby has the database", address("postgres", p.dirs[1]), "SELECT count(*) FROM pg_database WHERE datname = '"+pairDatabase+"'")
	return p
}

// URL names both hosts, the first primary first.
func (p *Pair) URL() string { return address(pairDatabase, p.dirs[0], p.dirs[1]) }

// Primary is the database on the server that was the primary at first.
func (p *Pair) Primary() string { return address(pairDatabase, p.dirs[0]) }

// Standby is the database on the server that was the standby at first.
func (p *Pair) Standby() string { return address(pairDatabase, p.dirs[1]) }

// follow makes the standby's directory out of the running primary.
func (p *Pair) follow() {
	p.tb.Helper()
	cmd := command(p.owner, p.dirs[1], filepath.Join(p.bin, "pg_basebackup"),
		"--pgdata", filepath.Join(p.dirs[1], "data"), "--host", p.dirs[0], "--username", "postgres", "--checkpoint", "fast", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		p.tb.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	err := set(p.dirs[1], "synchronous_standby_names = ''\nprimary_conninfo = 'host="+p.dirs[0]+" user=postgres application_name=standby'\n")
	if err := errors.Join(err, os.WriteFile(filepath.Join(p.dirs[1], "data", "standby.signal"), nil, 0o644)); err != nil {
		p.tb.Fatal(err)
	}
}

func (p *Pair) launch(i int) {
	p.tb.Helper()
	held, err := launch(p.bin, p.dirs[i], p.owner)
	if err != nil {
		p.tb.Fatal(err)
	}
	p.tb.Cleanup(func() { _ = held.Close() }) // whatever became of a server that the test killed
	if err := await(address("postgres", p.dirs[i]), filepath.Join(p.dirs[i], "log")); err != nil {
		p.tb.Fatal(err)
	}
}

// KillPrimary kills all processes of the first primary at once, as a power cut
// would, and returns when they are gone.
func (p *Pair) KillPrimary() {
	p.tb.Helper()
	text, err := os.ReadFile(filepath.Join(p.dirs[0], "data", "postmaster.pid"))
	if err != nil {
		p.tb.Fatal(err)
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	parent, err := strconv.Atoi(string(first))
	if err != nil {
		p.tb.Fatal(err)
	}
	p.signal(parent, syscall.SIGSTOP) // it starts no more of them
	all := append(children(parent), parent)
	for _, process := range all {
		p.signal(process, syscall.SIGKILL)
	}
	p.until("the primary is gone", func(context.Context) error {
		for _, process := range all {
			if running(process) {
				return fmt.Errorf("process %d still runs", process)
			}
		}
		return nil
	})
}

// RestartPrimary brings the killed primary back, as somebody would who does not
// know of the standby: it takes writes alone.
func (p *Pair) RestartPrimary() {
	p.tb.Helper()
	if err := errors.Join(
		set(p.dirs[0], "synchronous_standby_names = ''\n"),
		os.Remove(filepath.Join(p.dirs[0], "data", "postmaster.pid")),
	); err != nil {
		p.tb.Fatal(err)
	}
	p.launch(0)
}

// Promote makes the standby a primary, and returns when it is.
func (p *Pair) Promote() {
	p.tb.Helper()
	p.run(p.Standby(), "SELECT pg_promote(true, 60)")
}

// PauseStandby stops what the standby receives with, until ResumeStandby or the
// end of the test: commits wait.
func (p *Pair) PauseStandby() {
	p.tb.Helper()
	receiver := p.receiver()
	p.signal(receiver, syscall.SIGSTOP)
	p.tb.Cleanup(func() { _ = syscall.Kill(receiver, syscall.SIGCONT) })
}

// ResumeStandby lets the standby go on.
func (p *Pair) ResumeStandby() {
	p.tb.Helper()
	p.signal(p.receiver(), syscall.SIGCONT)
}

// receiver is the process that takes in what the primary sends.
func (p *Pair) receiver() (process int) {
	p.tb.Helper()
	p.until("the standby receives", func(ctx context.Context) error {
		return one(ctx, p.Standby(), "SELECT pid FROM pg_stat_wal_receiver", &process)
	})
	return process
}

func (p *Pair) signal(process int, signal syscall.Signal) {
	p.tb.Helper()
	if err := syscall.Kill(process, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.tb.Fatal(err)
	}
}

// run executes one statement, which may return a row.
func (p *Pair) run(dsn, statement string) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		p.tb.Fatalf("connect to one of the pair: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		p.tb.Fatalf("%s: %v", statement, err)
	}
}

// await returns when a count is not nothing.
func (p *Pair) await(what, dsn, count string) {
	p.tb.Helper()
	p.until(what, func(ctx context.Context) error {
		var n int
		if err := one(ctx, dsn, count, &n); err != nil {
			return err
		}
		if n == 0 {
			return errors.New("not yet")
		}
		return nil
	})
}

// until returns when try succeeds.
func (p *Pair) until(what string, try func(context.Context) error) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.tb.Fatalf("waited a minute until %s: %v", what, err)
		}
	}
}

// one reads the only value of a query.
func one(ctx context.Context, dsn, query string, value any) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.QueryRow(ctx, query).Scan(value)
}

// children are the processes whose parent is the given one.
func children(parent int) []int {
	var found []int
	entries, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, entry := range entries {
		process, state, of := stat(entry)
		if of == parent && state != "Z" {
			found = append(found, process)
		}
	}
	return found
}

// running says whether a process is there and is not dead.
func running(process int) bool {
	_, state, _ := stat(fmt.Sprintf("/proc/%d/stat", process))
	return state != "" && state != "Z"
}

// stat reads a process's number, state and parent; the state is "" when there
// is no such process.
func stat(path string) (process int, state string, parent int) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, "", 0
	}
	process, _ = strconv.Atoi(filepath.Base(filepath.Dir(path)))
	_, rest, _ := bytes.Cut(text[max(0, bytes.LastIndexByte(text, ')')):], []byte(" ")) // a name may have spaces
	_, _ = fmt.Sscan(string(rest), &state, &parent)
	return process, state, parent
}
