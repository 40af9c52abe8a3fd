package stories

import (
	"bytes"
	"flag"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

// On the strict profile a story is told as careful clients tell it: each of
// its writes has an Idempotency-Key, and what was not done, or nobody knows, is
// asked again. Then it must be the same story.

// often is how often the database of a story fails. A commit in eight is one
// of which nobody hears.
var often = storetest.Faults{Seed: 1, Conflicts: 0.02, Unknown: 0.12, Cuts: 0.002}

// knows are stories that an unknown outcome makes another story, and why.
var knows = map[string]string{
	"idempotency":          "tells which answer is the first",
	"clients":              "a rotation takes no key, as its answer is not kept: asked again, it makes another secret",
	"hooks":                "so it is with secrets of subscriptions, and a ping that is asked for again is another ping",
	"clock":                "a clock that is moved in several transactions may have moved in part, and moves again",
	"queue":                "so it does here",
	"simulate":             "so it does here: a step whose outcome nobody knows stays due, and the move ends before it",
	"progress":             "so it does here",
	"told":                 "so it does here",
	"page":                 "what a merchant decides on a page is played as such steps: it is asked again, and decides again",
	"page-decline":         "so it does here",
	"assertion":            "an assertion proves a client once, whoever heard of it",
	"callbacks":            "a provider that calls again is told that it did before",
	"documented-callbacks": "so it is here",
	"keys-later":           "so it is here",
	"late-report":          "so it is here",
	"inbox":                "a call that is judged again, and again because nobody heard of that, was judged once more",
	"exchange":             "a token that is asked for again is another token, and both are remembered",
	"revoke":               "a token that ended itself, or was good for once, is not good for asking again",
	"ranges":               "so it is here",
	"seed-mastercard-3ds":  "a provider is asked once in a few seconds: what it said and nobody heard of is not there yet",
	"mastercard-3ds":       "so it is here",
	"gateways":             "so it is here",
	"import":               "an import that is asked for again finds what it made",
}

var wholeStrict = flag.Bool("strict", false, "tell all stories on a strict database, not only those that write most")

// writing are the stories that write most.
var writing = []string{
	"accounts", "credentials", "erase", "events", "feed", "hook-deliveries", "leaving", "seed-mastercard-3ds",
}

// strictOnes are the files of stories that are told on a strict database.
func strictOnes() (files []string) {
	if *wholeStrict {
		return nil
	}
	for _, name := range writing {
		files = append(files, name+".txtar")
	}
	return files
}

func strictly(tb testing.TB, s *story) {
	s.strict = storetest.StrictBefore(tb, storetest.Postgres(tb), storetest.Faults{})
	s.database = s.strict.URL
	s.faults = often
	if name := tb.Name(); knows[name[strings.LastIndex(name, "/")+1:]] != "" {
		s.faults.Unknown = 0
	}
}

// sure lets commits have an outcome that is known, while a server starts: one
// that does not know how its start went says so, and ends.
func (s *story) sure() {
	if s.strict != nil {
		known := s.faults
		known.Unknown = 0
		s.strict.Set(known)
	}
}

func (s *story) unsure() {
	if s.strict != nil {
		s.strict.Set(s.faults)
	}
}

// patience is how often a request is made that nobody knows the outcome of.
const patience = 40

// ask sends a request, and sends it again when its outcome is not known.
func (s *story) ask(method, target string, header http.Header, body []byte) (answer drive.Answer, err error) {
	if s.strict != nil && method != http.MethodGet && header.Get("Idempotency-Key") == "" {
		header.Set("Idempotency-Key", uuid.NewString())
	}
	for range patience {
		answer, err = s.client.Do(method, target, header, body)
		if err != nil || s.strict == nil || !notDone(answer) {
			break
		}
	}
	return answer, err
}

// notDone says whether a client is to ask again.
func notDone(a drive.Answer) bool {
	return a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "" &&
		(bytes.Contains(a.Body, []byte("the outcome is unknown")) || bytes.Contains(a.Body, []byte("nothing was written")) ||
			bytes.Contains(a.Body, []byte("the database does not answer")))
}

// login gets a token, from a token endpoint that may not be able to give one
// at once.
func (s *story) login(who drive.Credentials) (token string, err error) {
	for range patience {
		token, err = s.client.Token(who)
		if err == nil || s.strict == nil {
			break
		}
	}
	return token, err
}
