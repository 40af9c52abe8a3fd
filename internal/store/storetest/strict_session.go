package storetest

import (
	"bufio"
	"encoding/binary"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// session is one connection through a strict database. One goroutine carries
// what the client asks, a request at a time: a query, or what comes before a
// Sync. Another carries the answers, and does to each what was decided when it
// was asked for.
type session struct {
	strict         *StrictProxy
	client, server net.Conn
	in, out        *bufio.Reader // what the client and the server say

	texts map[string]string // of prepared statements, by name

	mu  sync.Mutex
	due []answer // how the answers to come are passed on, oldest first
}

func newSession(s *StrictProxy, client, server net.Conn) *session {
	return &session{
		strict: s, client: client, server: server,
		in: bufio.NewReader(client), out: bufio.NewReader(server), texts: map[string]string{},
	}
}

func (n *session) end() {
	n.client.Close()
	n.server.Close()
}

// run carries both ways until either ends.
func (n *session) run() {
	if !n.greet() {
		return
	}
	var asking sync.WaitGroup
	asking.Go(func() {
		if !n.ask() {
			n.server.Close()
		}
	})
	n.tell()
	n.end()
	asking.Wait()
}

const (
	sslRequest    = 80877103
	gssRequest    = 80877104
	cancelRequest = 80877102
)

// greet carries the first message, to which it adds that transactions are
// strict also where the client does not begin them.
func (n *session) greet() bool {
	for {
		first, err := readFirst(n.in)
		if err != nil || len(first) < 8 {
			return false
		}
		switch binary.BigEndian.Uint32(first[4:]) {
		case sslRequest, gssRequest:
			if _, err := n.client.Write([]byte{'N'}); err != nil {
				return false
			}
		case cancelRequest:
			_, _ = n.server.Write(first) // it has no answer
			return false
		default:
			var startup pgproto3.StartupMessage
			if startup.Decode(first[4:]) != nil {
				return false
			}
			startup.Parameters["default_transaction_isolation"] = "serializable"
			n.expect(answer{})
			_, err := n.server.Write(encode(&startup))
			return err == nil
		}
	}
}

// request is what a client asks before it waits.
type request struct {
	frames  []byte
	commits bool     // a transaction
	works   bool     // it does something that can meet another transaction
	refused *failure // nil when it is not
}

// text takes in a statement that is prepared, and returns what it is instead.
func (r *request) text(text string) string {
	if lack := lacks(text); lack != nil {
		r.refused = lack
	}
	if beginning.MatchString(text) {
		return begin(text)
	}
	return skipping.ReplaceAllString(text, "")
}

// runs takes in a statement that is executed.
func (r *request) runs(text string) {
	switch {
	case committing.MatchString(text):
		r.commits = true
	case !beginning.MatchString(text) && !unharmed.MatchString(text):
		r.works = true
	}
}

// ask carries requests until the client ends, or a fault ends it. It returns
// whether the server is still at work on the last.
func (n *session) ask() (atWork bool) {
	var r request
	for {
		f, err := readFrame(n.in)
		if err != nil {
			return false
		}
		switch f.kind() {
		case 'Q':
			r = request{}
			text, _ := cString(f.body())
			text = r.text(text)
			r.runs(text)
			r.frames = alone(text)
		case 'P':
			name, rest := cString(f.body())
			text, types := cString(rest)
			n.texts[name] = r.text(text)
			f = prepare(name, n.texts[name], types)
		case 'B':
			_, rest := cString(f.body())
			name, _ := cString(rest)
			r.runs(n.texts[name])
		}
		switch f.kind() {
		case 'Q', 'S':
			if f.kind() == 'S' {
				r.frames = append(r.frames, f...)
			}
			atWork, goesOn := n.send(r, f.kind() == 'Q')
			if !goesOn {
				return atWork
			}
			r = request{}
		case 'p', 'X', 'd', 'c', 'f', 'H': // a password, the end, rows, a flush: they wait for nothing
			if _, err := n.server.Write(append(r.frames, f...)); err != nil || f.kind() == 'X' {
				return false
			}
			r.frames = nil
		default:
			r.frames = append(r.frames, f...)
		}
	}
}

// send lets a request meet its fate.
func (n *session) send(r request, simple bool) (atWork, goesOn bool) {
	n.strict.frozen.RLock()
	defer n.strict.frozen.RUnlock()
	a, fate := answer{simple: simple}, asAsked
	if r.commits || r.works {
		fate = n.strict.throw(r.commits)
	}
	switch {
	case r.refused != nil:
		r.frames, a.failed = alone(garbage), r.refused
	case fate == asAsked:
	case fate == cut || fate == cutBefore:
		n.client.Close()
		return false, false
	case fate == cutAfter || fate == cutMeanwhile:
		a.unheard = true
	case r.commits:
		r.frames, a = alone("rollback"), answer{simple: true, undone: true}
	case fate == failEarly:
		r.frames, a.failed = alone(garbage), restart
	case fate == failLate:
		sync := len(r.frames) - len(encode(&pgproto3.Sync{}))
		r.frames = append(r.frames[:sync:sync], append(prepare("", garbage, []byte{0, 0}), r.frames[sync:]...)...)
		a.late = true
	}
	if fate == cutMeanwhile {
		n.client.Close()
		<-time.After(meanwhile)
	}
	n.expect(a)
	_, err := n.server.Write(r.frames)
	return a.unheard, err == nil && !a.unheard
}

// meanwhile is for how long a commit is on its way whose client is gone.
const meanwhile = 5 * time.Millisecond

func (n *session) expect(a answer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.due = append(n.due, a)
}

// tell carries answers until the server ends, or one is not to be heard.
func (n *session) tell() {
	to := bufio.NewWriter(n.client)
	for {
		f, err := readFrame(n.out)
		if err != nil {
			return
		}
		out, last := n.pass(f)
		if last {
			return
		}
		if _, err := to.Write(out); err != nil {
			return
		}
		if n.out.Buffered() == 0 && to.Flush() != nil {
			return
		}
	}
}

// pass is what the client hears of a message.
func (n *session) pass(f frame) (out []byte, last bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.due) == 0 {
		return f, false
	}
	a := &n.due[0]
	out, last = a.pass(f), a.unheard && f.kind() == 'Z'
	if f.kind() == 'Z' {
		n.due = n.due[1:]
	}
	return out, last
}

// answer is how the messages up to the next ReadyForQuery are passed on.
type answer struct {
	simple  bool     // they answer what was made of a single message
	failed  *failure // the error that they are about is this one
	undone  bool     // a commit that did not happen is a conflict
	late    bool     // the error comes after what was asked for was done
	unheard bool     // they are not passed on

	held frame // of a late error: the message that it was done
}

func (a *answer) pass(f frame) []byte {
	kind := f.kind()
	switch {
	case a.unheard, a.simple && (kind == '1' || kind == '2' || kind == 'n'):
		return nil
	case kind == 'N' || kind == 'S': // a notice, a setting: at any time
		return f
	case a.failed != nil && kind == 'E':
		return a.failed.frame()
	case a.undone && kind == 'C':
		return restart.frame()
	case a.late && kind == 'E' && a.held != nil:
		a.held = nil
		return restart.frame()
	}
	before := a.held
	a.held = nil
	if a.late && kind == 'C' {
		a.held = f
		return before
	}
	return append(before, f...)
}
