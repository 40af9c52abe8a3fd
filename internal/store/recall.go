package store

import (
	"context"
	"hash/maphash"
	"sync"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
)

// recall remembers what was made of connections, for those who ask again. A
// text is forgotten before the transaction commits that may change it, and
// none is remembered until that is over: who was told of a write, or saw it by
// another way, never reads what was before it. It is for a database that one
// process has for itself; a nil recall remembers nothing.
type recall struct {
	seed   maphash.Seed
	shards [recallShards]recallShard
}

const (
	recallShards  = 64
	recallBytes   = 8 << 20            // of texts in all, with what it takes to remember them
	recallLongest = recallBytes / 1024 // of one text
	recallBeside  = 320                // bytes that a text takes beside itself, about: its spot, and the place of that
)

type recallShard struct {
	mu    sync.Mutex
	spots map[account.ID]*spot
	bytes int
	all   int // transactions that are about to commit, and may change any account
}

// spot is what is remembered of one account. It is in its shard as long as
// somebody needs it, or it has texts.
type spot struct {
	texts   []recalled // few: one of each who asks
	bytes   int
	readers int  // who may still add a text
	writers int  // transactions that are about to commit, and may change it
	gone    bool // it is not in its shard any more, and takes no text
}

// view is a connection of an account as somebody sees it.
type view struct {
	provider string
	covers   bool       // whether the caller speaks for the account
	asker    account.ID // who it is, if not
}

// recalled is a text, who made it and for whom.
type recalled struct {
	view  view
	maker any
	text  []byte
}

func (m recalled) weight() int { return cap(m.text) + recallBeside }

// of is where the text of a view is, or behind the last.
func (sp *spot) of(v view) int {
	for i := range sp.texts {
		if sp.texts[i].view == v {
			return i
		}
	}
	return len(sp.texts)
}

func newRecall() *recall {
	r := &recall{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].spots = map[account.ID]*spot{}
	}
	return r
}

func (r *recall) shard(id account.ID) *recallShard {
	return &r.shards[maphash.String(r.seed, string(id))%recallShards]
}

// find gives the text, or else the spot to give to keep, whatever comes of it;
// nil when no text may be kept now.
func (r *recall) find(id account.ID, v view, maker any) ([]byte, *spot) {
	if r == nil {
		return nil, nil
	}
	sh := r.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sp := sh.spots[id]
	if sp == nil {
		sp = &spot{}
		sh.spots[id] = sp
	}
	if sh.all > 0 || sp.writers > 0 {
		sh.tidy(id, sp)
		return nil, nil
	}
	if i := sp.of(v); i < len(sp.texts) && sp.texts[i].maker == maker {
		return sp.texts[i].text, nil
	}
	sp.readers++
	return nil, sp
}

// keep remembers a text, unless it is nil or was overtaken by a write.
func (r *recall) keep(id account.ID, sp *spot, m recalled) {
	if sp == nil {
		return
	}
	sh := r.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sp.readers--
	if !sp.gone && m.text != nil && len(m.text) <= recallLongest {
		more := m.weight()
		if i := sp.of(m.view); i < len(sp.texts) {
			more -= sp.texts[i].weight()
			sp.texts[i] = m
		} else {
			sp.texts = append(sp.texts, m)
		}
		sp.bytes += more
		sh.bytes += more
	}
	sh.tidy(id, sp)
	for other, sp := range sh.spots { // whichever comes first
		if sh.bytes <= recallBytes/recallShards {
			break
		}
		sh.forget(other, sp)
	}
}

// tidy lets go of a spot that nobody needs.
func (sh *recallShard) tidy(id account.ID, sp *spot) {
	if !sp.gone && sp.readers == 0 && sp.writers == 0 && sp.texts == nil {
		sp.gone = true
		delete(sh.spots, id)
	}
}

// forget drops the texts of a spot, and those that are being made. While it may
// change it has none.
func (sh *recallShard) forget(id account.ID, sp *spot) {
	if sp.writers == 0 {
		sh.bytes -= sp.bytes
		sp.gone = true
		delete(sh.spots, id)
	}
}

// changing forgets what a transaction may change that is about to commit: some
// accounts, or any when about is nil. What it returns is called when that is
// over, whatever came of it.
func (r *recall) changing(about []account.ID) (over func()) {
	if r == nil {
		return func() {}
	}
	if about == nil {
		r.count(1)
		return func() { r.count(-1) }
	}
	for _, id := range about {
		sh := r.shard(id)
		sh.mu.Lock()
		if sp := sh.spots[id]; sp != nil {
			sh.forget(id, sp)
		}
		if sh.spots[id] == nil {
			sh.spots[id] = &spot{}
		}
		sh.spots[id].writers++
		sh.mu.Unlock()
	}
	return func() {
		for _, id := range about {
			sh := r.shard(id)
			sh.mu.Lock()
			sp := sh.spots[id]
			sp.writers--
			sh.tidy(id, sp)
			sh.mu.Unlock()
		}
	}
}

// count says of every account that a transaction may change it, or no longer.
func (r *recall) count(n int) {
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		sh.all += n
		for id, sp := range sh.spots {
			sh.forget(id, sp)
		}
		sh.mu.Unlock()
	}
}

// ConnectionText is what tell says of a whole connection, or what it said when
// it was asked before and nobody wrote to the account since; only what it lets
// keep is kept. maker tells those apart that say different things. The text must
// not be changed. It is Missing as Connection is.
func (s *Store) ConnectionText(
	ctx context.Context, caller auth.Caller, id account.ID, provider string,
	maker any, tell func(*connection.Connection) (text []byte, keep bool, err error),
) ([]byte, error) {
	v := view{provider: provider, covers: caller.Covers(id)}
	if !v.covers {
		v.asker = caller.Account
	}
	text, sp := s.recall.find(id, v, maker)
	if text != nil {
		return text, nil
	}
	kept := recalled{view: v, maker: maker}
	defer func() { s.recall.keep(id, sp, kept) }()
	c, err := s.Connection(ctx, caller, id, provider)
	if err != nil {
		return nil, err
	}
	text, keep, err := tell(c)
	if keep && err == nil {
		kept.text = text
	}
	return text, err
}
