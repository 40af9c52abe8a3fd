package connection_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/provider"
)

// anyOf is a provider of many signups, one of which suffices.
var anyOf = &provider.Provider{
	Slug: "any", Title: "Any", Schema: 1,
	Signup: provider.Signup{Many: true, Key: []string{"case_id"}, UUIDs: []string{"case_id"}, Rule: provider.AnyEnabled},
}

func completes(signup, configuration string) connection.Message {
	return connection.Message{
		Signup: signup, Configuration: []byte(configuration), Final: true,
		Event: connection.NewEvent{Status: connection.Enabled, Name: "credentials_received"},
	}
}

func hear(t *testing.T, c *connection.Connection, p *provider.Provider, m connection.Message, d *desk) connection.Event {
	t.Helper()
	e, err := connection.Hear(c, p, m, d.act())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestACallbackCompletesItsSignup(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, single, `{"n":1}`, d)
	e := hear(t, c, single, completes(c.Signups[0].ID, `{"id":1}`), d.later(time.Hour))
	if c.Status != connection.Enabled || string(c.Configuration) != `{"id":1}` || c.ConfiguredSeq != e.Seq || e.Signup != 1 {
		t.Errorf("%+v, %+v", c, e)
	}
	if got := c.Signups[0].CallbackAt; !got.Equal(e.CreatedAt) {
		t.Errorf("called back at %v, event at %v", got, e.CreatedAt)
	}
}

func TestWhatNobodySignedUpForIsMissing(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, single, `{"n":1}`, d)
	if _, err := connection.Hear(c, single, completes(freshID(), `{}`), d.act()); codeOf(err) != fault.CodeNotFound || c.LastSeq != 1 {
		t.Errorf("%v, %d events", err, c.LastSeq)
	}
}

func TestOnlyTheNewestOfSingleSignupsIsHeard(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, single, `{"n":1}`, d)
	old := c.Signups[0].ID
	c = apply(t, c, single, `{"n":2}`, d)
	if _, err := connection.Hear(c, single, completes(old, `{}`), d.act()); codeOf(err) != fault.CodeSignupReplaced {
		t.Error(err)
	}
	if c.Status != connection.Pending || c.Configuration != nil || !c.Signups[0].CallbackAt.IsZero() {
		t.Errorf("%+v", c)
	}
}

func TestAnEnabledConnectionIsNotPointedElsewhereWithoutANewSignup(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, anyOf, `{"case_id":"a"}`, d)
	hear(t, c, anyOf, completes(c.Signups[0].ID, `{"id":1}`), d)
	_, err := connection.Hear(c, anyOf, completes(c.Signups[0].ID, `{"id":2}`), d.act())
	if codeOf(err) != fault.CodeConnectionEnabled || string(c.Configuration) != `{"id":1}` || c.LastSeq != 2 {
		t.Errorf("%v: %s after %d events", err, c.Configuration, c.LastSeq)
	}
	progress := connection.Message{Signup: c.Signups[0].ID, Event: connection.NewEvent{Status: connection.Enabled, Name: "payout_checked"}}
	hear(t, c, anyOf, progress, d) // says nothing of the configuration
	c = apply(t, c, anyOf, `{"case_id":"b"}`, d)
	hear(t, c, anyOf, completes(c.Signups[1].ID, `{"id":2}`), d)
	if string(c.Configuration) != `{"id":2}` {
		t.Errorf("a new signup's callback left %s", c.Configuration)
	}
}

func TestAReportOfBeforeTheCallbackThatComesLaterIsStale(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, single, `{"n":1}`, d)
	post(t, c, connection.NewEvent{Status: connection.Pending, Name: "x", OccurredAt: start.Add(20 * time.Hour)}, d)
	hear(t, c, single, completes(c.Signups[0].ID, `{"id":1}`), d.later(2*time.Hour))
	if c.Status != connection.Enabled {
		t.Error("a sender whose clock is ahead kept the callback from being applied")
	}
	c.Status = connection.Failed // so that it could be configured again
	late := completes(c.Signups[0].ID, `{"id":2}`)
	late.Event.OccurredAt = start.Add(time.Hour)
	if e := hear(t, c, single, late, d); !e.Stale || c.Status != connection.Failed || string(c.Configuration) != `{"id":1}` {
		t.Errorf("%+v: %s with %s", e, c.Status, c.Configuration)
	}
}

func TestAConnectionThatWasEnabledWithoutAConfigurationMayStillBeGivenOne(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, single, `{"n":1}`, d)
	empty := completes(c.Signups[0].ID, "")
	empty.Configuration = nil
	hear(t, c, single, empty, d)
	hear(t, c, single, completes(c.Signups[0].ID, `{"id":1}`), d)
	if c.Status != connection.Enabled || string(c.Configuration) != `{"id":1}` {
		t.Errorf("%s with %s", c.Status, c.Configuration)
	}
	if _, err := connection.Hear(c, single, completes(c.Signups[0].ID, `{"id":2}`), d.act()); codeOf(err) != fault.CodeConnectionEnabled {
		t.Error(err)
	}
}

func TestAConfigurationWithoutItsSecretsMayStillBeReplacedByOneThatHasThem(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, single, `{"n":1}`, d)
	hear(t, c, single, completes(c.Signups[0].ID, `{"name":"Acme"}`), d)
	bare := c.ConfiguredSeq
	for _, m := range []struct {
		secret bool
		bare   int64
		code   string
	}{
		{false, bare, fault.CodeConnectionEnabled}, // harmless as well
		{true, 0, fault.CodeConnectionEnabled},     // there is a secret
		{true, bare - 1, fault.CodeConnectionEnabled},
		{true, bare, ""},
		{true, bare, fault.CodeConnectionEnabled}, // that is not the one in force any more
	} {
		keys := completes(c.Signups[0].ID, `{"id":1}`)
		keys.Secret, keys.Bare = m.secret, m.bare
		_, err := connection.Hear(c, single, keys, d.act())
		if codeOf(err) != m.code {
			t.Errorf("%+v: %v, want %q", m, err, m.code)
		}
	}
	if string(c.Configuration) != `{"id":1}` {
		t.Errorf("in force is %s", c.Configuration)
	}
}

func TestASignupMayBeCompletedAgainOnceTheConnectionFailed(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, single, `{"n":1}`, d)
	hear(t, c, single, completes(c.Signups[0].ID, `{"id":1}`), d)
	post(t, c, connection.NewEvent{Status: connection.Failed, Name: "revoked"}, d)
	hear(t, c, single, completes(c.Signups[0].ID, `{"id":2}`), d)
	if c.Status != connection.Enabled || string(c.Configuration) != `{"id":2}` {
		t.Errorf("%s with %s", c.Status, c.Configuration)
	}
}

func TestEachSignupOfManyHasItsOwnStanding(t *testing.T) {
	for rule, want := range map[provider.Rule][]connection.Status{
		provider.LastEvent:  {connection.Pending, connection.Enabled, connection.Enabled, connection.Declined, connection.Failed},
		provider.AnyEnabled: {connection.Pending, connection.Enabled, connection.Enabled, connection.Enabled, connection.Failed},
	} {
		p := *anyOf
		p.Signup.Rule = rule
		d := &desk{now: start}
		var got []connection.Status
		c := apply(t, nil, &p, `{"case_id":"a"}`, d)
		got = append(got, c.Status)
		about := func(n int64, status connection.Status) {
			post(t, c, connection.NewEvent{Status: status, Name: "x", Signup: n, Rule: rule}, d)
			got = append(got, c.Status)
		}
		about(1, connection.Enabled)
		c = apply(t, c, &p, `{"case_id":"b"}`, d)
		got = append(got, c.Status)
		about(2, connection.Declined)
		if diff := cmp.Diff([]string{"enabled since 2", "declined since 4"}, standings(c)); diff != "" {
			t.Error(diff)
		}
		about(1, connection.Failed)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", rule, diff)
		}
		post(t, c, connection.NewEvent{Status: connection.Pending, Name: "all again"}, d)
		if diff := cmp.Diff([]string{"pending since 6", "pending since 6"}, standings(c)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnEventThatOnlyLooksLikeASignupMakesNone(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, anyOf, `{"case_id":"a"}`, d)
	post(t, c, connection.NewEvent{Status: connection.Enabled, Name: connection.SignupReceived}, d)
	c = apply(t, c, anyOf, `{"case_id":"b"}`, d)
	if diff := cmp.Diff([]string{"enabled since 2", "pending since 3"}, standings(c)); diff != "" {
		t.Error(diff)
	}
}

func standings(c *connection.Connection) []string {
	var all []string
	for _, s := range connection.Standings(c, true) {
		all = append(all, fmt.Sprintf("%s since %d", s.Status, s.Since))
	}
	return all
}

func TestErasureLeavesTheHistoryAndTakesThePerson(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, single, `{"n":1}`, d)
	hear(t, c, single, completes(c.Signups[0].ID, `{"id":1}`), d)
	id, before := c.Signups[0].ID, len(c.Events)
	if done, err := connection.Erase(c, single, id, d.later(time.Hour).act()); !done || err != nil {
		t.Fatal(done, err)
	}
	s, e := c.Signups[0], c.Events[before]
	if c.Status != connection.Enabled || e.Name != connection.SignupErased || e.Signup != 1 || !s.ErasedAt.Equal(e.CreatedAt) || s.Digest != nil {
		t.Errorf("%+v, %+v", s, e)
	}
	if done, err := connection.Erase(c, single, id, d.act()); done || err != nil || len(c.Events) != before+1 {
		t.Errorf("a second time: %v, %v, %d events", done, err, len(c.Events))
	}
	if _, err := connection.Erase(c, single, freshID(), d.act()); codeOf(err) != fault.CodeNotFound {
		t.Error(err)
	}
}

func TestAFullHistoryKeepsNobodyFromBeingErased(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, single, `{"n":1}`, d)
	c.LastSeq, c.History = connection.MaxEvents, connection.MaxHistory
	if done, err := connection.Erase(c, single, c.Signups[0].ID, d.act()); !done || err != nil || c.LastSeq != connection.MaxEvents+1 {
		t.Errorf("%v, %v, %d events", done, err, c.LastSeq)
	}
}

func TestSealedSignupsAreComparedByDigest(t *testing.T) {
	d := &desk{now: start}
	in := func(data, digest string) connection.Application {
		return connection.Application{ID: freshID(), Data: []byte(data), Digest: []byte(digest)}
	}
	c, err := connection.Apply(nil, merchant, single, in(`{"account":"***8903"}`, "one"), d.act())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		digest  string
		signups int
	}{{"one", 1}, {"two", 2}, {"two", 2}} {
		if c, err = connection.Apply(c, merchant, single, in(`{"account":"***8903"}`, step.digest), d.act()); err != nil || len(c.Signups) != step.signups {
			t.Errorf("%s: %d signups, %v", step.digest, len(c.Signups), err)
		}
	}
}

func TestAnEventHasAName(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, single, `{"n":1}`, d)
	if changed, err := connection.ApplyReport(c, many, provider.Report{Status: "enabled"}, d.act()); changed || err == nil || c.LastSeq != 1 {
		t.Errorf("%v, %v, %d events", changed, err, c.LastSeq)
	}
}
