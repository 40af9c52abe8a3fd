package differential

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mooring/internal/gate"
	"mooring/internal/server"
	"mooring/test/drive"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the seed of the first run")
	runs      = flag.Int("runs", 1, "how many runs there are, each with the next seed")
	length    = flag.Int("length", 500, "how many requests a run sends")
)

// TestBothEnginesAnswerAndStoreTheSame is the whole of it. A run that fails
// names its seed; -seed N -runs 1 does the same again.
func TestBothEnginesAnswerAndStoreTheSame(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+uint64(*runs); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { newRun(t, seed).all(*length) })
	}
}

// run is one sequence of requests.
type run struct {
	*maker
	t     *testing.T
	sides [2]*side
	same  *sameness
	ops   []*gate.Operation
	past  []string    // what was asked, and how it was answered
	seen  map[int]int // how many answers had a status
}

func newRun(t *testing.T, seed uint64) *run {
	t.Helper()
	r := &run{t: t, sides: newSides(t), same: newSameness(), seen: map[int]int{}}
	published, err := r.sides[0].client.Do(http.MethodGet, "/openapi.json", http.Header{}, nil)
	must(t, err)
	document, err := gate.Parse(published.Body)
	must(t, err)
	r.maker = &maker{Rand: rand.New(rand.NewPCG(seed, 0)), document: document, names: newNames()}
	for _, op := range document.Operations() {
		if !slices.Contains(unasked, op.ID) {
			r.ops = append(r.ops, slices.Repeat([]*gate.Operation{op}, often(op))...)
		}
	}
	return r
}

// all sends as many requests, first of all some that make what others speak of.
func (r *run) all(n int) {
	for i := range n {
		op := one(r.maker, r.ops)
		for i < n/3 && op.Method == http.MethodGet || op.Method == http.MethodDelete && r.chance(60) {
			op = one(r.maker, r.ops)
		}
		r.calm = i < n/3 || r.chance(50)
		r.send(r.request(op))
		if r.t.Failed() {
			return
		}
	}
	r.t.Logf("answers by status: %v", r.seen)
	for _, s := range r.sides {
		s.told(r.t)
	}
	r.compareRows()
}

// often is how many times as often as another an operation is asked. Those of
// single providers are many and alike.
func often(op *gate.Operation) int {
	switch {
	case op.Function == "connection.read" || op.Function == "connection.release":
		return 1
	case strings.HasPrefix(op.Function, "connection."):
		return 2
	case op.Body != nil && schemeOf(op) != "":
		return 6
	}
	return 4
}

// send asks both sides, and compares the answers.
func (r *run) send(q request) {
	var answers [2]drive.Answer
	var asked [2]request
	now := server.Now() // for both: what is due a moment later is so for neither
	for i, s := range r.sides {
		s.told(r.t) // what is asked for begins with what is in the log
		asked[i] = r.asked(i, q)
		var err error
		if answers[i], err = s.client.Do(q.method, asked[i].target, asked[i].header, asked[i].body); err != nil {
			r.t.Fatalf("%s: %v", asked[i], err)
		}
		if q.op.ID == "account_clock_post" {
			_, err := s.server.Store().TellStalls(r.t.Context(), now, 1000)
			must(r.t, err)
		}
	}
	a, b := answers[0], answers[1]
	r.seen[a.Status]++
	r.past = append(r.past, fmt.Sprintf("%s\n   %d %.300s", q, a.Status, a.Body))
	switch diff := r.same.compare(said(a), said(b), true); {
	case diff != "":
		r.t.Errorf("SQLite and PostgreSQL do not answer the same: %s\n%s\nSQLite: %d %.3000s\nPostgreSQL: %d %.3000s\nbefore:\n%s",
			diff, asked[0], a.Status, a.Body, b.Status, b.Body, r.before())
	case a.Status >= 500:
		r.t.Errorf("both fail at %s: %d %s\nbefore:\n%s", asked[0], a.Status, a.Body, r.before())
	}
	r.names.learn(q, a.Body, b.Body)
	if strings.HasPrefix(q.op.Function, "connection.signup") && a.Status == http.StatusOK {
		r.applied = append(r.applied, q.values)
	}
}

// asked is a request with what one side calls its own.
func (r *run) asked(side int, q request) request {
	q.target = r.names.of(side, q.target)
	if q.body != nil {
		q.body = []byte(r.names.of(side, string(q.body)))
	}
	header := http.Header{}
	for name, values := range q.header {
		header.Set(name, r.names.of(side, values[0]))
	}
	switch {
	case q.basic:
		header.Set("Authorization", r.sides[side].basic[q.caller])
	case q.caller != "":
		header.Set("Authorization", "Bearer "+r.sides[side].tokens[q.caller])
	}
	q.header = header
	return q
}

// said is an answer as it must be the same: without what names the request and
// the moment, and without what only sums up the body.
func said(answer drive.Answer) string {
	header := answer.Header.Clone()
	id := header.Get("X-Request-Id")
	for _, name := range []string{"X-Request-Id", "Date", "Content-Length"} { // the body shows where it is longer
		header.Del(name)
	}
	var text strings.Builder
	fmt.Fprintln(&text, answer.Status)
	for _, name := range slices.Sorted(maps.Keys(header)) {
		fmt.Fprintln(&text, name, header[name])
	}
	body := strings.ReplaceAll(string(answer.Body), id, "REQUEST")
	return text.String() + clocks.ReplaceAllString(body, `"ahead_seconds":0`)
}

// clocks are how far those of test accounts are ahead: some went to a moment,
// from whenever they were asked to.
var clocks = regexp.MustCompile(`"ahead_seconds":[0-9]+`)

// before are the last few requests.
func (r *run) before() string { return strings.Join(r.past[max(0, len(r.past)-6):], "\n") }
