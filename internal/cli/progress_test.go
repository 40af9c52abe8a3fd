package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// clocked is how something goes that takes as long as the test says.
type clocked struct {
	*progress
	shown bytes.Buffer
	now   time.Time
}

func newClocked(terminal bool, rows int, done, whole int64) *clocked {
	c := &clocked{now: time.Date(2026, 5, 12, 9, 0, 0, 0, time.UTC)}
	c.progress = startProgress(&c.shown, terminal, func() time.Time { return c.now }, "accounts", rows, done, whole)
	return c
}

// after says that there were so many more rows when a time had passed.
func (c *clocked) after(passed time.Duration, rows int, done int64) string {
	c.now = c.now.Add(passed)
	c.shown.Reset()
	c.at(rows, done)
	return c.shown.String()
}

func TestATerminalShowsABarThatIsWrittenOver(t *testing.T) {
	c := newClocked(true, 0, 0, 400_000)
	if got := c.after(100*time.Millisecond, 50, 10_000); got != "" {
		t.Errorf("so soon it shows %q", got)
	}
	if got, want := c.after(900*time.Millisecond, 500, 100_000), "\r\x1b[K[=====               ]  25%  500 accounts, 500 a second, 3s left"; got != want {
		t.Errorf("it shows %q and not %q", got, want)
	}
	if got, want := c.after(3*time.Second, 2_000, 400_000), "\r\x1b[K[====================] 100%  2,000 accounts, 500 a second\n"; got != want {
		t.Errorf("at the end it shows %q and not %q", got, want)
	}
	if got := c.after(time.Minute, 2_000, 400_000); got != "" {
		t.Errorf("after the end it shows %q", got)
	}
}

func TestALineStaysOneLineOfATerminal(t *testing.T) {
	c := newClocked(true, 0, 0, 1_000_000_000)
	if got, want := c.after(10*time.Second, 12_000_000, 1_000_000), "\r\x1b[K[                ]   0%  12,000,000 accounts, 1,200,000 a second, 2h46m30s left"; got != want {
		t.Errorf("%d columns: %q", len(got)-len("\r\x1b[K"), got)
	}
}

func TestAFileGetsALineNowAndThen(t *testing.T) {
	c := newClocked(false, 0, 0, 1_000)
	if got := c.after(4*time.Second, 40, 400); got != "" {
		t.Errorf("so soon it tells %q", got)
	}
	if got, want := c.after(time.Second, 50, 500), " 50%  50 accounts, 10 a second, 5s left\n"; got != want {
		t.Errorf("it tells %q and not %q", got, want)
	}
	if got, want := c.after(time.Second, 100, 1_000), "100%  100 accounts, 16 a second\n"; got != want {
		t.Errorf("at the end it tells %q and not %q", got, want)
	}
}

// What an earlier run did is done, and was not done now.
func TestWhatIsGoneOnWithCountsAsDoneButNotAsSpeed(t *testing.T) {
	c := newClocked(false, 9_000, 90_000, 100_000)
	if got, want := c.after(10*time.Second, 9_500, 95_000), " 95%  9,500 accounts, 50 a second, 10s left\n"; got != want {
		t.Errorf("it tells %q and not %q", got, want)
	}
}

// What is left is judged by how fast it goes now.
func TestASlowBeginningIsForgotten(t *testing.T) {
	c := newClocked(false, 0, 0, 10_000)
	c.after(time.Hour, 1, 1)
	var got string
	for i := range 8 {
		got = c.after(5*time.Second, 1+(i+1)*500, int64(1+(i+1)*500))
	}
	if want := " 40%  4,001 accounts, 100 a second, 1m0s left\n"; got != want {
		t.Errorf("it tells %q and not %q", got, want)
	}
}

func TestWithoutAKnownEndThereIsNoShareAndTheLineEnds(t *testing.T) {
	c := newClocked(true, 0, 0, 0)
	if got, want := c.after(2*time.Second, 3_000, 77), "\r\x1b[K3,000 accounts, 1,500 a second"; got != want {
		t.Errorf("it shows %q and not %q", got, want)
	}
	c.pause(errors.New("connection refused"))
	c.pause(errors.New("connection refused"))
	if got := c.shown.String(); !strings.HasSuffix(got, "a second\nwaiting for the server: connection refused\n") {
		t.Errorf("while it waits it shows %q", got)
	}
	c.end()
	if got := c.after(time.Second, 3_500, 78); !strings.HasPrefix(got, "\r") {
		t.Errorf("when it goes on it shows %q", got)
	}
	if c.end(); !strings.HasSuffix(c.shown.String(), "a second\n") {
		t.Errorf("in the end it shows %q", c.shown.String())
	}
}
