package dispatch

import (
	"context"
	"maps"
	"slices"

	"mooring/internal/account"
	"mooring/internal/hook"
	"mooring/internal/store"
)

// launch sends what may be sent, as accounts stand now (S05), and with what may
// be told of them now. What is not known for that is looked up beside the loop,
// and what is known does not wait for it.
func (d *Dispatcher) launch() {
	if epoch, fresh := d.Store.EpochSeen(); fresh && epoch == d.checked.epoch {
		d.toStart = slices.DeleteFunc(d.toStart, func(w *work) bool {
			knows := d.checked.knows(w)
			if knows {
				d.depart(w)
			}
			return knows
		})
	}
	if d.looking || len(d.toStart)+len(d.wanted) == 0 {
		return
	}
	batch, wanted := d.toStart, d.wanted
	d.toStart, d.wanted, d.looking = nil, map[account.ID]bool{}, true
	d.working.Go(func() {
		now, found, err := d.find(d.asking, batch, wanted)
		d.inbox.call(func() {
			d.looking = false
			d.looked(batch, now, found, err)
		})
	})
}

// find looks up what a batch is to be judged by, and some accounts more: which
// of those that are known still count, and those that are not known.
func (d *Dispatcher) find(ctx context.Context, batch []*work, wanted map[account.ID]bool) (accounts, map[account.ID]account.Account, error) {
	now, err := d.checked.asOf(ctx, d.Store)
	if err != nil {
		return now, nil, err
	}
	now.forget(batch)
	if err := d.complete(ctx, batch, now.epoch); err != nil {
		return now, nil, err
	}
	found, err := now.others(ctx, d.Store, batch, wanted)
	return now, found, err
}

// looked sends a batch by what was found.
func (d *Dispatcher) looked(batch []*work, now accounts, found map[account.ID]account.Account, err error) {
	if err == nil {
		d.checked = now
		maps.Copy(now.known, found)
	} else if d.asking.Err() == nil {
		d.Log.Warn("looking at what is to be told failed", "error", err)
	}
	for _, w := range batch {
		if err != nil {
			d.inbox.land(landing{work: w, verdict: undone, finished: d.Now()})
			continue
		}
		d.depart(w)
	}
}

// depart sends a message whose accounts are known, if it may be sent.
func (d *Dispatcher) depart(w *work) {
	if !may(w, d.checked.known) {
		d.inbox.land(landing{work: w, verdict: refused, finished: d.Now()})
		return
	}
	d.takeOff(w)
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
	own := now[w.sub.Account]
	if own.ID == "" || own.Deleted() || w.entry == nil {
		return false
	}
	if w.position == 0 {
		return w.sub.Told()
	}
	about := now[w.entry.Account]
	return about.ID != "" && w.sub.May(*w.entry, about)
}

// complete reads the entries that are not in hand.
func (d *Dispatcher) complete(ctx context.Context, batch []*work, epoch int64) error {
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
			w.entry, w.asOf = &e, epoch
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

// accounts are some accounts as they are, for as long as none changes. They
// belong to the loop, which leaves them as they are while somebody looks.
type accounts struct {
	epoch int64
	known map[account.ID]account.Account // zero when there is none of that id
	stale int64                          // entries up to it may have been read before the epoch moved
}

const (
	knownAccounts  = 20_000
	wantedAccounts = 1_024 // that are looked up before anything about them is sent
)

// asOf are the accounts of those that count by now: none when the epoch moved,
// and an entry that is in hand may have been erased then.
func (a accounts) asOf(ctx context.Context, s *store.Store) (accounts, error) {
	epoch, err := s.RecentEpoch(ctx)
	switch {
	case err != nil:
		return a, err
	case a.known == nil:
		a.epoch, a.known = epoch, map[account.ID]account.Account{}
	case epoch != a.epoch:
		a.epoch, a.known = epoch, map[account.ID]account.Account{}
		a.stale, err = s.FeedEnd(ctx)
	case len(a.known) > knownAccounts:
		a.known = map[account.ID]account.Account{}
	}
	return a, err
}

// forget has the entries that may have been erased be read again.
func (a accounts) forget(batch []*work) {
	for _, w := range batch {
		if a.old(w) {
			w.entry = nil
		}
	}
}

func (a accounts) old(w *work) bool {
	return w.position != 0 && w.position <= a.stale && w.asOf != a.epoch
}

// knows says whether a message can be judged.
func (a accounts) knows(w *work) bool {
	if w.entry == nil || a.old(w) {
		return false
	}
	_, own := a.known[w.sub.Account]
	if w.position == 0 {
		return own
	}
	_, about := a.known[w.entry.Account]
	return own && about
}

// others are the accounts that a batch is about or for, and those wanted,
// that are not known, at a moment after the batch was picked.
func (a accounts) others(
	ctx context.Context, s *store.Store, batch []*work, wanted map[account.ID]bool,
) (map[account.ID]account.Account, error) {
	for _, w := range batch {
		wanted[w.sub.Account] = true
		if w.entry != nil {
			wanted[w.entry.Account] = true
		}
	}
	maps.DeleteFunc(wanted, func(id account.ID, _ bool) bool { _, known := a.known[id]; return known })
	if len(wanted) == 0 {
		return nil, nil
	}
	found, err := s.AccountsNow(ctx, slices.Collect(maps.Keys(wanted)))
	for id := range wanted {
		if _, there := found[id]; !there && err == nil {
			found[id] = account.Account{}
		}
	}
	return found, err
}

// want has an account looked up before anything about it is sent.
func (d *Dispatcher) want(id account.ID) {
	if _, known := d.checked.known[id]; !known && len(d.wanted) < wantedAccounts {
		d.wanted[id] = true
	}
}
