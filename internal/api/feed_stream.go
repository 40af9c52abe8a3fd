package api

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"time"

	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
)

const (
	feedBeat     = 5 * time.Second // how often a stream says that it is there, if its caller may still be told more
	feedHurry    = "retry: 2000\n" // milliseconds after which a client connects again
	maxFeedBatch = 100             // items that are sent together
)

// Why a stream ends, as its last message says.
const (
	endStopping    = "stopping"    // the server stops: connect again
	endAccess      = "access"      // the token ended, or the caller may not read the feed any more
	endUnavailable = "unavailable" // the database does not answer: connect again later
	endQuiet       = "quiet"       // nothing came for as long as the call said
)

// stream sends what is in the feed and what comes, until the client leaves.
func (r *feedReading) stream() (gate.Reply, error) {
	l, err := r.o.Feeds.listen(r.of.ID, r.call.Caller.Account)
	if err != nil {
		return gate.Reply{}, err
	}
	r.query.Limit = min(r.query.Limit, maxFeedBatch)
	return gate.Reply{
		Type:   "text/event-stream",
		Header: map[string]string{"X-Accel-Buffering": "no"},
		Stream: func(ctx context.Context, s *gate.Stream) error {
			defer l.close()
			why, err := r.send(ctx, l, s)
			if why == "" {
				return err // nobody listens
			}
			if sent := s.Send([]byte("event: end\ndata: {\"reason\":\"" + why + "\"}\n\n")); sent != nil {
				return sent
			}
			return err
		},
	}, nil
}

// send sends until there is a reason to end, which it returns; "" when the
// client left.
func (r *feedReading) send(ctx context.Context, l *listener, s *gate.Stream) (why string, err error) {
	at := r.query.After // of the client
	if err := s.Send([]byte(feedHurry + "id: " + r.cursors.at(at) + "\n\n")); err != nil {
		return "", err
	}
	beat := time.NewTicker(feedBeat)
	defer beat.Stop()
	quiet := time.NewTimer(r.quiet())
	defer quiet.Stop()
	for ended := false; ; {
		page, err := r.next(ctx)
		if err != nil {
			return endUnavailable, err
		}
		if n := len(page.Entries); n > 0 {
			if err := r.sendPage(page, s); err != nil {
				return "", err
			}
			at, ended = page.Entries[n-1].Position, false
			quiet.Reset(r.quiet())
		}
		if ended && !page.More {
			return endQuiet, r.sendCursor(s, &at, page.Next)
		}
		select {
		case <-ctx.Done():
			return "", nil
		case <-l.stopping:
			return endStopping, r.sendCursor(s, &at, page.Next)
		case <-quiet.C:
			ended = true // after one more look
		case <-beat.C:
			if err := r.stillAllowed(ctx); err != nil {
				return endOf(err), nil
			}
			if err := r.sendBeat(s, &at, page.Next); err != nil {
				return "", err
			}
		case <-l.woken:
		case <-ready(page.More):
		}
	}
}

// quiet is how long nothing may come before the stream ends.
func (r *feedReading) quiet() time.Duration {
	if r.wait < 0 {
		return math.MaxInt64
	}
	return r.wait
}

// ready is a channel that can be received from at once, or never.
func ready(now bool) <-chan struct{} {
	if !now {
		return nil
	}
	c := make(chan struct{})
	close(c)
	return c
}

// endOf is why a stream ends when it was asked whether the caller may be told
// more.
func endOf(err error) string {
	if fault.From(err).Kind == fault.Unavailable {
		return endUnavailable
	}
	return endAccess
}

// sendCursor moves the client's cursor on to a position, over what did not
// pass its filters.
func (r *feedReading) sendCursor(s *gate.Stream, at *int64, to int64) error {
	if *at == to {
		return nil
	}
	*at = to
	return s.Send([]byte("id: " + r.cursors.at(to) + "\n\n"))
}

// sendBeat says that the stream is alive, and how far it is.
func (r *feedReading) sendBeat(s *gate.Stream, at *int64, to int64) error {
	if *at == to {
		return s.Send([]byte(":\n\n"))
	}
	return r.sendCursor(s, at, to)
}

func (r *feedReading) sendPage(page store.FeedPage, s *gate.Stream) error {
	var b bytes.Buffer
	for _, e := range page.Entries {
		item, err := r.item(e)
		if err != nil {
			return err
		}
		data, err := json.Marshal(item) // one line: Marshal compacts what it is given
		if err != nil {
			return err
		}
		b.WriteString("id: " + item.Cursor + "\nevent: " + item.Event + "\ndata: ")
		b.Write(data)
		b.WriteString("\n\n")
	}
	return s.Send(b.Bytes())
}
