package differential

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sameness knows which text of the one side stands for which of the other.
type sameness struct {
	began time.Time // when the run began
	by    [2]map[string]string
}

func newSameness() *sameness {
	return &sameness{time.Now().Add(-2 * time.Second), [2]map[string]string{{}, {}}}
}

// madeUp are texts that a server may have made up: times, ids, and whatever
// looks like a token.
var madeUp = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z` +
	`|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}` +
	`|wh(?:sec|pk)_[A-Za-z0-9+/=]+` +
	`|[A-Za-z0-9_-]{16,}` +
	`|\b[0-9a-f]{12}\b`)

// compare says where two texts differ by more than what stands for one another;
// "" when they do not. What it learns, it keeps if learn says so.
func (s *sameness) compare(a, b string, learn bool) string {
	inA, inB := madeUp.FindAllStringIndex(a, -1), madeUp.FindAllStringIndex(b, -1)
	at, bt := 0, 0
	for i := range max(len(inA), len(inB)) {
		if i >= len(inA) || i >= len(inB) {
			break // what follows is not the same, and is found to be so below
		}
		x, y := a[inA[i][0]:inA[i][1]], b[inB[i][0]:inB[i][1]]
		if a[at:inA[i][0]] != b[bt:inB[i][0]] || !s.standFor(x, y, learn) {
			return differ(a[at:], b[bt:])
		}
		at, bt = inA[i][1], inB[i][1]
	}
	if a[at:] != b[bt:] {
		return differ(a[at:], b[bt:])
	}
	return ""
}

func differ(a, b string) string { return fmt.Sprintf("%.1000q is not %.1000q", a, b) }

// standFor says whether one made up text may stand for another.
func (s *sameness) standFor(a, b string, learn bool) bool {
	if x, y := s.by[0][a], s.by[1][b]; x != "" || y != "" {
		return x == b && y == a
	}
	if a == b {
		return true
	}
	if x, err := time.Parse(time.RFC3339, a); err == nil {
		y, err := time.Parse(time.RFC3339, b)
		return err == nil && s.moment(x) == s.moment(y)
	}
	if learn && len(a) == len(b) {
		s.by[0][a], s.by[1][b] = b, a
	}
	return len(a) == len(b)
}

// step is how far apart two times are at least that are meant to differ. No run
// takes longer.
const step = 5 * time.Minute

// moment is a time as it must be equal: one that lies before the run exactly,
// another by how many steps it is after the beginning.
func (s *sameness) moment(at time.Time) string {
	since := at.Sub(s.began)
	if since < -time.Hour {
		return at.UTC().Format(time.RFC3339Nano)
	}
	return "+" + strconv.FormatInt(int64(since/step), 10)
}

// member is a text in a JSON object.
func member(t testing.TB, body []byte, name string) string {
	t.Helper()
	var object map[string]any
	must(t, json.Unmarshal(body, &object))
	text, ok := object[name].(string)
	if !ok {
		t.Fatalf("there is no %s in %s", name, body)
	}
	return text
}

// names are what requests call the things that the servers made: each side is
// asked for its own.
type names struct {
	pairs [][2]string
	known map[[2]string]string
	pools map[string][]string          // names, by what they are names of
	homes map[string]map[string]string // the parameters of the request that told of a name first
	home  map[string]string            // those of the current one
}

func newNames() *names {
	return &names{known: map[[2]string]string{}, pools: map[string][]string{}, homes: map[string]map[string]string{}}
}

// namePattern is how a name stands in a request.
var namePattern = regexp.MustCompile(`NAME[0-9]+EMAN`)

// put remembers something of a kind. What both sides call the same needs no
// name.
func (n *names) put(kind, a, b string) {
	pair := [2]string{a, b}
	name, known := n.known[pair]
	switch {
	case a == b:
		name = a
	case !known:
		name = fmt.Sprintf("NAME%dEMAN", len(n.pairs))
		n.pairs, n.known[pair] = append(n.pairs, pair), name
	}
	if n.homes[name] == nil {
		n.homes[name] = n.home
	}
	pool := n.pools[kind]
	for _, other := range pool[max(0, len(pool)-poolSize):] {
		if other == name {
			return
		}
	}
	n.pools[kind] = append(pool, name)
}

// poolSize is how many things of a kind are asked for: the newest.
const poolSize = 12

// of replaces the names in a text by what they stand for on a side.
func (n *names) of(side int, text string) string {
	return namePattern.ReplaceAllStringFunc(text, func(name string) string {
		i, err := strconv.Atoi(strings.Trim(name, "NAME"))
		if err != nil || i >= len(n.pairs) {
			return name
		}
		return n.pairs[i][side]
	})
}

// learn takes the ids, links and tokens out of a pair of answers.
func (n *names) learn(q request, a, b []byte) {
	var x, y any
	n.home = q.values
	if json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil {
		n.walk(q.kind, "", x, y)
	}
}

// walk goes through two values that are the same but for what is made up. An id
// is one of what its object is found under.
func (n *names) walk(kind, key string, a, b any) {
	switch x := a.(type) {
	case map[string]any:
		y, _ := b.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(x)) {
			under := name
			if name == "id" || name == "paging_token" || name == "created_by" {
				under = kind
			}
			n.walk(under, name, x[name], y[name])
		}
	case []any:
		y, _ := b.([]any)
		for i := range min(len(x), len(y)) {
			n.walk(kind, key, x[i], y[i])
		}
	case string:
		y, _ := b.(string)
		n.text(kind, key, x, y)
	}
}

func (n *names) text(kind, key, a, b string) {
	switch {
	case a == "" || b == "" || len(a) > 2000:
	case key == "id":
		n.put(strings.TrimSuffix(kind, "s"), a, b)
	case key == "paging_token", key == "next", key == "cursor", key == "last":
		n.put("page of "+kind, a, b)
	case key == "url" && strings.HasPrefix(a, publicURL+"/s/"):
		n.put("link", strings.TrimPrefix(a, publicURL+"/s/"), strings.TrimPrefix(b, publicURL+"/s/"))
	case key == "callback_token", key == "access_token", key == "case_id", key == "client_id", key == "account_id", key == "signup_id":
		n.put(strings.TrimSuffix(key, "_id"), a, b)
	}
}
