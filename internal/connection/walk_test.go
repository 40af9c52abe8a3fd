package connection_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring/internal/connection"
	"mooring/internal/provider"
)

// TestALifeOfAConnection walks at random through everything that can happen to
// a connection and compares it with the plainest model: a list of statuses.
func TestALifeOfAConnection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := *rapid.SampledFrom([]*provider.Provider{many, single, anyOf}).Draw(t, "provider")
		p.Events = walked
		d := &desk{now: start}
		c, err := connection.Apply(nil, merchant, &p, application(&p, `{"case_id":"0"}`), d.act())
		if err != nil {
			t.Fatal(err)
		}
		w := &walk{provider: &p, desk: d, c: c, status: connection.Pending, cases: map[string]bool{"0": true}, stands: []connection.Status{connection.Pending}}
		t.Repeat(map[string]func(*rapid.T){
			"event":   w.event,
			"signup":  w.signup,
			"restart": w.restart,
			"report":  w.report,
			"hear":    w.hear,
			"erase":   w.erase,
			"remind":  w.remind,
			"look":    w.look,
			"forget":  w.forget,
			"":        w.check,
		})
	})
}

// walk is a connection beside what the model expects of it.
type walk struct {
	provider *provider.Provider
	desk     *desk
	c        *connection.Connection
	history  []connection.Event // as last seen, to prove that it only grows
	status   connection.Status
	mark     time.Time
	cases    map[string]bool
	stands   []connection.Status // of each signup
}

// all is what the model makes of an event about the whole connection.
func (w *walk) all(status connection.Status) {
	w.status = status
	for i := range w.stands {
		if w.provider.Signup.Many || i == len(w.stands)-1 {
			w.stands[i] = status
		}
	}
}

func (w *walk) act(t *rapid.T) connection.Act {
	w.desk.later(time.Duration(rapid.IntRange(-5, 60).Draw(t, "seconds")) * time.Second)
	return w.desk.act()
}

func (w *walk) event(t *rapid.T) {
	in := connection.NewEvent{
		Name:   rapid.SampledFrom([]string{"e", "called", "documents", connection.SignupReceived}).Draw(t, "name"),
		Code:   rapid.SampledFrom([]string{"", "", "manual_review", "documents_required", "rejected_by_provider"}).Draw(t, "code"),
		Status: rapid.SampledFrom(connection.Statuses).Draw(t, "status"),
	}
	if rapid.Bool().Draw(t, "says when") {
		in.OccurredAt = start.Add(time.Duration(rapid.IntRange(-50, 50).Draw(t, "minutes")) * time.Minute)
	}
	if _, err := connection.Append(w.c, w.provider, in, w.act(t)); err != nil {
		t.Fatal(err)
	}
	if in.OccurredAt.IsZero() {
		w.all(in.Status)
	} else if !in.OccurredAt.Before(w.mark) {
		w.all(in.Status)
		w.mark = in.OccurredAt
	}
}

func (w *walk) signup(t *rapid.T) {
	id := rapid.SampledFrom([]string{"0", "1", "2", "3"}).Draw(t, "case")
	known := w.cases[id]
	if !w.provider.Signup.Many {
		last := w.c.Signups[len(w.c.Signups)-1]
		known = last.ErasedAt.IsZero() && string(last.Data) == `{"case_id":"`+id+`"}`
	}
	before := w.c.LastSeq
	next, err := connection.Apply(w.c, merchant, w.provider, application(w.provider, `{"case_id":"`+id+`"}`), w.act(t))
	switch {
	case known:
		if err != nil || next.LastSeq != before {
			t.Fatalf("a repeated signup: %v, %d events after %d", err, next.LastSeq, before)
		}
	case w.status == connection.Enabled && !w.provider.Signup.Many:
		if err == nil || w.c.LastSeq != before {
			t.Fatal("an enabled connection took a different signup")
		}
	case err != nil:
		t.Fatal(err)
	default:
		w.cases[id] = true
		w.stands = append(w.stands, connection.Pending)
		if w.status != connection.Enabled {
			w.status = connection.Pending
		}
	}
}

func (w *walk) restart(t *rapid.T) {
	if w.provider.Signup.Many {
		return
	}
	err := connection.Restart(w.c, w.provider, freshID(), "", w.act(t))
	if (err != nil) != (w.status == connection.Enabled) {
		t.Fatalf("restart while %s: %v", w.status, err)
	}
	if err == nil {
		w.status = connection.Pending
		w.stands = append(w.stands, connection.Pending)
	}
}

func (w *walk) report(t *rapid.T) {
	status := rapid.SampledFrom(connection.Statuses).Draw(t, "reported")
	changed, err := connection.ApplyReport(w.c, w.provider, provider.Report{Status: string(status), Event: "reported"}, w.act(t))
	if err != nil || changed != (status != w.status) {
		t.Fatalf("report of %s while %s: %v, %v", status, w.status, changed, err)
	}
	if changed {
		w.all(status)
	}
}

func (w *walk) hear(t *rapid.T) {
	n := rapid.IntRange(0, len(w.c.Signups)-1).Draw(t, "signup")
	m := connection.Message{
		Signup: w.c.Signups[n].ID, Final: rapid.Bool().Draw(t, "final"),
		Event: connection.NewEvent{Name: "heard", Status: rapid.SampledFrom(connection.Statuses).Draw(t, "status")},
	}
	refused := !w.provider.Signup.Many && n != len(w.c.Signups)-1 ||
		m.Final && w.status == connection.Enabled && !w.c.Signups[n].CallbackAt.IsZero()
	if _, err := connection.Hear(w.c, w.provider, m, w.act(t)); (err != nil) != refused {
		t.Fatalf("signup %d while %s: %v", n+1, w.status, err)
	}
	if refused {
		return
	}
	if m.Final && w.desk.now.After(w.mark) {
		w.mark = w.desk.now
	}
	w.stands[n], w.status = m.Event.Status, m.Event.Status
	if w.provider.Signup.Rule == provider.AnyEnabled && slices.Contains(w.stands, connection.Enabled) {
		w.status = connection.Enabled
	}
}

func (w *walk) erase(t *rapid.T) {
	n := rapid.IntRange(0, len(w.c.Signups)-1).Draw(t, "erased")
	known := w.c.Signups[n].ErasedAt.IsZero()
	if done, err := connection.Erase(w.c, w.provider, w.c.Signups[n].ID, w.act(t)); done != known || err != nil {
		t.Fatalf("erased: %v, %v", done, err)
	}
}

// walked is what the files of the walk know of events.
var walked = map[string]provider.Known{
	connection.SignupReceived: {Turn: "merchant", Wait: 48 * time.Hour, Reason: "signature_required"},
	"called":                  {Turn: "provider", Wait: time.Hour},
	"documents":               {Reason: "documents_required"},
	"heard":                   {Turn: "operator"},
}

// remind notes something, whatever the status.
func (w *walk) remind(t *rapid.T) {
	in := connection.NewEvent{Name: connection.CredentialExpiring, Status: w.c.Status, Code: "manual_review"}
	if _, err := connection.Append(w.c, nil, in, w.act(t)); err != nil {
		t.Fatal(err)
	}
}

// look lets somebody look after the connection, or put it off.
func (w *walk) look(t *rapid.T) {
	now := w.desk.now
	if err := w.c.Assign("anna"); (err == nil) != w.c.Open() {
		t.Fatalf("assigned while %s and %q must act: %v", w.c.Status, w.c.Stand.Turn, err)
	}
	if err := w.c.Snooze(now.Add(time.Hour), now); (err == nil) != w.c.Open() {
		t.Fatalf("snoozed while %s and %q must act: %v", w.c.Status, w.c.Stand.Turn, err)
	}
}

// forget makes the connection one that was written before there were stands.
func (w *walk) forget(t *rapid.T) {
	w.c.Stand = connection.Stand{}
	if !w.c.Place(w.provider) || w.c.Place(w.provider) {
		t.Fatal("a connection is placed when it stands nowhere, and once")
	}
}

// stand is where the connection must stand: where the history says.
func (w *walk) stand() connection.Stand {
	turn := connection.TurnOf(w.c, w.provider, time.Time{}) // when no link has ended
	stand := connection.Stand{Event: turn.Event, Since: turn.Since, Turn: turn.Who, Due: turn.Due, Code: turn.Code}
	if w.c.Open() {
		stand.Assignee, stand.SnoozedUntil = w.c.Stand.Assignee, w.c.Stand.SnoozedUntil
	}
	return stand
}

// check is what must hold after every step.
func (w *walk) check(t *rapid.T) {
	c := w.c
	if c.Status != w.status {
		t.Fatalf("status %s, the model says %s", c.Status, w.status)
	}
	if c.Stand != w.stand() {
		t.Fatalf("it stands at %+v, the history says %+v", c.Stand, w.stand())
	}
	for _, now := range []time.Time{w.desk.now, w.desk.now.Add(2 * connection.SignupLife)} {
		want := connection.TurnOf(c, w.provider, now)
		want.ProviderCode = ""
		if got := connection.TurnAt(c.Status, c.Stand, w.provider, c.Signups[len(c.Signups)-1].ExpiresAt, now); got != want {
			t.Fatalf("the turn is %+v, the history says %+v", got, want)
		}
	}
	if len(c.Events) < len(w.history) || !slices.EqualFunc(w.history, c.Events[:len(w.history)], sameEvent) {
		t.Fatal("the history was rewritten")
	}
	w.history = slices.Clone(c.Events)
	for i, s := range connection.Standings(c, w.provider.Signup.Many) {
		if s.Status != w.stands[i] {
			t.Fatalf("signup %d stands as %s, the model says %s", i+1, s.Status, w.stands[i])
		}
	}
	for i, e := range c.Events {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has number %d", i+1, e.Seq)
		}
		if i > 0 && e.CreatedAt.Before(c.Events[i-1].CreatedAt) {
			t.Fatalf("event %d was created before event %d", i+1, i)
		}
	}
	keys := map[string]bool{}
	for i, s := range c.Signups {
		if s.Seq != int64(i+1) || w.provider.Signup.Many && keys[s.Key] {
			t.Fatalf("signup %d has number %d and key %q", i+1, s.Seq, s.Key)
		}
		keys[s.Key] = true
	}
	if last := c.Events[len(c.Events)-1]; c.LastSeq != last.Seq || !c.LastEventAt.Equal(last.CreatedAt) || c.UpdatedAt.Before(last.CreatedAt) {
		t.Fatal("the connection does not know its newest event")
	}
}

func sameEvent(a, b connection.Event) bool {
	return a.ID == b.ID && a.Status == b.Status && a.Seq == b.Seq
}
