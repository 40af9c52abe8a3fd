package hook

import "time"

const (
	firstWindow = 2
	maxWindow   = 64
	firstPause  = 5 * time.Second
	longPause   = 5 * time.Minute
)

// Pace is how much may be on its way to an endpoint at once. It starts low,
// grows with what is taken and halves with what is not. The zero Pace is that
// of an endpoint which nothing was sent to.
type Pace struct {
	window int // 0: firstWindow
	taken  int // since it last grew
	pause  time.Duration
	until  time.Time
}

// Room says how many messages may be on their way at a time.
func (p Pace) Room(now time.Time) int {
	switch {
	case now.Before(p.until):
		return 0
	case p.window == 0:
		return firstWindow
	default:
		return p.window
	}
}

// Until is when there is room again; zero when there is.
func (p Pace) Until() time.Time { return p.until }

// Resume is the pace when a pause is ended before its time: one message goes,
// and what comes of it says how it goes on.
func (p Pace) Resume() Pace {
	if p.until.IsZero() {
		return p
	}
	return Pace{window: 1, pause: p.pause}
}

// After is the pace after a result.
func (p Pace) After(r Result, now time.Time) Pace {
	window := p.window
	if window == 0 {
		window = firstWindow
	}
	switch {
	case r.OK():
		p.taken++
		if !now.Before(p.until) { // what was on its way already ends no pause
			p.pause, p.until = 0, time.Time{}
		}
		if p.taken >= window {
			window, p.taken = min(2*window, maxWindow), 0
		}
	case r.Slow():
		p.pause = min(max(firstPause, 2*p.pause), longPause)
		window, p.taken = 1, 0
		if until := now.Add(max(p.pause, min(r.RetryAfter, maxRetryAfter))); until.After(p.until) {
			p.until = until
		}
	default:
		window, p.taken = max(1, window/2), 0
	}
	p.window = window
	return p
}
