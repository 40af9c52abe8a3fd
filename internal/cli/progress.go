package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// How often it is told how something goes, and from how long it is known how
// fast: what comes is not as what was an hour ago.
const (
	tellOnTerminal = 500 * time.Millisecond
	tellElsewhere  = 5 * time.Second
	paceOf         = 30 * time.Second
	barWidth       = 20
	lineWidth      = 79 // what is longer would be two lines of a narrow terminal, of which one stays
)

// progress tells how something goes while it goes: on a terminal in one line
// with a bar, which is written over, elsewhere in a line every few seconds.
type progress struct {
	w        io.Writer
	now      func() time.Time
	every    time.Duration
	terminal bool
	what     string
	whole    int64 // bytes or rows; 0 when it is not known

	last     time.Time // when it was told
	recent   []reached // where it was, oldest first, of about paceOf
	open     bool      // there is a line on the terminal that did not end
	finished bool
	waiting  bool
}

// reached is how far something was at a time.
type reached struct {
	at   time.Time
	rows int
	done int64 // of the whole
}

// newProgress begins with what was done before, of the whole.
func newProgress(w io.Writer, what string, rows int, done, whole int64) *progress {
	return startProgress(w, isTerminal(w), time.Now, what, rows, done, whole)
}

func startProgress(w io.Writer, terminal bool, now func() time.Time, what string, rows int, done, whole int64) *progress {
	p := &progress{w: w, now: now, every: tellElsewhere, terminal: terminal, what: what, whole: whole}
	if terminal {
		p.every = tellOnTerminal
	}
	p.last = now()
	p.recent = []reached{{p.last, rows, done}}
	return p
}

// at says how many rows are done, and how much of the whole.
func (p *progress) at(rows int, done int64) {
	p.waiting = false
	is := reached{p.now(), rows, done}
	finished := p.whole > 0 && done >= p.whole
	if is.at.Sub(p.last) < p.every && !finished || p.finished {
		return
	}
	p.last, p.finished = is.at, finished
	p.recent = append(p.recent, is)
	for len(p.recent) > 2 && is.at.Sub(p.recent[1].at) >= paceOf {
		p.recent = p.recent[1:]
	}
	p.show(p.line(is))
	if finished {
		p.end()
	}
}

func (p *progress) line(is reached) string {
	since := p.recent[0]
	passed := max(is.at.Sub(since.at).Seconds(), 0.001)
	line := fmt.Sprintf("%s %s, %s a second", grouped(is.rows), p.what, grouped(int(float64(is.rows-since.rows)/passed)))
	if p.whole <= 0 {
		return line
	}
	share := min(is.done*100/p.whole, 100)
	line = fmt.Sprintf("%3d%%  %s", share, line)
	if speed := float64(is.done-since.done) / passed; speed > 0 && !p.finished {
		left := time.Duration(float64(p.whole-is.done) / speed * float64(time.Second))
		line += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	if room := lineWidth - len(line) - len("[] "); p.terminal && room > 0 {
		line = bar(share, min(barWidth, room)) + " " + line
	}
	return line
}

func bar(share int64, width int) string {
	full := int(share) * width / 100
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", width-full) + "]"
}

func (p *progress) show(line string) {
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		p.open = true
		return
	}
	fmt.Fprintln(p.w, line)
}

// end leaves the line as it is: what is written next stands below it.
func (p *progress) end() {
	if p.open {
		fmt.Fprintln(p.w)
		p.open = false
	}
}

// pause says once why nothing goes on.
func (p *progress) pause(err error) {
	if !p.waiting {
		p.end()
		fmt.Fprintf(p.w, "waiting for the server: %s\n", printable(err.Error()))
	}
	p.waiting = true
}

// grouped writes a number with a comma before each three digits.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
