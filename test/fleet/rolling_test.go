package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"mooring/test/drive"
)

// TestARollingUpgradeFailsNobody replaces one node after the other under load,
// while the schema is already that of the next release. Who repeats what was
// not answered is answered, and what is under way at a node that stops is
// finished. A release that the schema is not for does not serve it.
func TestARollingUpgradeFailsNobody(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3, "--drain-delay", "4s")
	l := newLoad(f)
	l.run()
	routed := newRouter(l)
	l.await(between)
	known := f.nextSchema()
	for i := range min(*faults, len(f.nodes)) {
		old := routed.leave(i)
		if code, err := old.Stop(); err != nil || code != 0 {
			t.Errorf("node %d ended with %d, %v", i, code, err)
		}
		f.start(i, binary)
		routed.back()
		if log := f.node(i).Log(); !strings.Contains(log, "a newer release of mooring changed the schema") {
			t.Errorf("a node beside a newer schema says nothing of it:\n%s", log)
		}
		l.await(between)
	}
	l.stop()
	all := map[string]history{}
	for _, slug := range connections {
		all[slug] = f.read(slug, f.insist)
		f.checkDense(slug, all[slug])
	}
	l.check(t, all)

	f.sql("UPDATE schema_floor SET oldest = schema WHERE schema > $1", known)
	for i := range f.nodes {
		f.awaitNotReady(f.node(i))
	}
	s, err := drive.Launch(binary, append(f.args(), "--listen", "127.0.0.1:0")...)
	if err != nil {
		t.Fatal(err)
	}
	if code, err := s.Wait(); err != nil || code != 1 || !strings.Contains(s.Log(), "run the newer release of mooring") {
		t.Errorf("started with %d, %v\n%s", code, err, s.Log())
	}
}

// router sends requests that nobody repeats, to nodes that are not leaving.
type router struct {
	*load
	mu      sync.Mutex
	leaving int
}

// newRouter routes for two clients.
func newRouter(l *load) *router {
	r := &router{load: l, leaving: -1}
	for c := range 2 {
		l.all.Go(func() {
			l.each(func(n int) {
				in := input{kind: appends, connection: connections[n%len(connections)], status: "pending", name: fmt.Sprintf("routed%d_n%d", c, n)}
				l.note(clients+c, in, func() output { return r.post(in) })
			})
		})
	}
	return r
}

func (r *router) post(in input) output {
	answer, err := r.pick().client.Do(http.MethodPost, r.eventsOf(in.connection), r.header("partner", ""),
		fmt.Appendf(nil, `{"status":%q,"event":%q}`, in.status, in.name))
	if err != nil {
		r.t.Errorf("event %s was routed to a node and not answered: %v", in.name, err)
		return output{unknown: true}
	}
	return r.recorded(answer)
}

// pick is one of the nodes that are not leaving.
func (r *router) pick() *node {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := rand.IntN(len(r.nodes))
	if i == r.leaving {
		i = (i + 1) % len(r.nodes)
	}
	return r.node(i)
}

// leave has requests go elsewhere.
func (r *router) leave(i int) *node {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaving = i
	return r.node(i)
}

// back has requests go everywhere again.
func (r *router) back() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaving = -1
}

// nextSchema does what the next release does to the schema, and allows this one
// to work beside it. It returns the newest schema that this one knows.
func (f *fleet) nextSchema() (known int64) {
	f.t.Helper()
	f.query("SELECT max(version_id) FROM goose_db_version", &known)
	f.sql("ALTER TABLE account ADD COLUMN next_release text")
	f.sql("INSERT INTO schema_floor (schema, oldest) VALUES ($1, $2)", known+1, known)
	f.sql("INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)", known+1)
	return known
}

func (f *fleet) sql(statement string, args ...any) {
	f.t.Helper()
	conn := connect(f.t, f.dsn)
	if _, err := conn.Exec(context.Background(), statement, args...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) query(statement string, into any) {
	f.t.Helper()
	if err := connect(f.t, f.dsn).QueryRow(context.Background(), statement).Scan(into); err != nil {
		f.t.Fatal(err)
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// awaitNotReady waits until a node says that nothing is to be sent to it.
func (f *fleet) awaitNotReady(n *node) {
	f.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if answer, err := n.client.Do(http.MethodGet, "/readyz", http.Header{}, nil); err == nil && answer.Status == http.StatusServiceUnavailable {
			return
		}
	}
	f.t.Error("a node serves a schema that it does not know")
}
