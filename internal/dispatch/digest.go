package dispatch

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/hook"
	"mooring/internal/notice"
	"mooring/internal/store"
)

// The bounds of digests.
const (
	digestLease   = "digests"
	digestHeld    = time.Minute
	digestEvery   = 5 * time.Second
	digestHands   = 8     // digests that are told at once
	digestEntries = 5_000 // in one message; what is more comes in the next one
	digestPage    = 500
	digestType    = "digest"
)

// Digests tells the rules that have a digest: one node does so for all. A rule
// is a place in the log like any other: when its time has come it is told in
// one message what is behind that place and was told before that time. Nothing
// else has to be remembered, and a repeated attempt has the same entries.
type Digests struct {
	Deps
	holder  string
	most    int // entries in one message
	lease   store.Lease
	metrics metrics

	mu   sync.Mutex
	done map[key]time.Time // the time of the digest that is told in full
	rest map[key]time.Time // when one that failed is tried again
}

// NewDigests makes it; it needs what the engine needs.
func NewDigests(d Deps) *Digests {
	return &Digests{
		Deps: d, holder: d.NewID(), most: digestEntries, metrics: newMetrics(d.Metrics),
		done: map[key]time.Time{}, rest: map[key]time.Time{},
	}
}

// Run tells digests until ctx ends.
func (d *Digests) Run(ctx context.Context) error {
	tick := time.NewTicker(digestEvery)
	defer tick.Stop()
	for {
		if err := d.Round(ctx); err != nil && ctx.Err() == nil {
			d.Log.Warn("telling digests failed", "error", err)
		}
		select {
		case <-ctx.Done():
			if d.lease.Name == "" {
				return nil
			}
			return d.Store.LetGo(context.WithoutCancel(ctx), d.lease)
		case <-tick.C:
		}
	}
}

// Round tells what is due now, unless another node does.
func (d *Digests) Round(ctx context.Context) error {
	if held, err := d.hold(ctx); err != nil || !held {
		return err
	}
	rules, err := d.Store.Digests(ctx)
	if err != nil {
		return err
	}
	d.forget(rules)
	asking, end := d.whileHeld(ctx)
	defer end()
	hands := make(chan struct{}, digestHands)
	var working sync.WaitGroup
	for _, rule := range rules {
		if !d.Serves(rule.Account) || d.Senders[rule.Kind] == nil {
			continue
		}
		hands <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		working.Go(func() {
			defer func() { <-hands }()
			if err := d.look(asking, rule); err != nil && asking.Err() == nil {
				d.Log.Warn("a digest could not be told", "account", rule.Account, "subscription", rule.ID, "error", err)
			}
		})
	}
	working.Wait()
	return nil
}

// hold takes the lease of digests, or keeps it.
func (d *Digests) hold(ctx context.Context) (bool, error) {
	now := d.Now()
	var (
		held []store.Lease
		err  error
	)
	if d.lease.Name != "" {
		held, err = d.Store.RenewLeases(ctx, now.Add(digestHeld), d.lease)
	}
	if err == nil && len(held) == 0 {
		held, err = d.Store.TakeLeases(ctx, d.holder, now, now.Add(digestHeld), digestLease)
	}
	if err != nil || len(held) == 0 {
		d.lease = store.Lease{}
		return false, err
	}
	d.lease = held[0]
	return true, nil
}

// whileHeld keeps the lease while a round lasts. Its context ends with the
// lease, so that nothing is sent that another node may send, and a while after
// ctx, so that what is on the wire then comes to its end.
func (d *Digests) whileHeld(ctx context.Context) (held context.Context, end func()) {
	held, lost := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(stopPatience, lost) })
	lease := d.lease
	var keeping sync.WaitGroup
	keeping.Go(func() {
		tick := time.NewTicker(digestHeld / 4)
		defer tick.Stop()
		until := lease.Until
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			now := d.Now()
			switch kept, err := d.Store.RenewLeases(held, now.Add(digestHeld), lease); {
			case err == nil && len(kept) > 0:
				until = kept[0].Until
			case err == nil || !now.Add(digestHeld/4).Before(until):
				lost()
			}
		}
	})
	return held, func() { stop(); lost(); keeping.Wait() }
}

// forget drops what is known of rules that are no more.
func (d *Digests) forget(rules []hook.Subscription) {
	there := make(map[key]bool, len(rules))
	for _, rule := range rules {
		there[key{rule.Account, rule.ID}] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	gone := func(k key, _ time.Time) bool { return !there[k] }
	maps.DeleteFunc(d.done, gone)
	maps.DeleteFunc(d.rest, gone)
}

// record writes what came of an attempt, also when we are to stop: it was made.
func (d *Digests) record(ctx context.Context, o store.Outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writePatience)
	defer cancel()
	return d.Store.Record(ctx, []store.Lease{d.lease}, []store.Outcome{o})
}

// look tells a rule that it is tried, and its digest when that is due.
func (d *Digests) look(ctx context.Context, rule hook.Subscription) error {
	pings, err := d.Store.DeliveriesAgain(ctx, rule.Account, rule.ID, 1)
	if err != nil {
		return err
	}
	for i := range pings {
		if d.Now().Before(pings[i].DueAt) {
			continue
		}
		if err := d.ping(ctx, rule, &pings[i]); err != nil {
			return err
		}
	}
	due := notice.LastTime(*rule.Settings.Notice.Digest, d.Now())
	if due.IsZero() || !rule.Settings.Notice.Running(rule.Kind) || d.settled(rule, due) {
		return nil
	}
	for {
		more, err := d.tell(ctx, rule, due)
		if err != nil || !more {
			return err
		}
	}
}

// settled says whether there is nothing to do for a rule now.
func (d *Digests) settled(rule hook.Subscription, due time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := key{rule.Account, rule.ID}
	return d.done[k].Equal(due) || d.Now().Before(d.rest[k])
}

func (d *Digests) settle(rule hook.Subscription, due, rest time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := key{rule.Account, rule.ID}
	d.done[k], d.rest[k] = due, rest
}

// ping makes the one attempt at a message that is for a rule alone.
func (d *Digests) ping(ctx context.Context, rule hook.Subscription, row *store.Delivery) error {
	outcome := store.Outcome{Account: rule.Account, Subscription: rule.ID, Gone: []string{row.ID}}
	entry, err := hook.PingEntry(rule, row.Entry, d.Now())
	if err != nil {
		return err
	}
	own, err := d.Store.AccountsNow(ctx, []account.ID{rule.Account})
	if err != nil {
		return err
	}
	if owner, there := own[rule.Account]; there && !owner.Deleted() && rule.Told() {
		attempt, result, err := d.attempt(ctx, rule, []hook.Entry{entry}, row.Attempts+1)
		if err != nil {
			return err
		}
		outcome.Attempts = []store.Attempt{attempt}
		if result.Ours { // nobody heard of it: it is tried again
			row.DueAt = d.Now().Add(hook.ProbeWait(int(row.Attempts), d.Chance()))
			row.Attempts, row.LastError = row.Attempts+1, result.Why()
			outcome.Gone, outcome.Put = nil, []store.Delivery{*row}
		}
	}
	return d.record(ctx, outcome)
}

// tell tells a rule what was told before a time, or some of it when that is
// much; more says whether something is left.
func (d *Digests) tell(ctx context.Context, rule hook.Subscription, due time.Time) (more bool, err error) {
	standing, err := d.Store.Standing(ctx, rule.Account, rule.ID)
	if err != nil {
		return false, err
	}
	p := standing.Progress
	if now := d.Now(); now.Before(p.ProbeAt) {
		d.settle(rule, time.Time{}, p.ProbeAt)
		return false, nil
	}
	entries, scanned, more, err := d.collect(ctx, rule, p.Position, due)
	if err != nil {
		return false, err
	}
	if len(entries) == 0 {
		if scanned > p.Position {
			p.Position = scanned
			err = d.record(ctx, store.Outcome{Account: rule.Account, Subscription: rule.ID, Progress: &p})
		}
		if err == nil && !more {
			d.settle(rule, due, time.Time{})
		}
		return more, err
	}
	number := p.Failures + 1
	attempt, result, err := d.attempt(ctx, rule, entries, number)
	if err != nil {
		return false, err
	}
	outcome, rest := d.judge(rule, p, scanned, attempt, result)
	if err := d.record(ctx, outcome); err != nil {
		return false, err
	}
	if !result.OK() {
		d.settle(rule, time.Time{}, rest)
		return false, nil
	}
	if !more {
		d.settle(rule, due, time.Time{})
	}
	return more, nil
}

// judge is what comes of an attempt, and until when one that failed rests.
func (d *Digests) judge(
	rule hook.Subscription, p store.Progress, scanned int64, attempt store.Attempt, result hook.Result,
) (store.Outcome, time.Time) {
	now := d.Now()
	before := hook.Health{
		Failures: int(p.Failures), FailingSince: p.FailingSince, ProbeAt: p.ProbeAt, Warned: int(p.Warned), SucceededAt: p.SucceededAt,
	}
	health, change := before.After(result, now, d.Chance())
	rest := health.ProbeAt
	if turn := hook.Next(int(attempt.Number), true, result, d.Chance()); !health.Open() {
		rest = now.Add(turn.Wait)
	}
	p.Failures, p.FailingSince, p.ProbeAt = int64(health.Failures), health.FailingSince, health.ProbeAt
	p.Warned, p.SucceededAt = int64(health.Warned), health.SucceededAt
	if result.OK() {
		p.Position = scanned
	}
	outcome := store.Outcome{
		Account: rule.Account, Subscription: rule.ID, Progress: &p, Attempts: []store.Attempt{attempt}, Disabled: change.Disabled, At: now,
	}
	if change.Warn > 0 || change.Disabled != "" {
		outcome.Told = []hook.Entry{hook.OfEndpoint("", rule, health, change, d.NewID(), now)}
	}
	if change.Disabled != "" {
		d.Log.Info("a rule for notices was switched off", "account", rule.Account, "subscription", rule.ID, "why", change.Disabled)
	}
	return outcome, rest
}

// collect reads what a digest tells, from behind a position to the first entry
// that was told at its time or after it.
func (d *Digests) collect(
	ctx context.Context, rule hook.Subscription, position int64, due time.Time,
) (entries []hook.Entry, scanned int64, more bool, err error) {
	accounts, err := d.Store.AccountsNow(ctx, []account.ID{rule.Account})
	if err != nil {
		return nil, position, false, err
	}
	own, there := accounts[rule.Account]
	if !there || own.Deleted() {
		return nil, position, false, nil
	}
	caller := auth.Caller{Account: own.ID, Kind: own.Kind}
	for {
		page, err := d.Store.Feed(ctx, caller, own, store.FeedQuery{After: position, Limit: digestPage, Types: hook.NoticeTypes})
		if err != nil {
			return nil, position, false, err
		}
		if err := d.missing(ctx, accounts, page.Entries); err != nil {
			return nil, position, false, err
		}
		for _, e := range page.Entries {
			if !e.ToldAt.Before(due) {
				return entries, max(position, e.Position-1), false, nil
			}
			if position = e.Position; rule.Wants(e) && rule.May(e, accounts[e.Account]) {
				entries = append(entries, e)
			}
			if len(entries) == d.most {
				return entries, position, true, nil
			}
		}
		if position = page.Next; !page.More {
			return entries, position, false, nil
		}
	}
}

// missing reads the accounts that entries are about and that are not at hand.
func (d *Digests) missing(ctx context.Context, known map[account.ID]account.Account, entries []hook.Entry) error {
	var ids []account.ID
	asked := map[account.ID]bool{}
	for _, e := range entries {
		if _, ok := known[e.Account]; !ok && !asked[e.Account] {
			asked[e.Account] = true
			ids = append(ids, e.Account)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := d.Store.AccountsNow(ctx, ids)
	for id, acc := range found {
		known[id] = acc
	}
	return err
}

var errCutOff = errors.New("the attempt was cut off")

// attempt sends one message.
func (d *Digests) attempt(
	ctx context.Context, rule hook.Subscription, entries []hook.Entry, number int64,
) (store.Attempt, hook.Result, error) {
	at, last := d.Now(), entries[len(entries)-1]
	secrets, err := d.Secrets(ctx, rule.Account, rule.ID, at)
	if err != nil {
		return store.Attempt{}, hook.Result{}, err
	}
	letter := Letter{Subscription: rule, Secrets: secrets, Delivery: hook.DeliveryID(rule.ID, last.ID), Entries: entries, At: at}
	result, answer := d.Senders[rule.Kind].Send(ctx, letter)
	if result.Status == 0 && ctx.Err() != nil {
		return store.Attempt{}, result, errCutOff
	}
	d.metrics.sent(result)
	kind := digestType
	if last.Type == hook.Ping {
		kind = hook.Ping
	}
	return store.Attempt{
		Account: rule.Account, Subscription: rule.ID, ID: d.NewID(), Delivery: letter.Delivery, Position: last.Position,
		Entry: last.ID, Type: kind, Target: rule.Target, Number: number, At: at, Took: result.Took,
		Status: int64(result.Status), Error: result.Err, Answer: answer,
	}, result, nil
}
