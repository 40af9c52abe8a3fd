package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// connectorOfHosts opens connections to whichever host of the URL is the
// primary.
type connectorOfHosts struct {
	engine *postgres
	hosts  []*pgx.ConnConfig // one per host and way to secure it, in the order of the URL
	writes bool
}

// hostsOf takes a configuration apart into one for each host, and says whether
// there are several.
func hostsOf(config *pgx.ConnConfig) (hosts []*pgx.ConnConfig, several bool) {
	all := append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}}, config.Fallbacks...)
	for _, one := range all {
		several = several || one.Host != config.Host || one.Port != config.Port
	}
	for _, one := range all {
		c := config.Copy()
		c.Host, c.Port, c.TLSConfig, c.Fallbacks = one.Host, one.Port, one.TLSConfig, nil
		c.ValidateConnect = nil // that it takes writes is asked of every server, whatever the URL says
		switch {
		case c.ConnectTimeout != 0:
		case several:
			c.ConnectTimeout = eachHostPatience
		default:
			c.ConnectTimeout = oneHostPatience
		}
		hosts = append(hosts, c)
	}
	return hosts, several
}

// survey looks at all hosts: after a failover the old primary may be back, and
// only the others know that its time is over.
func (e *postgres) survey(ctx context.Context, hosts []*pgx.ConnConfig) {
	c := &connectorOfHosts{engine: e}
	var looking sync.WaitGroup
	for _, host := range hosts {
		looking.Go(func() {
			if conn, err := c.connect(ctx, host); err == nil {
				_ = conn.Close() // it has told its timeline
			}
		})
	}
	looking.Wait()
}

// Connect tries every host, that first which answered last. Of one host it
// begins with the first way to secure the line, also when that failed once.
func (c *connectorOfHosts) Connect(ctx context.Context) (driver.Conn, error) {
	var errs []error
	first := int(c.engine.leader.Load())
	for i := range c.hosts {
		i = (first + i) % len(c.hosts)
		conn, err := c.connect(ctx, c.hosts[i])
		if err == nil {
			c.engine.leader.Store(int64(c.firstWayTo(i)))
			return conn, nil
		}
		errs = append(errs, err)
		if refused(err) {
			break
		}
	}
	if len(errs) == 1 {
		return nil, errs[0]
	}
	return nil, errors.Join(errs...)
}

// firstWayTo is the first of the ways to secure a line to one's host.
func (c *connectorOfHosts) firstWayTo(i int) int {
	for i > 0 && c.hosts[i-1].Host == c.hosts[i].Host && c.hosts[i-1].Port == c.hosts[i].Port {
		i--
	}
	return i
}

// refused says whether a server knows us and does not let us in: another, or
// another way to secure the line, would not either.
func refused(err error) bool {
	failed, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (failed.Code == "28P01" || failed.Code == "3D000" || failed.Code == "42501")
}

// Driver is pgx, which does everything else.
func (c *connectorOfHosts) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

func (c *connectorOfHosts) connect(ctx context.Context, host *pgx.ConnConfig) (*postgresConn, error) {
	ctx, cancel := context.WithTimeout(ctx, host.ConnectTimeout)
	defer cancel()
	made := &postgresConn{engine: c.engine, writes: c.writes, checked: time.Now()}
	config := *host
	config.OnNotice = made.notice
	connector := stdlib.GetConnector(config,
		stdlib.OptionAfterConnect(made.admit),
		stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return false })) // ResetSession asks for more
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	made.Conn = conn.(*stdlib.Conn)
	return made, nil
}

// postgresConn is a connection that listens to what the server says beside its
// answers, and knows whether the server is still the primary.
type postgresConn struct {
	*stdlib.Conn
	engine    *postgres
	writes    bool
	timeline  uint32
	checked   time.Time
	cancelled bool // a wait for a standby was cancelled since the last commit began
}

// admit refuses the server of a new connection, or remembers its timeline.
func (c *postgresConn) admit(ctx context.Context, conn *pgx.Conn) error {
	pair, err := admit(ctx, conn.PgConn(), c.writes)
	if err == nil {
		c.timeline, err = timeline(ctx, conn.PgConn())
	}
	if err == nil && c.engine.several && !pair && c.engine.warned.isNew(noPair) {
		c.engine.log.Warn(noPair)
	}
	if err == nil {
		err = c.engine.sawTimeline(c.timeline)
	}
	if err != nil {
		_ = conn.Close(ctx) // nobody else would
	}
	return err
}

// noPair is said of several hosts where each has its disk for itself.
const noPair = "PostgreSQL is named with several hosts, but waits for no standby: what it acknowledged is lost when another takes over; " +
	"set synchronous_standby_names on the primary, and synchronous_commit to on or remote_apply"

// ResetSession drops a connection to a server that is the primary no more.
func (c *postgresConn) ResetSession(ctx context.Context) error {
	if err := c.Conn.ResetSession(ctx); err != nil {
		return err
	}
	if c.engine.sawTimeline(c.timeline) != nil {
		return driver.ErrBadConn
	}
	if time.Since(c.checked) < recheckAfter {
		return nil
	}
	if checkWritable(ctx, c.Conn.Conn().PgConn()) != nil {
		return driver.ErrBadConn
	}
	c.checked = time.Now()
	return nil
}

// BeginTx begins a transaction whose commit says what became of it.
func (c *postgresConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &postgresTx{tx, c}, nil
}

type postgresTx struct {
	driver.Tx
	conn *postgresConn
}

// errNoStandby says that a commit is on one disk only.
var errNoStandby = errors.New("the server stopped waiting for its standby: the commit is on one disk only")

// Commit fails when the server answers that it committed, and says beside it
// that no standby has it.
func (t *postgresTx) Commit() error {
	t.conn.cancelled = false
	err := t.Tx.Commit()
	if err == nil && t.conn.cancelled {
		return errNoStandby
	}
	return err
}

// notice hears what the server says beside its answers.
func (c *postgresConn) notice(_ *pgconn.PgConn, n *pgconn.Notice) {
	if waitCancelled(n) {
		c.cancelled = true
	}
	if n.SeverityUnlocalized == "WARNING" && c.engine.warned.isNew(n.Code+n.Message) {
		c.engine.log.Warn("PostgreSQL warns", "code", n.Code, "message", n.Message)
	}
}

// waitCancelled says whether a server tells that it stopped waiting for a
// standby. The text is in the server's language, the routine is not; who has
// none speaks English.
func waitCancelled(n *pgconn.Notice) bool {
	return n.Routine == "SyncRepWaitForLSN" || strings.Contains(n.Message, "wait for synchronous replication")
}

// warnings are what was said before, of some hundred things.
type warnings struct {
	mu   sync.Mutex
	seen map[string]bool
}

// isNew says whether it is said for the first time.
func (w *warnings) isNew(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen = map[string]bool{}
	}
	if w.seen[what] || len(w.seen) == 100 {
		return false
	}
	w.seen[what] = true
	return true
}
