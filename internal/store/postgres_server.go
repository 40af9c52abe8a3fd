package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// unfit is the sentence that says why a server that answers is not used.
type unfit string

func (u unfit) Error() string { return string(u) }

const (
	errReadOnly = unfit("PostgreSQL takes no writes there: it is a standby, or was made read-only; give the URL of the primary, or of all hosts")
	errPast     = unfit("PostgreSQL is an old primary there: a standby was promoted since, and what is written to the old one is lost")
	errPooled   = unfit("a pooler such as pgbouncer stands before PostgreSQL, which keeps no prepared statements for us and hides what a commit is told: give the URL of PostgreSQL itself")
)

// serverSettings are what makes a commit safe, by the server's own names.
var serverSettings = []string{
	"transaction_read_only", "server_version_num", "server_encoding", "fsync", "full_page_writes", "synchronous_commit",
	"synchronous_standby_names",
}

// admit refuses a server on which a commit would not be safe, and says whether
// a standby has what it committed.
func admit(ctx context.Context, conn *pgconn.PgConn, writes bool) (pair bool, err error) {
	question := "SELECT pg_backend_pid()"
	for _, name := range serverSettings {
		question += ", current_setting('" + name + "')"
	}
	values, err := ask(ctx, conn, question)
	if err != nil {
		return false, fmt.Errorf("ask the server how it is set up: %w", err)
	}
	// A pooler gives out keys to cancel with that are not those of a process.
	if key := conn.PID(); key != 0 && values[0] != strconv.FormatUint(uint64(key), 10) {
		return false, errPooled
	}
	got := map[string]string{}
	for i, name := range serverSettings {
		got[name] = values[1+i]
	}
	if err := checkServerSettings(got); err != nil {
		return false, err
	}
	// Every statement looks rows up by a key. While a table is young the
	// planner would rather read all of it, and remember that plan.
	// What has no key to look by counts as dearer than anything then, which
	// compiling its plan must not be made of: that takes half a second.
	session := "SELECT set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false)"
	if writes {
		// A node that is stopped in the middle of a transaction must not keep its
		// locks for as long as the server believes in the line.
		session += fmt.Sprintf(", set_config('idle_in_transaction_session_timeout', '%d', false)", idlePatience.Milliseconds())
	}
	_, err = ask(ctx, conn, session)
	return paired(got), err
}

// idlePatience is how long a writing transaction may do nothing.
const idlePatience = 10 * time.Second

// ask runs a statement without preparing it, and returns its only row.
func ask(ctx context.Context, conn *pgconn.PgConn, statement string) ([]string, error) {
	results, err := conn.Exec(ctx, statement).ReadAll()
	if err != nil {
		return nil, err
	}
	var values []string
	for _, result := range results {
		for _, row := range result.Rows {
			for _, value := range row {
				values = append(values, string(value))
			}
		}
	}
	return values, nil
}

func checkServerSettings(got map[string]string) error {
	if got["transaction_read_only"] == "on" {
		return errReadOnly
	}
	version, err := strconv.Atoi(got["server_version_num"])
	if err != nil || version < 150_000 {
		return unfit(fmt.Sprintf("PostgreSQL 15 or newer is needed, and this server is %s", got["server_version_num"]))
	}
	if got["server_encoding"] != "UTF8" {
		return unfit(fmt.Sprintf("PostgreSQL keeps this database in %s: make one with encoding UTF8", got["server_encoding"]))
	}
	for _, name := range []string{"fsync", "full_page_writes"} {
		if got[name] != "on" {
			return unfit(fmt.Sprintf("PostgreSQL runs with %s = %s: turn it on, or a crash loses what was acknowledged", name, got[name]))
		}
	}
	if got["synchronous_commit"] == "off" {
		return unfit("PostgreSQL runs with synchronous_commit = off: turn it on, or a crash loses what was acknowledged")
	}
	return nil
}

// paired says whether the server waits until a standby has what it commits.
func paired(got map[string]string) bool {
	level := got["synchronous_commit"]
	return got["synchronous_standby_names"] != "" && (level == "on" || level == "remote_apply")
}

// checkWritable refuses a server that takes no writes any more. Reads go to the
// same one: what was acknowledged must be seen.
func checkWritable(ctx context.Context, conn *pgconn.PgConn) error {
	values, err := ask(ctx, conn, "SHOW transaction_read_only")
	if err == nil && values[0] == "on" {
		err = errReadOnly
	}
	return err
}

// timeline is the server's: it grows when a standby is promoted. It is 0 where
// there is no such thing.
func timeline(ctx context.Context, conn *pgconn.PgConn) (uint32, error) {
	values, err := ask(ctx, conn, "SELECT pg_walfile_name(pg_current_wal_lsn())")
	if _, ok := errors.AsType[*pgconn.PgError](err); ok {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(values[0][:8], 16, 32)
	return uint32(n), err
}

// sawTimeline remembers the newest timeline, and refuses an older one: that
// server does not know that another was promoted in its place.
func (e *postgres) sawTimeline(at uint32) error {
	for newest := e.newest.Load(); at != newest && at != 0; newest = e.newest.Load() {
		if at < newest {
			return errPast
		}
		e.newest.CompareAndSwap(newest, at)
	}
	return nil
}

// recheckAfter is how long a connection that was found to take writes is used
// without asking again.
const recheckAfter = time.Second
