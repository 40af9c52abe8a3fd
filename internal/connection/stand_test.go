package connection_test

import (
	"testing"
	"time"

	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/provider"
)

// waiting is a connection that waits for the merchant.
func waiting(t *testing.T, d *desk) (*connection.Connection, *provider.Provider) {
	p := *single
	p.Events = map[string]provider.Known{"signup_received": {Turn: "merchant", Wait: time.Hour}}
	return apply(t, nil, &p, `{"n":1}`, d), &p
}

func TestWhatHappensEndsASnoozeButNotWhoLooksAfterIt(t *testing.T) {
	d := &desk{now: start}
	c, p := waiting(t, d)
	if err := c.Assign("anna"); err != nil {
		t.Fatal(err)
	}
	if err := c.Snooze(start.Add(24*time.Hour), start); err != nil {
		t.Fatal(err)
	}
	if _, err := connection.Append(c, p, connection.NewEvent{Name: connection.CredentialExpiring, Status: c.Status}, d.act()); err != nil {
		t.Fatal(err)
	}
	if c.Stand.SnoozedUntil.IsZero() {
		t.Error("a remark ended the snooze")
	}
	post(t, c, connection.NewEvent{Name: "called", Status: connection.Pending}, d.later(time.Hour))
	if !c.Stand.SnoozedUntil.IsZero() || c.Stand.Assignee != "anna" {
		t.Errorf("%+v", c.Stand)
	}
	post(t, c, connection.NewEvent{Name: "done", Status: connection.Enabled}, d.later(time.Hour))
	if c.Open() || c.Stand.Assignee != "" {
		t.Errorf("somebody looks after what is settled: %+v", c.Stand)
	}
}

func TestWhatIsSettledIsNeitherAssignedNorPutOff(t *testing.T) {
	d := &desk{now: start}
	c, _ := waiting(t, d)
	post(t, c, connection.NewEvent{Name: "done", Status: connection.Enabled}, d)
	for what, err := range map[string]error{"assigned": c.Assign("anna"), "snoozed": c.Snooze(start.Add(time.Hour), start)} {
		if codeOf(err) != fault.CodeConflict {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestASnoozeEndsAheadAndNotTooFar(t *testing.T) {
	d := &desk{now: start}
	c, _ := waiting(t, d)
	for until, ok := range map[time.Time]bool{
		start:                               false,
		start.Add(1):                        true,
		start.Add(connection.MaxSnooze):     true,
		start.Add(connection.MaxSnooze + 1): false,
		{}:                                  true,
	} {
		if err := c.Snooze(until, start); (err == nil) != ok {
			t.Errorf("until %v: %v", until, err)
		}
	}
}

func TestAConnectionOfAClosedAccountWaitsForNobody(t *testing.T) {
	d := &desk{now: start}
	c, p := waiting(t, d)
	c.LastSeq = connection.MaxEvents
	e := connection.Close(c, d.later(time.Hour).act())
	if e.Name != connection.AccountClosed || c.Status != connection.Pending || c.Open() || c.Stand.Counted() {
		t.Errorf("%+v, %+v", e, c.Stand)
	}
	if turn := connection.TurnOf(c, p, d.now); turn.Who != "" {
		t.Errorf("it is the turn of %s", turn.Who)
	}
	if c.Place(p) {
		t.Error("it was placed again")
	}
}

func TestOnlyAnAccountThatWasClosedTakesAConnectionOutOfSight(t *testing.T) {
	d := &desk{now: start}
	c, _ := waiting(t, d)
	post(t, c, connection.NewEvent{Name: connection.AccountClosed, Status: connection.Pending}, d)
	if !c.Open() {
		t.Error("an event of that name from outside hid the connection")
	}
}
