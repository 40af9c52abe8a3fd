package cli

import (
	"strings"
	"testing"
)

func TestATableMovesNoCursor(t *testing.T) {
	if got := string(forTerminal([]byte("a,\x1b[2J\x9b1mPWN\u202e\r,b\nc,Kafé,d\n"))); got != "a, [2J\uFFFD1mPWN  ,b\nc,Kafé,d\n" {
		t.Errorf("%q", got)
	}
}

func TestTheQueueIsShownCountedAndLookedAfter(t *testing.T) {
	startDev(t)
	shown := func(want int, args ...string) []string {
		t.Helper()
		code, out, errs := run(t, append([]string{"queue"}, args...)...)
		if code != want {
			t.Fatalf("%v: exit %d, %s", args, code, errs)
		}
		return strings.Split(strings.TrimSpace(out+errs), "\n")
	}
	if lines := shown(exitDone); len(lines) != 7 || !strings.Contains(lines[6], "vipps") {
		t.Errorf("the whole queue: %q", lines)
	}
	if lines := shown(exitDone, "--owner", "T112", "--turn", "merchant", "--connection", "vipps"); len(lines) != 2 {
		t.Errorf("one: %q", lines)
	}
	if lines := shown(exitDone, "count", "--code", "signature_required"); !strings.HasSuffix(lines[len(lines)-1], "1 connections, of which 1 wait for somebody") {
		t.Errorf("counted: %q", lines)
	}
	if lines := shown(exitDone, "assign", "T11223352", "vipps", "anna"); lines[0] != "vipps of T11223352: anna looks after it" {
		t.Errorf("assigned: %q", lines)
	}
	if lines := shown(exitDone, "snooze", "T11223352", "vipps", "--for", "3d"); !strings.Contains(lines[0], "put off until") {
		t.Errorf("snoozed: %q", lines)
	}
	if lines := shown(exitDone, "--limit", "0", "--json"); len(lines) != 5 {
		t.Errorf("without what was put off: %q", lines)
	}
	shown(exitDone, "snooze", "T11223352", "vipps", "--end")
	if lines := shown(exitDone, "--csv", "--limit", "0"); len(lines) != 7 || !strings.HasPrefix(lines[0], "account_id,") {
		t.Errorf("as a table: %q", lines)
	}
	if lines := shown(exitDone, "--assignee", "anna"); len(lines) != 2 {
		t.Errorf("hers: %q", lines)
	}
	shown(exitDone, "assign", "T11223352", "vipps")
	if lines := shown(exitFailed, "snooze", "T11223352", "vipps"); !strings.Contains(lines[0], "say how long") {
		t.Errorf("%q", lines)
	}
	if lines := shown(exitFailed, "assign", "T11223352", "mastercard-3ds", "anna"); !strings.Contains(lines[0], "there is no connection") {
		t.Errorf("%q", lines)
	}
}
