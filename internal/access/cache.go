package access

import (
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"mooring/internal/auth"
)

// perGeneration bounds what the cache remembers: two generations of so many
// tokens, of about a kilobyte each and never more than auth.MaxToken.
const perGeneration = 4096

// cache remembers callers by their whole token. It knows good tokens only.
//
// Two generations bound it: entries are added to the young one; when that is
// full it becomes the old one, and what the old one held is forgotten. An entry
// found in the old one moves to the young one.
type cache struct {
	seed maphash.Seed // a sender can't choose tokens that collide

	mu         sync.RWMutex
	age        uint64 // of the cache's content: moves when it is cleared
	young, old map[uint64]*remembered
}

type remembered struct {
	token     string
	caller    auth.Caller
	expiresAt time.Time
}

func newCache() *cache {
	c := &cache{seed: maphash.MakeSeed()}
	c.clear()
	return c
}

// keyed is how much of the end of a token makes its key: of a signature, which
// no two good tokens share. What comes with another's is compared whole.
const keyed = 32

func (c *cache) key(token string) uint64 {
	return maphash.String(c.seed, token[max(0, len(token)-keyed):])
}

// get finds the caller of a token that was good, and is not past its exp.
func (c *cache) get(token string, now time.Time) (auth.Caller, bool) {
	key := c.key(token)
	c.mu.RLock()
	r, aged := c.young[key], false
	if r == nil {
		r, aged = c.old[key], true
	}
	c.mu.RUnlock()
	if r == nil || r.token != token || !now.Before(r.expiresAt) {
		return auth.Caller{}, false
	}
	if aged {
		c.rejuvenate(key, r)
	}
	return r.caller, true
}

// now is the age to hand to put. It must be read before the state that the
// caller was checked against.
func (c *cache) now() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.age
}

// put remembers a caller, unless the cache was cleared since age was read: the
// caller may then rest on state that has changed.
func (c *cache) put(age uint64, token string, caller auth.Caller, expiresAt time.Time) {
	// The token is part of a larger buffer of the request; a copy is not.
	r := &remembered{strings.Clone(token), caller, expiresAt}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.age == age {
		c.add(c.key(token), r)
	}
}

func (c *cache) rejuvenate(key uint64, r *remembered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.old[key] == r {
		delete(c.old, key)
		c.add(key, r)
	}
}

func (c *cache) add(key uint64, r *remembered) {
	if len(c.young) >= perGeneration {
		c.old, c.young = c.young, make(map[uint64]*remembered)
	}
	c.young[key] = r
}

// clear forgets everything.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.age++
	c.young, c.old = make(map[uint64]*remembered), nil
}
