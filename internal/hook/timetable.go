package hook

import (
	"net/http"
	"strconv"
	"time"
)

// timetable is how long after a failed attempt the next one comes, about three
// days in all.
var timetable = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
	20 * time.Hour, 24 * time.Hour,
}

// Attempts is how often a message is sent at most, its first time included.
// Those while its endpoint is taken for dead do not count.
const Attempts = 10

// maxRetryAfter is how long a receiver may ask us to wait.
const maxRetryAfter = 24 * time.Hour

// Result is what came of one attempt.
type Result struct {
	Status     int           // of the answer; 0 when there was none
	Err        string        // why there was none, as a category that anybody may see; "" when there was one
	Unreached  bool          // no connection could be made
	Ours       bool          // the way there is the operator's, and was not open: it says nothing about the receiver
	RetryAfter time.Duration // what the answer asked for; 0 when nothing
	Took       time.Duration
}

// OK says whether the message was taken: any 2xx.
func (r Result) OK() bool { return r.Status >= 200 && r.Status <= 299 }

// Gone says whether the receiver wants nothing more, ever.
func (r Result) Gone() bool { return r.Status == http.StatusGone }

// Slow says whether the receiver, or what is before it, has too much to do.
func (r Result) Slow() bool {
	switch r.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// Why says in words what came of it; "" when the message was taken.
func (r Result) Why() string {
	switch {
	case r.OK():
		return ""
	case r.Status != 0:
		return "it answered " + strconv.Itoa(r.Status)
	default:
		return r.Err
	}
}

// Turn is what becomes of a message after an attempt.
type Turn struct {
	Done bool          // it was taken
	Dead bool          // it is not sent again unless somebody asks
	Wait time.Duration // otherwise, until it is sent again
}

// Next says what becomes of a message after the attempt with a number, from 1.
// While its endpoint is taken for dead (open) it does not die. chance is drawn
// from [0, 1), so that messages that failed together do not come back together.
func Next(number int, open bool, r Result, chance float64) Turn {
	switch {
	case r.OK():
		return Turn{Done: true}
	case number >= Attempts && !open:
		return Turn{Dead: true}
	}
	step := timetable[max(0, min(number, len(timetable))-1)]
	return Turn{Wait: max(jitter(step, chance), min(r.RetryAfter, maxRetryAfter))}
}

// jitter moves a wait by up to a fifth, either way.
func jitter(wait time.Duration, chance float64) time.Duration {
	return time.Duration(float64(wait) * (0.8 + 0.4*chance))
}
