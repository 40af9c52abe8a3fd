package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

// ground is what the changes of a batch stand on: what was loaded, and what
// earlier changes of the batch decided.
type ground struct {
	log      *slog.Logger
	accounts map[account.ID]account.Account
	clients  map[actor]bool
	signups  map[reference]bool // of callback tokens
	lines    map[place]*line
	answers  map[scope]kept
	fresh    []scope // keys of the answers that this batch gave, in order
	inbox    inbox
	effects  effects
	now      time.Time
}

// actor is a client acting for an account.
type actor struct {
	client  string
	through account.ID // whose grant lets it act
	account account.ID // that its token is for
	token   string
}

// actorOf is the client behind a caller.
func actorOf(c auth.Caller) actor { return actor{c.Client, through(c), c.Account, c.Token} }

func (a actor) key() []string {
	return []string{a.client, string(a.through), string(a.account), a.token}
}

func newGround(log *slog.Logger, now time.Time) *ground {
	return &ground{
		log:      log,
		accounts: map[account.ID]account.Account{},
		clients:  map[actor]bool{},
		signups:  map[reference]bool{},
		lines:    map[place]*line{},
		answers:  map[scope]kept{},
		inbox:    inbox{map[callID]*call{}, map[said]bool{}},
		now:      now,
	}
}

func (g *ground) line(p place) *line {
	l := g.lines[p]
	if l == nil {
		l = &line{place: p, external: map[string]connection.Event{}}
		g.lines[p] = l
	}
	return l
}

func (g *ground) scanConnection(r row) error {
	c, err := scanConnection(r)
	if err == nil {
		l := g.line(place{c.Account, c.Provider})
		l.stored, l.head = c, c
	}
	return err
}

func (g *ground) scanSignup(r row) error {
	var p place
	s, err := scanSignup(r, &p.account, &p.provider)
	if l := g.line(p); l.stored != nil {
		l.signups = append(l.signups, s)
		l.oldSignups++
	}
	return err
}

func (g *ground) scanEvent(r row) error {
	var p place
	e, err := scanEvent(r, &p.account, &p.provider)
	if l := g.line(p); l.stored != nil {
		l.events = append(l.events, e)
		l.oldEvents++
	}
	return err
}

func (g *ground) scanDuplicate(r row) error {
	var p place
	e, err := scanEvent(r, &p.account, &p.provider)
	if l := g.line(p); l.stored != nil {
		l.external[e.ExternalID] = e
	}
	return err
}

func (g *ground) scanAccount(r row) error {
	a, err := scanAccount(r)
	g.accounts[a.ID] = a
	return err
}

func (g *ground) scanClient(r row) error {
	var a actor
	err := r.Scan(&a.client, &a.through, &a.account, &a.token)
	g.clients[a] = true
	return err
}

func (g *ground) scanReference(r row) error {
	var at reference
	err := r.Scan(&at.account, &at.provider, &at.id)
	g.signups[at] = true
	return err
}

func (g *ground) scanAnswer(r row) error {
	k, a, err := scanAnswer(r)
	g.answers[k] = a
	return err
}

// decide lets one change decide on what the earlier ones left, and takes its
// decision in. An error leaves everything as it was.
func (g *ground) decide(j *job) (Answer, error) {
	c := j.change
	acc, err := g.authorise(c)
	if err != nil {
		return Answer{}, err
	}
	if c.Key != nil {
		if a, ok := g.answers[j.scope()]; ok {
			return replay(a, c.Key.Fingerprint)
		}
	}
	l := g.line(place{c.Account, c.Provider})
	f := l.found(acc, c)
	call, replayed, err := g.inbox.find(c)
	if err != nil {
		return Answer{}, err
	}
	f.Replayed = replayed
	d, err := g.run(c.Decide, f)
	if err != nil {
		return Answer{}, err
	}
	if c.Audit != nil && d.Audit == nil && d.Connection != nil {
		d.Audit = []AuditRecord{c.Audit.of(acc, c.Provider)}
	}
	if err := checkEffects(c, l, d); err != nil {
		return Answer{}, err
	}
	if err := l.take(c, acc, d.Connection, g.now); err != nil {
		return Answer{}, err
	}
	g.effects.add(l.place, d)
	if call != nil {
		g.inbox.judge(call, *d.Verdict, g.now)
	}
	if c.Key != nil {
		g.answers[j.scope()] = kept{fingerprint: c.Key.Fingerprint, answer: d.Answer, about: c.Account}
		g.fresh = append(g.fresh, j.scope())
	}
	return d.Answer, nil
}

// authorise re-checks, inside the transaction, what the gate checked before
// it: nobody acts on a right that was taken away meanwhile.
func (g *ground) authorise(c Change) (account.Account, error) {
	acc, ok := g.accounts[c.Account]
	switch {
	case c.System && c.Key != nil:
		return account.Account{}, errors.New("a change of the service itself has a key")
	case c.System:
	case c.Caller.Callback != nil:
		ok = ok && g.mayCallBack(c)
	case !g.clients[actorOf(c.Caller)]:
		return account.Account{}, fault.Denied(errMayNot)
	default:
		ok = ok && mayWrite(c, acc)
	}
	if !ok || acc.Deleted() && !c.Closed {
		return account.Account{}, fault.Missing()
	}
	return acc, nil
}

// mayCallBack says whether a callback token speaks of a signup of the very
// connection.
func (g *ground) mayCallBack(c Change) bool {
	return c.Owner == "" && c.Caller.Account == c.Account && c.Caller.Callback.Provider == c.Provider &&
		g.signups[reference{place{c.Account, c.Provider}, c.Caller.Callback.Reference}]
}

// mayWrite says whether the first account of the path is the caller's to name,
// and the account itself that one's to write.
func mayWrite(c Change, acc account.Account) bool {
	if by := c.Caller.Partner(); by != "" && (acc.Owner != by || c.Caller.IssuedAt.Before(acc.OwnedSince)) {
		return false // it was moved to another owner since, if only for a while
	}
	if c.Caller.Provider != "" && c.Caller.Provider != c.Provider {
		return false
	}
	if c.Owner == "" {
		return c.Caller.Covers(acc.ID)
	}
	platform := c.Owner.IsPlatform() && c.Owner.World() == acc.ID.World()
	return c.Caller.Covers(c.Owner) && (acc.Owner == c.Owner || platform)
}

// replay gives a kept answer again, if the request is the same.
func replay(a kept, fingerprint []byte) (Answer, error) {
	if !bytes.Equal(a.fingerprint, fingerprint) {
		return Answer{}, keyReused()
	}
	return Answer{Header: maps.Clone(a.answer.Header), Body: slices.Clone(a.answer.Body), Replayed: true}, nil
}

// run calls a decision and turns its panic into an error of this change alone.
func (g *ground) run(decide func(Found) (Decision, error), f Found) (d Decision, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a decision panicked with a %T", p)
			// The text of a runtime error holds no data of a request; any other may.
			if known, ok := p.(runtime.Error); ok {
				err = fmt.Errorf("a decision panicked: %w", known)
			}
			g.log.Error("a decision panicked", "cause", err, "stack", string(debug.Stack()))
		}
	}()
	return decide(f)
}
