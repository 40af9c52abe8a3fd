package hook

import "time"

const (
	// manyFailures in a row are taken for an endpoint that is dead.
	manyFailures = 5
	// patience is how long an endpoint may fail before it is switched off.
	patience = 75 * time.Hour
)

// Why an endpoint was switched off, as DisabledWhy keeps it.
const (
	WhyGone    = "gone"    // it answered 410
	WhyFailing = "failing" // nothing was taken for as long as we had patience
)

// probes is how long one waits for the next probe of a dead endpoint; after
// the last the waits are lastProbe and up to twice as much more.
var probes = []time.Duration{5 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute}

const lastProbe = 5 * time.Minute

// warnings are the shares of patience, in percent, at which its owner is told.
var warnings = []int{50, 70, 90}

// Health is how an endpoint does: a circuit. Closed, messages are sent. Open,
// it is taken for dead: one message at a time is sent, as a probe when ProbeAt
// has come, and nothing new is read for it. The zero Health is that of an
// endpoint which nothing was sent to.
type Health struct {
	Failures     int       // in a row; at least 5 while it is open
	FailingSince time.Time // the first failure after the last success; zero when there is none
	ProbeAt      time.Time // zero while it is closed
	Warned       int       // the last of 50, 70 and 90 percent that its owner was told; 0 before
	SucceededAt  time.Time
}

// Change is what a result changed that others must know.
type Change struct {
	Closed   bool   // it is alive again: what waits for it is due
	Warn     int    // tell its owner how much of our patience is used up, in percent
	Disabled string // switch it off, for this reason
}

// Open says whether the endpoint is taken for dead.
func (h Health) Open() bool { return !h.ProbeAt.IsZero() }

// ProbeDue says whether an open endpoint may be tried.
func (h Health) ProbeDue(now time.Time) bool { return h.Open() && !now.Before(h.ProbeAt) }

// After is the health after a result. chance is drawn from [0, 1).
func (h Health) After(r Result, now time.Time, chance float64) (Health, Change) {
	if r.OK() {
		return Health{SucceededAt: now}, Change{Closed: h.Open()}
	}
	if r.Ours {
		return h.waiting(now, chance), Change{}
	}
	if h.FailingSince.IsZero() {
		h.FailingSince = now
	}
	early := h.Open() && !h.ProbeDue(now) // sent before it was taken for dead: no probe
	if !early {
		h.Failures++
	}
	if r.Unreached {
		h.Failures = max(h.Failures, manyFailures)
	}
	if h.Failures >= manyFailures && !early {
		h.ProbeAt = now.Add(max(ProbeWait(h.Failures-manyFailures, chance), min(r.RetryAfter, maxRetryAfter)))
	}
	if r.Gone() {
		return h, Change{Disabled: WhyGone}
	}
	return h.patience(now)
}

// waiting is the health while the way there is not open: probed like one that is
// dead, and held against nobody.
func (h Health) waiting(now time.Time, chance float64) Health {
	if h.Open() && !h.ProbeDue(now) {
		return h
	}
	h.Failures = max(h.Failures+1, manyFailures)
	h.ProbeAt = now.Add(ProbeWait(h.Failures-manyFailures, chance))
	return h
}

// patience warns, and gives up. Nobody is switched off who was not warned, so
// that it takes one more failure when we were away ourselves.
func (h Health) patience(now time.Time) (Health, Change) {
	used := int(now.Sub(h.FailingSince) * 100 / patience)
	last := warnings[len(warnings)-1]
	if used >= 100 && h.Warned == last {
		return h, Change{Disabled: WhyFailing}
	}
	for i := len(warnings) - 1; i >= 0; i-- {
		if at := warnings[i]; used >= at && h.Warned < at {
			h.Warned = at
			return h, Change{Warn: at}
		}
	}
	return h, Change{}
}

// ProbeWait is how long one waits for the next probe after n of them.
func ProbeWait(n int, chance float64) time.Duration {
	if n < len(probes) {
		return jitter(probes[n], chance)
	}
	return lastProbe + time.Duration(2*float64(lastProbe)*chance)
}
