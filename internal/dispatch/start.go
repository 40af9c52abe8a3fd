package dispatch

import (
	"context"

	"mooring/internal/account"
	"mooring/internal/hook"
	"mooring/internal/store"
)

// launch hands what was picked to a goroutine that looks whether it may still
// be sent, and sends it.
func (d *Dispatcher) launch() {
	if d.starting || len(d.toStart) == 0 {
		return
	}
	batch := d.toStart
	d.toStart, d.starting = nil, true
	d.working.Go(func() {
		d.start(d.asking, batch)
		d.inbox.call(func() { d.starting = false })
	})
}

// start sends what may be sent, as accounts stand now (S05), and with what may
// be told of them now.
func (d *Dispatcher) start(ctx context.Context, batch []*work) {
	err := d.checked.look(ctx, d.Store)
	if err == nil {
		d.checked.forget(batch)
		err = d.complete(ctx, batch)
	}
	var now map[account.ID]account.Account
	if err == nil {
		now, err = d.checked.of(ctx, d.Store, batch)
	}
	if err != nil && ctx.Err() == nil {
		d.Log.Warn("looking at what is to be told failed", "error", err)
	}
	for _, w := range batch {
		switch {
		case err != nil:
			d.inbox.land(landing{work: w, verdict: undone, finished: d.Now()})
		case !may(w, now):
			d.inbox.land(landing{work: w, verdict: refused, finished: d.Now()})
		default:
			d.takeOff(w)
		}
	}
}

// takeOff has a goroutine make an attempt: one that has made another, whose
// stack has grown already, or a new one.
func (d *Dispatcher) takeOff(w *work) {
	select {
	case d.rested <- w:
	default:
		go func() {
			for next := w; next != nil; {
				d.fly(next)
				select {
				case next = <-d.rested:
				case <-d.sending.Done():
					next = nil
				}
			}
		}()
	}
}

// may says whether a message may be sent with accounts as they are now.
func may(w *work, now map[account.ID]account.Account) bool {
	own, there := now[w.sub.Account]
	if !there || own.Deleted() || w.entry == nil {
		return false
	}
	if w.position == 0 {
		return w.sub.Told()
	}
	about, there := now[w.entry.Account]
	return there && w.sub.May(*w.entry, about)
}

// complete reads the entries that are not in hand.
func (d *Dispatcher) complete(ctx context.Context, batch []*work) error {
	var missing []int64
	for _, w := range batch {
		switch {
		case w.entry != nil:
		case w.position != 0:
			missing = append(missing, w.position)
		default:
			e, err := hook.PingEntry(*w.sub, w.row.Entry, d.Now())
			if err != nil {
				return err
			}
			w.entry = &e
		}
	}
	if len(missing) == 0 {
		return nil
	}
	entries, err := d.Store.EntriesAt(ctx, missing)
	if err != nil {
		return err
	}
	for _, w := range batch {
		if e, ok := entries[w.position]; w.entry == nil && ok {
			w.entry, w.asOf = &e, d.checked.epoch
		}
	}
	return nil
}

// fly makes one attempt.
func (d *Dispatcher) fly(w *work) {
	at := d.Now()
	letter := Letter{
		Subscription: *w.sub, Secrets: w.secrets.At(at), Delivery: hook.DeliveryID(w.sub.ID, w.entry.ID),
		Entries: []hook.Entry{*w.entry}, At: at,
	}
	result, answer := d.Senders[w.sub.Kind].Send(d.sending, letter)
	if result.Status == 0 && d.sending.Err() != nil {
		d.inbox.land(landing{work: w, verdict: undone, finished: d.Now()})
		return
	}
	d.inbox.land(landing{
		work: w, result: result, verdict: sent, finished: d.Now(),
		attempt: store.Attempt{
			Account: w.sub.Account, Subscription: w.sub.ID, ID: d.NewID(), Delivery: letter.Delivery, Position: w.position,
			Entry: w.entry.ID, Type: w.entry.Type, Target: w.sub.Target, Number: w.number, At: at, Took: result.Took,
			Status: int64(result.Status), Error: result.Err, Answer: answer,
		},
	})
}

// accounts are some accounts as they are, for as long as none changes.
type accounts struct {
	epoch int64
	known map[account.ID]account.Account
	stale int64 // entries up to it may have been read before the epoch moved
}

const knownAccounts = 20_000

// look finds out whether the epoch moved: then nothing that is known counts,
// and an entry that is in hand may have been erased.
func (a *accounts) look(ctx context.Context, s *store.Store) error {
	epoch, err := s.RecentEpoch(ctx)
	if err != nil || epoch == a.epoch {
		return err
	}
	if a.known != nil {
		if a.stale, err = s.FeedEnd(ctx); err != nil {
			return err
		}
	}
	a.epoch, a.known = epoch, map[account.ID]account.Account{}
	return nil
}

// forget has the entries that may have been erased be read again.
func (a *accounts) forget(batch []*work) {
	for _, w := range batch {
		if w.position != 0 && w.position <= a.stale && w.asOf != a.epoch {
			w.entry = nil
		}
	}
}

// of are the accounts that a batch is about or for, as they are at a moment
// after the batch was picked.
func (a *accounts) of(ctx context.Context, s *store.Store, batch []*work) (map[account.ID]account.Account, error) {
	if len(a.known) > knownAccounts {
		clear(a.known)
	}
	var missing []account.ID
	asked := map[account.ID]bool{}
	want := func(id account.ID) {
		if _, ok := a.known[id]; !ok && !asked[id] {
			asked[id] = true
			missing = append(missing, id)
		}
	}
	for _, w := range batch {
		want(w.sub.Account)
		if w.entry != nil {
			want(w.entry.Account)
		}
	}
	if len(missing) == 0 {
		return a.known, nil
	}
	found, err := s.AccountsNow(ctx, missing)
	for id, acc := range found {
		a.known[id] = acc
	}
	return a.known, err
}
