package store

import (
	"fmt"
	"strings"
)

// Kind is what a column holds, on either engine.
type Kind uint8

// The kinds of columns. A value is a string, an int64, a bool or a []byte, or
// nil for NULL.
const (
	KindText Kind = iota
	KindID        // a UUID, as text
	KindNumber
	KindFlag
	KindBytes
)

// Column is one column of a table.
type Column struct {
	Name string
	Kind Kind
	Null bool // whether it may be NULL
}

// Table is a table whose rows are moved from one database to another.
type Table struct {
	Name    string
	Columns []Column

	parts []part // where its rows are read from, one after the other
}

// part is a text that reads all rows of one table, in one order on both engines.
type part struct{ from, text string }

// Tables lists every table that is moved, each behind those that its rows refer
// to. The epoch is the last: a database without it holds an import that was not
// finished, and is not opened.
func Tables() []Table { return tablesMoved }

// epochTable has one row, and none while an import is under way.
const epochTable = "epoch"

// unmoved are the tables that stay where they are.
var unmoved = map[string]string{
	"feed_arrival": "what waits in it for a position is read as part of the feed",
	"schema_floor": "belongs to the schema, and comes with its migrations",
	"lease":        "says which process does what, and another database has other processes",
}

var tablesMoved = []Table{
	// Owners before the accounts that they own, whatever their ids.
	table("account", "CASE kind WHEN 'platform' THEN 0 WHEN 'partner' THEN 1 ELSE 2 END, id",
		`id text, kind text, owner text?, company text, created_at number, created_by text, ahead number, clock_fence number,
		clock_lease number?, updated_at number?, deleted_at number?, deleted_by text, erase_at number?, erased_at number?, hold text,
		retention_days number?, owned_since number?, unlabelled flag`),
	table("account_profile", "account", `account text, profile text, keys_at text`),
	table("account_label", "owner, label, account", `owner text, label text, account text`),
	table("id_block", "owner, block", `owner text, block text, next number, created_at number, created_by text`),
	table("account_event", "account, id",
		`account text, id id, type text, provider text, visibility text, body text?, statistics text?, created_at number,
		created_by text`),
	table("cdd_case", "account, id",
		`account text, id id, request text, events text, created_at number, created_by text, updated_at number`),
	table("client", "account, id",
		`account text, id id, name text, disabled flag, created_at number, created_by text, description text, callbacks text,
		updated_at number?, deleted_at number?, deleted_by text, last_used_at number?`),
	table("client_secret", "account, client, id",
		`account text, client id, id id, hash bytes, created_at number, expires_at number?, last_used_at number?, created_by text`),
	table("client_grant", "account, client, id",
		`account text, client id, id id, audience text, scopes text, type text, created_at number?, created_by text`),
	table("recipient", "account, name",
		`account text, name text, public_key text, created_at number, created_by text, ended_at number?`),
	table("spent_token", "account, id", `account text, id text, expires_at number`),
	table("data_key", "account, id", `account text, id id, subject text, wrapped bytes, created_at number`),
	table("connection", "account, provider",
		`account text, provider text, schema number, status text, configuration text?, metadata text?, created_at number,
		created_by text, updated_at number, last_seq number, last_event_at number?, occurred_at number?, last_signup number,
		history number, configured_seq number, owner text, world text, stands_at text, since number?, turn text, due_at number?,
		code text, assignee text, snoozed_until number?, stalled_due number?`),
	table("signup", "account, provider, seq",
		`account text, provider text, seq number, id id, signup_key text, data text, token text, schema number, created_at number,
		created_by text, callback_at number?, expires_at number, digest bytes?, scenario text, erased_at number?`),
	table("event", "account, provider, seq",
		`account text, provider text, seq number, id id, status text, name text, description text?, metadata text?, created_at number,
		created_by text, external_id text?, occurred_at number?, stale flag, reason text?, signup number, code text?,
		provider_code text?`),
	table("sealed_field", "account, provider, holder, version, pointer",
		`account text, provider text, holder text, version number, pointer text, class text, shown flag, data_key id, sealed bytes,
		not_after number?, created_at number`),
	table("callback", "account, provider, id",
		`account text, provider text, id id, signup id, operation text, sender text, remote text, header text, data_key id?,
		body bytes?, digest bytes?, received_at number, judged_at number?, attempts number, state text, effect text, event number,
		code text, reason text`),
	table("callback_reference", "account, provider, reference", `account text, provider text, reference text, signup id`),
	table("task", "account, id",
		`account text, id id, kind text, provider text, signup id, step number, due_at number, attempts number, last_error text,
		state text, fence number, lease number?`),
	table("provider_version", "provider, schema", `provider text, schema number`),
	table("sync_state", "account, provider",
		`account text, provider text, last_asked_at number?, last_synced_at number?, last_error text, drift text, drift_since number?`),
	table("tally", "owner, provider, status, turn, code, id",
		`owner text, provider text, status text, turn text, code text, id id, n number`),
	table("audit", "account, id",
		`account text, id id, at number, account_at number?, author text, token text, remote text, action text, target text,
		outcome text, reason text, detail text?, request text, caller text`),
	// Arrivals get the positions that they would get next.
	withMore(table("feed", "position",
		`position number, id id, owner text, account text, type text, provider text, status text, at number, told_at number,
		seq number, body text?`),
		part{"feed_arrival", `SELECT (SELECT coalesce(max(position), 0) FROM feed) + row_number() OVER (ORDER BY arrival), ` +
			entryColumns + ` FROM feed_arrival ORDER BY arrival`}),
	table("subscription", "account, id",
		`account text, id id, kind text, shard number, target text, target_by text, events text, settings text, active flag,
		created_at number, created_by text, updated_at number?, touched_at number, deleted_at number?, deleted_by text,
		disabled_at number?, disabled_why text`),
	table("subscription_secret", "account, subscription, id",
		`account text, subscription id, id id, kind text, data_key id, sealed bytes, created_at number, created_by text,
		expires_at number?`),
	table("subscription_progress", "account, subscription",
		`account text, subscription id, position number, ahead text, rewind number?, failing_since number?, failures number,
		probe_at number?, warned number, succeeded_at number?`),
	table("delivery", "account, subscription, id",
		`account text, subscription id, id id, position number, entry id, type text, lane text, state text, attempts number,
		first_at number?, due_at number?, last_error text, created_at number`),
	table("attempt", "account, subscription, id",
		`account text, subscription id, id id, delivery id, position number, entry id, type text, target text, number number,
		at number, took number, status number, error text, answer text?`),
	table("idempotency", "account, client, operation, path, key",
		`account text, client id, operation text, path text, key text, fingerprint bytes, header text, body bytes,
		created_at number, about text`),
	table("sealed_key", "purpose, id", `purpose text, id text, sealed bytes, created_at number`),
	table(epochTable, "id", `id number, value number`),
}

var kinds = map[string]Kind{"text": KindText, "id": KindID, "number": KindNumber, "flag": KindFlag, "bytes": KindBytes}

// table reads "name kind, name kind?": the second may be NULL.
func table(name, order, columns string) Table {
	t := Table{Name: name}
	for column := range strings.SplitSeq(columns, ",") {
		words := strings.Fields(column)
		kind, null := strings.CutSuffix(words[1], "?")
		t.Columns = append(t.Columns, Column{words[0], kinds[kind], null})
	}
	t.parts = []part{{name, "SELECT " + t.names() + " FROM " + name + " ORDER BY " + order}}
	return t
}

// withMore adds rows that stand in another table.
func withMore(t Table, more part) Table {
	t.parts = append(t.parts, more)
	return t
}

// names are the names of a table's columns, as a list of SQL.
func (t Table) names() string {
	var names []string
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// insertion is the text that writes rows: one by one, or all of them as one
// array for each column.
func (t Table) insertion(arrays bool) string {
	var parameters, selected []string
	for i, c := range t.Columns {
		parameter, value := fmt.Sprintf("$%d", i+1), c.Name
		if arrays {
			parameter += "::" + map[Kind]string{
				KindText: "text", KindID: "text", KindNumber: "bigint", KindFlag: "boolean", KindBytes: "bytea",
			}[c.Kind] + "[]"
			if c.Kind == KindID {
				value += "::uuid"
			}
		}
		parameters, selected = append(parameters, parameter), append(selected, value)
	}
	into := "INSERT INTO " + t.Name + " (" + t.names() + ") "
	if !arrays {
		return into + "VALUES (" + strings.Join(parameters, ", ") + ")"
	}
	return into + "SELECT " + strings.Join(selected, ", ") + " FROM unnest(" + strings.Join(parameters, ", ") + ") AS u (" + t.names() + ")"
}

// Holds says whether a column can hold a value, on either engine.
func (c Column) Holds(value any) bool {
	switch v := value.(type) {
	case nil:
		return c.Null
	case string:
		return c.Kind == KindText && isText(v) || c.Kind == KindID && isID(v)
	case int64:
		return c.Kind == KindNumber
	case bool:
		return c.Kind == KindFlag
	case []byte:
		return c.Kind == KindBytes
	}
	return false
}

// value is what a driver read from a column, as its kind has it.
func (c Column) value(read any) (any, error) {
	switch v := read.(type) {
	case int64:
		if c.Kind == KindFlag {
			read = v != 0
		}
	case []byte:
		read = blob(v)
	}
	if !c.Holds(read) {
		return nil, fmt.Errorf("the column %s holds what it can't hold", c.Name)
	}
	return read, nil
}
