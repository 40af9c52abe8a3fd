package outbound

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

const maxInformational = 5 // answers with 1xx before the one that counts

var (
	errHeadTooLarge = &Error{TooLarge, errors.New("the head of the answer is too large")}
	errNoAnswer     = &Error{Broken, errors.New("the answer is none of HTTP/1.1")}
)

// line is one connection to a receiver, on which one exchange of HTTP/1.1 at a
// time is made by whoever has it: it has no goroutine of its own.
type line struct {
	way    way
	conn   net.Conn
	socket syscall.RawConn // of the connection below TLS; nil when it has none
	in     *bufio.Reader
	out    *bufio.Writer
	room   int       // bytes that may still come in
	came   bool      // whether any did in this exchange
	broke  error     // what reading ended with
	kept   bool      // whether there was an exchange before
	until  time.Time // when it is closed, whoever wants it
	idle   time.Time // since when nobody has it
}

func newLine(w way, conn, below net.Conn, until time.Time) *line {
	l := &line{way: w, conn: conn, until: until}
	if s, ok := below.(syscall.Conn); ok {
		l.socket, _ = s.SyscallConn() // without one the line is not kept
	}
	l.in, l.out = bufio.NewReaderSize(l, 2<<10), bufio.NewWriterSize(conn, 4<<10)
	return l
}

// Read reads from the connection as much as there is room for.
func (l *line) Read(p []byte) (int, error) {
	if l.room <= 0 {
		l.broke = errHeadTooLarge
		return 0, l.broke
	}
	n, err := l.conn.Read(p[:min(len(p), l.room)])
	l.room -= n
	l.came = l.came || n > 0
	l.broke = err
	return n, err
}

// ask sends a request and reads the head of its answer.
func (l *line) ask(r *request) (*http.Response, error) {
	l.room, l.came = maxHeader, false
	if err := l.send(r); err != nil {
		return nil, err
	}
	for range maxInformational {
		res, err := http.ReadResponse(l.in, r.asked)
		switch {
		case err != nil && l.broke != nil: // the parser may complain of half a line instead
			return nil, l.broke
		case err != nil:
			return nil, err
		case res.StatusCode == http.StatusSwitchingProtocols || res.ProtoMajor != 1:
			return nil, errNoAnswer
		case res.StatusCode >= 200:
			l.room = 1 << 30
			return res, nil
		}
	}
	return nil, errNoAnswer
}

// ours are headers that only send writes.
var ours = map[string]bool{
	"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Trailer": true, "Upgrade": true, "Expect": true,
}

func (l *line) send(r *request) error {
	out := l.out
	out.WriteString(r.asked.Method)
	out.WriteByte(' ')
	out.WriteString(r.to.path)
	out.WriteString(" HTTP/1.1\r\nHost: ")
	out.WriteString(r.to.host)
	if len(r.header["User-Agent"]) == 0 {
		out.WriteString("\r\nUser-Agent: Mooring")
	}
	if r.body != nil {
		out.WriteString("\r\nContent-Length: ")
		out.Write(strconv.AppendInt(out.AvailableBuffer(), int64(len(r.body)), 10))
	}
	if !r.keep {
		out.WriteString("\r\nConnection: close")
	}
	out.WriteString("\r\n")
	if err := r.header.WriteSubset(out, ours); err != nil {
		return err
	}
	out.WriteString("\r\n")
	out.Write(r.body)
	return out.Flush()
}

// quiet says whether nothing came on a line that nobody asked anything: what
// did would be taken for the next answer.
func (l *line) quiet() bool {
	if l.in.Buffered() > 0 || l.socket == nil {
		return false
	}
	return silent(l.socket)
}
