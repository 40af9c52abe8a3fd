package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring/internal/store"
)

// rhythm is how often a node looks at what it shares with others.
type rhythm struct {
	look  time.Duration // for subscriptions that were written to elsewhere
	renew time.Duration // its leases
	lease time.Duration // how long they are: longer than it takes to notice that one was not renewed
}

var (
	shared = rhythm{look: time.Second, renew: 5 * time.Second, lease: 15 * time.Second}
	// A process that has its database to itself is told of what it writes, and
	// what one before it held is free.
	alone = rhythm{look: time.Minute, renew: 24 * time.Hour, lease: 100 * 365 * 24 * time.Hour}
)

const (
	shardPrefix = "dispatch/"
	nodePrefix  = "dispatch-node/"
	nodes       = 32 // that can share the work
)

func leaseName(shard int64) string { return fmt.Sprintf("%s%02d", shardPrefix, shard) }

// shards are the parts of all subscriptions that this node tells.
type shards struct {
	held    map[int64]store.Lease
	leaving map[int64]bool // to be let go when their endpoints are at rest
	until   time.Time      // no other can have one of them before
	empty   chan store.Lease
	given   map[string]int64 // fences of leases that were let go
}

func newShards() shards {
	return shards{held: map[int64]store.Lease{}, leaving: map[int64]bool{}, given: map[string]int64{}, empty: make(chan store.Lease, store.Shards)}
}

func (s *shards) has(shard int64) bool { _, ok := s.held[shard]; return ok }

// sure says whether nobody else can have the shards by now.
func (s *shards) sure(now time.Time) bool { return now.Before(s.until) }

// of are the leases that a batch is written under.
func (s *shards) of(batch []written) map[string]store.Lease {
	leases := map[string]store.Lease{}
	for i := range batch {
		shard := batch[i].ep.shard
		leases[leaseName(shard)] = s.held[shard]
	}
	return leases
}

// keeper takes and renews the leases of a node, beside the loop.
type keeper struct {
	d      *Dispatcher
	holder string
	node   []store.Lease // that there is this node; one at most
	shards []store.Lease
}

func (d *Dispatcher) keepLeases(ctx context.Context) {
	k := &keeper{d: d, holder: d.NewID()}
	defer func() { d.kept = k }()
	tick := time.NewTicker(d.rhythm.renew)
	defer tick.Stop()
	for {
		if err := k.round(ctx); err != nil && ctx.Err() == nil {
			d.Log.Warn("renewing the leases of hooks failed; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case l := <-d.shards.empty:
			k.release(ctx, l)
		}
	}
}

// round renews what is held, and takes or gives up to the node's fair share.
func (k *keeper) round(ctx context.Context) error {
	now := k.d.Now()
	until := now.Add(k.d.rhythm.lease)
	if len(k.node) == 0 {
		if err := k.join(ctx, now); err != nil {
			return err
		}
	}
	still, err := k.d.Store.RenewLeases(ctx, until, append(slices.Clone(k.node), k.shards...)...)
	if err != nil {
		return err
	}
	k.node, k.shards = nil, nil
	for _, l := range still {
		if strings.HasPrefix(l.Name, nodePrefix) {
			k.node = append(k.node, l)
		} else {
			k.shards = append(k.shards, l)
		}
	}
	share, err := k.share(ctx, now)
	if err != nil {
		return err
	}
	if missing := share - len(k.shards); missing > 0 {
		if err := k.take(ctx, now, missing); err != nil {
			return err
		}
	}
	held := slices.Clone(k.shards)
	k.d.inbox.call(func() { k.d.hold(held, until, share) })
	return nil
}

// join takes a place among the nodes.
func (k *keeper) join(ctx context.Context, now time.Time) error {
	all, err := k.d.Store.Leases(ctx, nodePrefix)
	if err != nil {
		return err
	}
	for i := range nodes {
		name := fmt.Sprintf("%s%02d", nodePrefix, i)
		if slices.ContainsFunc(all, func(l store.Lease) bool { return l.Name == name && k.others(l, now) }) {
			continue
		}
		if k.node, err = k.d.Store.TakeLeases(ctx, k.holder, now, now.Add(k.d.rhythm.lease), name); err != nil || len(k.node) > 0 {
			return err
		}
	}
	return nil
}

// others says whether a lease is another node's. One of this node's own may be
// one that it never heard it got: it is taken again.
func (k *keeper) others(l store.Lease, now time.Time) bool {
	return l.Until.After(now) && l.Holder != k.holder
}

// share is how many shards are this node's.
func (k *keeper) share(ctx context.Context, now time.Time) (int, error) {
	all, err := k.d.Store.Leases(ctx, nodePrefix)
	alive := 0
	for _, l := range all {
		if l.Until.After(now) {
			alive++
		}
	}
	return (store.Shards + max(1, alive) - 1) / max(1, alive), err
}

// take takes shards that nobody has.
func (k *keeper) take(ctx context.Context, now time.Time, n int) error {
	all, err := k.d.Store.Leases(ctx, shardPrefix)
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, l := range all {
		taken[l.Name] = k.others(l, now)
	}
	for _, l := range k.shards {
		taken[l.Name] = true
	}
	var free []string
	for shard := range int64(store.Shards) {
		if name := leaseName(shard); !taken[name] && len(free) < n {
			free = append(free, name)
		}
	}
	if len(free) == 0 {
		return nil
	}
	got, err := k.d.Store.TakeLeases(ctx, k.holder, now, now.Add(k.d.rhythm.lease), free...)
	k.shards = append(k.shards, got...)
	return err
}

// release lets a shard go that is at rest.
func (k *keeper) release(ctx context.Context, l store.Lease) {
	k.shards = slices.DeleteFunc(k.shards, func(held store.Lease) bool { return held.Name == l.Name })
	if err := k.d.Store.LetGo(ctx, l); err != nil {
		k.d.Log.Warn("letting go of a lease failed; it ends by itself", "error", err)
	}
}

// hold makes the leases those of the loop.
func (d *Dispatcher) hold(leases []store.Lease, until time.Time, share int) {
	now := map[int64]store.Lease{}
	for _, l := range leases {
		var shard int64
		if _, err := fmt.Sscanf(l.Name, shardPrefix+"%d", &shard); err == nil && d.shards.given[l.Name] != l.Fence {
			now[shard] = l
		}
	}
	before := d.shards.held
	d.shards.held, d.shards.until = now, until
	for shard, l := range before {
		if now[shard].Fence != l.Fence {
			d.lose(shard)
		}
	}
	for shard, l := range now {
		if before[shard].Fence != l.Fence {
			d.gain(shard, l)
		}
	}
	for shard := range now {
		if len(now)-len(d.shards.leaving) <= share {
			break
		}
		d.leave(shard)
	}
	d.save()
	d.metrics.shards.Set(float64(len(now)))
}

// lose drops what is in hand of a shard that another has by now.
func (d *Dispatcher) lose(shard int64) {
	delete(d.shards.leaving, shard)
	for _, ep := range d.endpoints {
		if ep.shard == shard {
			d.discard(ep)
		}
	}
}

// gain reads the subscriptions of a shard.
func (d *Dispatcher) gain(shard int64, l store.Lease) {
	d.read(func() {
		subs, err := d.Store.SubscriptionsOfShard(d.asking, shard)
		d.inbox.call(func() {
			switch {
			case d.shards.held[shard].Fence != l.Fence || d.stopping:
			case err != nil:
				d.Log.Warn("reading subscriptions failed; trying again", "error", err)
				d.later(func() { d.gain(shard, l) })
			default:
				for i := range subs {
					if d.tells(&subs[i]) {
						d.refresh(key{subs[i].Account, subs[i].ID})
					}
				}
			}
		})
	})
}

// leave gives a shard up, when what is on its way is done.
func (d *Dispatcher) leave(shard int64) {
	if d.shards.leaving[shard] {
		return
	}
	d.shards.leaving[shard] = true
	for _, ep := range d.endpoints {
		if ep.shard == shard {
			ep.reload = false
			d.retire(ep)
		}
	}
	d.left(shard)
}

// left lets go of a shard that is given up and at rest.
func (d *Dispatcher) left(shard int64) {
	if !d.shards.leaving[shard] {
		return
	}
	for _, ep := range d.endpoints {
		if ep.shard == shard {
			return
		}
	}
	l := d.shards.held[shard]
	delete(d.shards.leaving, shard)
	delete(d.shards.held, shard)
	d.shards.given[l.Name] = l.Fence
	d.shards.empty <- l
}

// farBehind is how far what is on disk of an endpoint may be behind where it
// is, when nothing else makes it be written.
const farBehind = 10_000

// save writes the progress of endpoints that nothing was for in a while.
func (d *Dispatcher) save() {
	for _, ep := range d.endpoints {
		if ep.position()-ep.saved > farBehind {
			ep.unsaved = true
			d.recorder.note(ep)
		}
	}
}

// letGo ends the leases of this node, so that others need not wait for it.
func (d *Dispatcher) letGo(ctx context.Context) error {
	if d.kept == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writePatience)
	defer cancel()
	if err := d.Store.LetGo(ctx, append(d.kept.node, d.kept.shards...)...); err != nil {
		d.Log.Warn("letting go of the leases of hooks failed; they end by themselves", "error", err)
	}
	return nil
}
