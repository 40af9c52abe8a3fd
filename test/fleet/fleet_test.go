// Package fleet holds several nodes on one PostgreSQL to what they promise
// together: whoever asks any of them sees one history, which nodes that are
// killed, paused, restarted or replaced by a newer release neither lose from nor
// add to.
//
// What clients saw is written down by the tests, and judged without the code
// that made it.
package fleet

import (
	"context"
	"flag"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

// faults is how often a node is killed or paused. `make fleet` has more.
var faults = flag.Int("faults", 2, "how often a node of the fleet is killed or paused")

// public is what clients know the whole fleet by.
const public = "https://connections.example.com"

// binary has no race detector: these tests are about time and processes.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(drive.Main(m, func(dir string) (err error) {
		binary, err = drive.Build(dir, false)
		return err
	}))
}

// fleet is some nodes on one database, with the accounts of `mooring dev`.
type fleet struct {
	t     *testing.T
	world drive.Ready
	dsn   string
	key   string
	flags []string

	mu     sync.RWMutex
	nodes  []*node
	tokens map[string]string
}

// node is a place in the fleet, and the process that is there at the moment.
type node struct {
	*drive.Server
	client *drive.Client
}

func newFleet(t *testing.T, nodes int, flags ...string) *fleet {
	t.Helper()
	f := &fleet{t: t, dsn: storetest.Postgres(t), flags: flags, nodes: make([]*node, nodes), tokens: map[string]string{}}
	data := filepath.Join(t.TempDir(), "data")
	f.key = data + ".key"
	s, err := drive.Start(context.Background(), binary, "dev", "--database", f.dsn, "--data", data, "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.world = s.Ready
	if code, err := s.Stop(); err != nil || code != 0 {
		t.Fatalf("the seed ended with %d, %v\n%s", code, err, s.Log())
	}
	var all sync.WaitGroup
	for i := range f.nodes {
		all.Go(func() { f.start(i, binary) })
	}
	if all.Wait(); t.Failed() {
		t.FailNow()
	}
	for name, who := range f.world.Clients() {
		if f.tokens[name], err = f.nodes[0].client.Token(who); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// start puts a process into a place of the fleet, and returns when it is ready.
func (f *fleet) start(i int, binary string) {
	f.t.Helper()
	s, err := drive.ServeAnywhere(context.Background(), binary, f.args()...)
	if err != nil {
		f.t.Error(err)
		return
	}
	f.t.Cleanup(s.Kill)
	client := drive.NewClient(s.BaseURL)
	client.PublicURL = public
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes[i] = &node{Server: s, client: client}
}

// args are what nodes are started with.
func (f *fleet) args() []string {
	return append([]string{"serve", "--database", f.dsn, "--key-file", f.key, "--public-url", public, "--world", "T"}, f.flags...)
}

// node is what is in a place by now.
func (f *fleet) node(i int) *node {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.nodes[i]
}

// any is one of the nodes, dead or alive.
func (f *fleet) any() *node { return f.node(rand.IntN(len(f.nodes))) }

// header is that of a request of somebody, with a key unless it is "".
func (f *fleet) header(who, key string) http.Header {
	h := http.Header{"Authorization": {"Bearer " + f.tokens[who]}, "Content-Type": {"application/json"}}
	if key != "" {
		h.Set("Idempotency-Key", key)
	}
	return h
}
