package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
)

// Denials remembers for the audit who was not let in, or asked for what is not
// theirs. Nobody can flood it: what the same caller is denied at the same
// operation is counted, and written once a minute at most; callers that nobody
// knows are told apart by their address alone; and of both only so many are.
type Denials struct {
	store  *store.Store
	serves func(account.ID) bool
	now    func() time.Time
	log    *slog.Logger

	flushing  sync.Mutex
	unwritten []store.AuditRecord // what the last flush could not write, or does not know that it did

	mu      sync.Mutex
	counts  map[denial]*denialCount
	callers map[string]int // how many of counts are of a client
	pending []suspicion
}

// denial is what is counted together.
type denial struct {
	client  string // "" for one that nobody knows, or one too many
	action  string // "" for several
	account account.ID
	from    netip.Prefix
	status  int
	code    string // in the place of status, of what was refused to somebody who was let in
}

type denialCount struct {
	record store.AuditRecord // of the first
	n      int
	last   time.Time
	due    time.Time // when it may be written
}

// suspicion is a record that was not found by a caller who may have named an
// account that is not theirs.
type suspicion struct {
	denial
	record store.AuditRecord
	caller auth.Caller
	named  account.ID
}

// What bounds the denials. A client that is denied many different operations
// gets one more count for all others; so do the clients of an account once
// there are many counts.
const (
	denialsEvery     = time.Minute
	denialsFlushed   = time.Second
	denialsOfClient  = 32
	denialsOfAll     = 1024
	denialsOfUnknown = 64
	maxSuspicions    = 1024
)

// NewDenials makes one; Run writes what it counts.
func NewDenials(s *store.Store, serves func(account.ID) bool, now func() time.Time, log *slog.Logger) *Denials {
	return &Denials{store: s, serves: serves, now: now, log: log, counts: map[denial]*denialCount{}, callers: map[string]int{}}
}

// Record counts a call that was denied. It returns at once.
func (d *Denials) Record(call *gate.Call, status int) {
	now := d.now()
	r := operations{Deps: Deps{Now: func() time.Time { return now }}}.recordOf(call)
	if call.Caller.Account == "" {
		if status != http.StatusNotFound {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.countUnknown(call, r, status)
		}
		return
	}
	r.Account, r.Target, r.Outcome = call.Caller.Account, call.CanonicalPath(), store.AuditRefused
	what := denial{client: r.By, account: r.Account, action: r.Action, status: status}
	named := namedBy(call)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case status != http.StatusNotFound || call.Operation.Method != http.MethodGet:
		d.count(what, r)
	case named == "" || call.Caller.Covers(named): // what is not there was not denied
	case len(d.pending) < maxSuspicions:
		d.pending = append(d.pending, suspicion{what, r, call.Caller, named})
	}
}

// Refused counts what was asked for by somebody who was let in, and refused
// with a code. It returns at once.
func (d *Denials) Refused(r store.AuditRecord, code string) {
	r.Outcome = store.AuditRefused
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count(denial{client: r.By, account: r.Account, action: r.Action, code: code}, r)
}

// namedBy is the last account that a call names.
func namedBy(call *gate.Call) account.ID {
	if id := call.Account("aid"); id != "" {
		return id
	}
	id, _ := call.Query("account")
	return account.ID(id)
}

// countUnknown counts a call of somebody who is not known, for the platform.
func (d *Denials) countUnknown(call *gate.Call, r store.AuditRecord, status int) {
	r.Account, r.Outcome, r.Action, r.Request = d.platform(call), store.AuditRefused, "authenticate", ""
	bits := 32
	if call.Remote.Is6() {
		bits = 64 // what one customer usually has
	}
	from, _ := call.Remote.WithZone("").Prefix(bits)
	what := denial{account: r.Account, action: r.Action, from: from, status: status}
	if d.counts[what] == nil && d.callers[""] >= denialsOfUnknown {
		what.from, r.Remote = netip.Prefix{}, ""
	}
	d.count(what, r)
}

// platform is that of the world that a call names, if it is served.
func (d *Denials) platform(call *gate.Call) account.ID {
	named := call.Account("oid")
	if named == "" {
		named = call.Account("aid")
	}
	if named == "" || !d.serves(named) {
		named = account.Platform(account.Production)
	}
	if !d.serves(named) {
		return account.Platform(account.Test)
	}
	return account.Platform(named.World())
}

// count counts a denial; the caller holds the lock.
func (d *Denials) count(what denial, r store.AuditRecord) {
	if d.counts[what] == nil && what.client != "" && d.callers[what.client] >= denialsOfClient {
		what.action, what.status, what.code = "", 0, ""
	}
	if d.counts[what] == nil && len(d.counts) >= denialsOfAll {
		what = denial{account: what.account}
	}
	c := d.counts[what]
	if c == nil && len(d.counts) >= 2*denialsOfAll {
		return
	}
	if c == nil {
		c = &denialCount{due: r.At}
		d.counts[what] = c
		d.callers[what.client]++
	}
	if c.n == 0 {
		c.record = r
		if what.action == "" { // of several, which the first does not stand for
			c.record.Action, c.record.Target, c.record.Request, c.record.By = "many", "", "", what.client
		}
	}
	c.n, c.last = c.n+1, r.At
}

// Run writes what was counted until ctx ends, and then the rest.
func (d *Denials) Run(ctx context.Context) error {
	tick := time.NewTicker(denialsFlushed)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			d.flush(context.WithoutCancel(ctx), d.now(), true)
			return nil
		case <-tick.C:
			d.Flush(ctx)
		}
	}
}

// Flush writes what is due. What can't be written now is written by the next
// one, before all else and as it is: it may be there already, and is not to be
// counted twice.
func (d *Denials) Flush(ctx context.Context) { d.flush(ctx, d.now(), false) }

// flush writes what is due at a time, or everything.
func (d *Denials) flush(ctx context.Context, now time.Time, everything bool) {
	d.flushing.Lock()
	defer d.flushing.Unlock()
	d.investigate(ctx)
	err := d.write(ctx)
	first := err == nil
	if first {
		d.unwritten = d.due(now, everything)
		err = d.write(ctx)
	}
	if err != nil && (first || everything) { // not once a second
		d.log.Warn("writing to the audit who was denied failed", "records", len(d.unwritten), "cause", err)
	}
}

// write writes what is unwritten.
func (d *Denials) write(ctx context.Context) error {
	if len(d.unwritten) == 0 {
		return nil
	}
	err := d.store.Audit(ctx, d.unwritten...)
	if err == nil {
		d.unwritten = nil
	}
	return err
}

// investigate counts those who named an account that is not theirs.
func (d *Denials) investigate(ctx context.Context) {
	d.mu.Lock()
	pending := d.pending
	d.pending = nil
	d.mu.Unlock()
	for i, s := range pending {
		_, err := d.store.Account(ctx, s.caller, s.named)
		if err == nil {
			continue
		}
		d.mu.Lock()
		switch fault.From(err).Kind {
		case fault.NotFound:
			d.count(s.denial, s.record)
		case fault.Unavailable: // later, then
			rest := append(pending[i:], d.pending...)
			d.pending = rest[:min(len(rest), maxSuspicions)]
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
	}
}

// told is what the audit is told of what was counted up to now.
func (c denialCount) told(what denial) store.AuditRecord {
	why := fmt.Sprintf(`"status":%d`, what.status)
	if what.code != "" {
		why = fmt.Sprintf(`"code":%q`, what.code)
	}
	c.record.Detail = fmt.Appendf(nil, `{"count":%d,"last_at":%q,%s}`, c.n, onWire(c.last), why)
	return c.record
}

// due takes what is due, and forgets who was quiet for a while.
func (d *Denials) due(now time.Time, everything bool) []store.AuditRecord {
	d.mu.Lock()
	defer d.mu.Unlock()
	var due []store.AuditRecord
	for what, c := range d.counts {
		switch {
		case !everything && now.Before(c.due):
		case c.n == 0:
			delete(d.counts, what)
			if d.callers[what.client]--; d.callers[what.client] == 0 {
				delete(d.callers, what.client)
			}
		default:
			due = append(due, c.told(what))
			c.n, c.due = 0, now.Add(denialsEvery)
		}
	}
	return due
}
