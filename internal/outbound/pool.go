package outbound

import (
	"slices"
	"sync"
	"time"
)

// How many lines stay open for the next exchange, and for how long. The life is
// short because the guard decides when a line is made: a name that leads
// somewhere else since then is asked again after it.
const (
	keptPerHost = 64
	keptInAll   = 1024
	keptFor     = 30 * time.Second
	lineLife    = time.Minute
)

// way is what the exchanges of one line have in common.
type way struct {
	address    string // host and port
	plain      bool
	unverified bool
}

// pool has the lines that nobody uses.
type pool struct {
	mu     sync.Mutex
	lines  map[way][]*line // the one used last at the end
	count  int
	sweep  *time.Timer // closes what is idle for long; nil when nothing is
	closed bool
}

// take gives a line that may be used, the one used last first, or nil. It has until the time given.
func (p *pool) take(w way, now, until time.Time) *line {
	for {
		l := p.pop(w)
		if l == nil {
			return nil
		}
		if !l.old(now) && l.conn.SetDeadline(until) == nil && l.quiet() {
			return l
		}
		l.conn.Close()
	}
}

func (p *pool) pop(w way) *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := p.lines[w]
	if len(lines) == 0 {
		return nil
	}
	last := len(lines) - 1
	l := lines[last]
	lines[last] = nil
	p.lines[w] = lines[:last]
	p.count--
	return l
}

func (l *line) old(now time.Time) bool {
	return now.After(l.until) || now.Sub(l.idle) > keptFor
}

// put keeps a line, unless there are enough.
func (p *pool) put(l *line, now time.Time) {
	l.idle, l.kept = now, true
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.count >= keptInAll || len(p.lines[l.way]) >= keptPerHost || now.After(l.until) {
		l.conn.Close()
		return
	}
	p.lines[l.way] = append(p.lines[l.way], l)
	p.count++
	if p.sweep == nil {
		p.sweep = time.AfterFunc(keptFor, p.tidy)
	}
}

// tidy closes the lines whose time is over, those of hosts that are never
// talked to again too.
func (p *pool) tidy() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for w, lines := range p.lines {
		left := slices.DeleteFunc(lines, func(l *line) bool {
			if l.old(now) {
				l.conn.Close()
				p.count--
				return true
			}
			return false
		})
		if p.lines[w] = left; len(left) == 0 {
			delete(p.lines, w)
		}
	}
	if p.sweep = nil; p.count > 0 {
		p.sweep = time.AfterFunc(keptFor, p.tidy)
	}
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.sweep != nil {
		p.sweep.Stop()
	}
	for _, lines := range p.lines {
		for _, l := range lines {
			l.conn.Close()
		}
	}
	p.lines, p.count = map[way][]*line{}, 0
}
