package dispatch

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/hook"
	"mooring/internal/store"
)

// reader takes letters, and answers as it is told to.
type reader struct {
	mu      sync.Mutex
	letters []Letter
	answer  hook.Result
}

func (r *reader) Send(_ context.Context, l Letter) (hook.Result, []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.letters = append(r.letters, l)
	return r.answer, nil
}

func (r *reader) answers(result hook.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = result
}

// took gives what came since it was asked last.
func (r *reader) took() []Letter {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.letters
	r.letters = nil
	return all
}

// asleep runs a test in a bubble whose engine does not run.
func asleep(t *testing.T, merchants int, test func(w *world)) {
	dir := filepath.Join(t.TempDir(), "data")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, store.Config{DataDir: dir}, merchants)
		defer w.close()
		test(w)
	})
}

// report tells that a merchant's connection came to a status.
func (w *world) report(merchant int, status connection.Status) string {
	w.t.Helper()
	e := hook.Entry{
		ID: newID(), Account: merchantID(merchant), Type: hook.ConnectionUpdate, Provider: "vipps", Status: string(status), At: now(), ToldAt: now(),
		Body: fmt.Appendf(nil, `{"connection":{"status":%q,"turn":"","before":{"status":"enabled","turn":""}},"connection_event":{"event":"x"}}`, status),
	}
	if err := w.store.Record(context.Background(), nil, []store.Outcome{{Account: platformID, Told: []hook.Entry{e}}}); err != nil {
		w.t.Fatal(err)
	}
	w.pass(time.Millisecond)
	return e.ID
}

// rule makes a rule of a partner with a digest at eight in Oslo.
func (w *world) rule(id account.ID, n hook.NoticeSettings) hook.Subscription {
	w.t.Helper()
	n.Digest = &hook.Digest{Hour: 8, Zone: "Europe/Oslo", Country: "NO"}
	sub := hook.Subscription{
		Account: id, ID: newID(), Kind: hook.KindSlack, Target: "https://hooks.slack.com/...", Active: true,
		CreatedAt: now(), Settings: hook.Settings{Notice: &n},
	}
	if _, err := w.store.AddSubscription(context.Background(), w.deed(id), store.Subscription{Subscription: sub}, "", shown); err != nil {
		w.t.Fatal(err)
	}
	return sub
}

// digests makes what a node tells digests with, to one reader.
func (w *world) digests() (*Digests, *reader) {
	r := &reader{answer: hook.Result{Status: 200}}
	deps := w.Deps
	deps.Senders = map[hook.Kind]Sender{hook.KindSlack: r}
	return NewDigests(deps), r
}

func (w *world) round(d *Digests) {
	w.t.Helper()
	if err := d.Round(context.Background()); err != nil {
		w.t.Error(err)
	}
}

func entryIDs(l Letter) (all []string) {
	for _, e := range l.Entries {
		all = append(all, e.ID)
	}
	return all
}

// untilNext lets time pass to an hour of the next business day, as Oslo has it.
func (w *world) untilNext(hour int) {
	zone, _ := time.LoadLocation("Europe/Oslo")
	here := time.Now().In(zone)
	next := time.Date(here.Year(), here.Month(), here.Day(), hour, 0, 0, 0, zone)
	for !next.After(here) || next.Weekday() == time.Saturday || next.Weekday() == time.Sunday {
		next = next.AddDate(0, 0, 1)
	}
	w.pass(next.Sub(here))
}

func TestADigestTellsOnceWhatCameTogether(t *testing.T) {
	asleep(t, 3, func(w *world) {
		d, r := w.digests()
		w.untilNext(9)
		rule := w.rule(partnerID, hook.NoticeSettings{When: []hook.Cause{hook.Declined}})
		var told []string
		for i := range 3 {
			told = append(told, w.report(i, connection.Declined))
			w.report(i, connection.Pending) // no cause that the rule names
		}
		w.round(d)
		if got := r.took(); len(got) != 0 {
			t.Fatalf("before its time it told %d letters", len(got))
		}
		w.untilNext(8)
		late := w.report(0, connection.Declined) // told at its time: in the next one
		w.round(d)
		w.round(d)
		got := r.took()
		if len(got) != 1 || !slices.Equal(entryIDs(got[0]), told) {
			t.Fatalf("it told %v, want one letter of %v", got, told)
		}
		if want := hook.DeliveryID(rule.ID, told[2]); got[0].Delivery != want {
			t.Errorf("the letter is %s, want %s", got[0].Delivery, want)
		}
		other, _ := w.digests() // a process that starts anew
		d.lease, other.Senders = store.Lease{}, d.Senders
		w.pass(2 * digestHeld)
		w.round(other)
		if got := r.took(); len(got) != 0 {
			t.Errorf("another process told it again: %v", got)
		}
		w.untilNext(8)
		w.round(other)
		if got := r.took(); len(got) != 1 || !slices.Equal(entryIDs(got[0]), []string{late}) {
			t.Errorf("the next day it told %v, want %s", got, late)
		}
		w.untilNext(8)
		w.round(other)
		if got := r.took(); len(got) != 0 {
			t.Errorf("a day without news was told: %v", got)
		}
	})
}

func TestADigestThatFailedIsTriedAgainAsItWas(t *testing.T) {
	asleep(t, 1, func(w *world) {
		d, r := w.digests()
		w.untilNext(9)
		rule := w.rule(partnerID, hook.NoticeSettings{When: []hook.Cause{hook.Declined}})
		w.report(0, connection.Declined)
		w.untilNext(8)
		r.answers(hook.Result{Status: 500})
		w.round(d)
		w.round(d) // too early
		first := r.took()
		if len(first) != 1 {
			t.Fatalf("%d attempts were made at once", len(first))
		}
		w.report(0, connection.Pending)
		w.report(0, connection.Declined) // of the next day
		w.pass(10 * time.Minute)
		r.answers(hook.Result{Status: 200})
		w.round(d)
		again := r.took()
		if len(again) != 1 || again[0].Delivery != first[0].Delivery || !slices.Equal(entryIDs(again[0]), entryIDs(first[0])) {
			t.Errorf("it was tried again as %v, want %v", again, first)
		}
		standing, err := w.store.Standing(context.Background(), rule.Account, rule.ID)
		if err != nil || standing.Progress.Failures != 0 || standing.Progress.SucceededAt.IsZero() {
			t.Errorf("it stands at %+v, %v", standing.Progress, err)
		}
	})
}

func TestADigestTellsNothingOfAMerchantThatWasLost(t *testing.T) {
	asleep(t, 2, func(w *world) {
		d, r := w.digests()
		w.untilNext(9)
		w.rule(partnerID, hook.NoticeSettings{When: []hook.Cause{hook.Declined}})
		w.report(0, connection.Declined)
		kept := w.report(1, connection.Declined)
		_, err := w.store.MoveAccount(context.Background(), w.deed(merchantID(0)), otherID, func(store.Kept) (store.Answer, error) {
			return store.Answer{Body: []byte("{}")}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w.untilNext(8)
		w.round(d)
		if got := r.took(); len(got) != 1 || !slices.Equal(entryIDs(got[0]), []string{kept}) {
			t.Errorf("it told %v, want %s alone", got, kept)
		}
	})
}

func TestOneNodeTellsDigests(t *testing.T) {
	asleep(t, 1, func(w *world) {
		d, r := w.digests()
		other, _ := w.digests()
		other.Senders = d.Senders
		w.untilNext(9)
		w.rule(partnerID, hook.NoticeSettings{When: []hook.Cause{hook.Declined}})
		w.report(0, connection.Declined)
		w.untilNext(8)
		w.round(d)
		w.round(other)
		if got := r.took(); len(got) != 1 {
			t.Errorf("it was told %d times", len(got))
		}
	})
}

func TestARuleWithADigestIsTriedAtOnce(t *testing.T) {
	asleep(t, 1, func(w *world) {
		d, r := w.digests()
		rule := w.rule(partnerID, hook.NoticeSettings{When: []hook.Cause{hook.Declined}})
		_, err := w.store.PingSubscription(context.Background(), w.deed(rule.Account), rule.ID, []hook.Kind{hook.KindSlack}, now(), newID(),
			func(s *store.Subscription) (store.Answer, error) { return shown(*s) })
		if err != nil {
			t.Fatal(err)
		}
		r.answers(hook.Result{Status: 500})
		w.round(d)
		w.round(d)
		if got := r.took(); len(got) != 1 || got[0].Entries[0].Type != hook.Ping {
			t.Errorf("it was tried as %v", got)
		}
	})
}

func TestAGreatDigestIsSeveralLetters(t *testing.T) {
	asleep(t, 4, func(w *world) {
		d, r := w.digests()
		d.most = 3
		w.untilNext(9)
		w.rule(partnerID, hook.NoticeSettings{When: []hook.Cause{hook.Declined}})
		var told []string
		for i := range 4 {
			told = append(told, w.report(i, connection.Declined))
		}
		w.untilNext(8)
		w.round(d)
		var got []string
		for _, l := range r.took() {
			got = append(got, fmt.Sprint(len(l.Entries)))
			told = told[len(l.Entries):]
		}
		if !slices.Equal(got, []string{"3", "1"}) || len(told) != 0 {
			t.Errorf("the letters had %v entries", got)
		}
	})
}
