package gate

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"
)

// WriteLimit is how long a client may take to read an answer, or a part of one
// that is sent in parts.
const WriteLimit = 30 * time.Second

// Stream sends the body of an answer in parts, each as soon as it is there. A
// client that does not read one within WriteLimit loses the connection.
type Stream struct {
	w     http.ResponseWriter
	head  bool // the client wants no body
	bytes int
}

// Send sends a part and returns when it is on its way. After an error nothing
// more can be sent.
func (s *Stream) Send(part []byte) error {
	if s.head {
		return http.ErrBodyNotAllowed
	}
	rc := http.NewResponseController(s.w)
	if err := rc.SetWriteDeadline(time.Now().Add(WriteLimit)); err != nil {
		return err
	}
	n, err := s.w.Write(part)
	s.bytes += n
	if err == nil {
		err = rc.Flush()
	}
	return err
}

// stream sends what run has to say, until it returns.
func (x *exchange) stream(run func(context.Context, *Stream) error) (bytes int) {
	s := &Stream{w: x.w, head: x.r.Method == http.MethodHead}
	defer func() {
		if p := recover(); p != nil {
			x.cause, x.stack, bytes = fmt.Errorf("panic: %v", p), debug.Stack(), s.bytes
		}
	}()
	if err := x.call.TakesLong(); err != nil {
		x.cause = err
		return 0
	}
	if err := run(x.r.Context(), s); err != nil && !s.head && x.r.Context().Err() == nil {
		x.cause = err
	}
	return s.bytes
}

// TakesLong lets the call outlive the time in which a request must be read,
// after which it would count as left by its client. It takes up no room from
// here on: whoever calls it limits such calls.
func (c *Call) TakesLong() error {
	c.x.place.leave(0)
	return http.NewResponseController(c.x.w).SetReadDeadline(time.Time{})
}

// StillAllowed asks again what was asked before the function ran: who calls,
// and whether they may. Whatever takes long asks it before it tells more.
func (c *Call) StillAllowed() error {
	if err := c.x.authenticate(); err != nil {
		return err
	}
	return c.x.authorize()
}
