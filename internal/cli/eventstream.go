package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"time"
)

// serverEvent is what one block of an event stream says.
type serverEvent struct{ id, name, data string }

// A line of an event stream is at most maxEvent bytes long.
const maxEvent = 4 << 20

// readEvents reads an event stream as its specification has it
// (https://html.spec.whatwg.org/multipage/server-sent-events.html), as far as a
// server of ours makes use of it: fields end with a line feed. A block without
// data is handed over too, since its id says how far the feed was looked through.
// It gives nil at the end of the stream.
func readEvents(stream io.Reader, handle func(serverEvent) error) error {
	lines := bufio.NewScanner(stream)
	lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
	var event serverEvent
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			if err := handle(event); err != nil {
				return err
			}
			event = serverEvent{}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			event.id = value
		case "event":
			event.name = value
		case "data":
			if event.data != "" {
				event.data += "\n"
			}
			event.data += value
		}
	}
	return lines.Err() // what stands in a block that did not end was not said
}

// attentive ends a stream that says nothing for too long. The time that passes
// between two reads, while an entry is handled, does not count.
type attentive struct {
	io.Reader
	end   context.CancelCauseFunc
	limit time.Duration
}

// The feed says something every few seconds while nothing happens.
const silence = 60 * time.Second

var errSilent = errors.New("nothing came for a minute")

func (a *attentive) Read(p []byte) (int, error) {
	timer := time.AfterFunc(a.limit, func() { a.end(errSilent) })
	defer timer.Stop()
	return a.Reader.Read(p)
}
