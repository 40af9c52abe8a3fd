package stories

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// tooOften is how often a request is made at most that is to be refused for that.
const tooOften = 100

// flood makes a request again and again until there were too many: a limit that
// recovers with time is not reached by a number of requests, on a slow machine.
func flood(ts *testscript.TestScript, s *story, args []string) {
	if len(args) < 2 {
		ts.Fatalf("say flood METHOD /path [body]")
	}
	for n := range tooOften {
		numbered := make([]string, len(args)-1)
		for i, part := range args[1:] {
			numbered[i] = strings.ReplaceAll(part, "<n>", strconv.Itoa(n))
		}
		s.make(ts, args[0], numbered)
		if s.answer.Status == http.StatusTooManyRequests {
			break
		}
		s.expected = true
	}
	s.extra, s.expected = nil, false
}
