package stories

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mooring/test/drive"
)

// receiver takes messages on this machine, and answers with the status that
// the path names.
func receiver(ts *testscript.TestScript, _ *story, _ []string) {
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		if err != nil {
			status = http.StatusNotFound
		}
		w.Header().Set("Set-Cookie", "session=4711")
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("thanks for " + r.Header.Get("Event"))) // who asked sees what is missing
	}))
	ts.Defer(there.Close)
	ts.Setenv("receiver", there.URL)
}

// until asks until the answer is a list of so many.
func until(ts *testscript.TestScript, s *story, args []string) {
	if len(args) != 2 {
		ts.Fatalf("until takes a path and a number")
	}
	wanted, err := strconv.Atoi(args[1])
	ts.Check(err)
	tick, late := time.NewTicker(20*time.Millisecond), time.After(drive.Patience)
	defer tick.Stop()
	for {
		s.answer, err = s.ask(http.MethodGet, args[0], s.headers(false), nil)
		ts.Check(err)
		if itemsOf(s.answer.Body) >= wanted {
			return
		}
		select {
		case <-late:
			ts.Fatalf("the answer is %d: %s", s.answer.Status, s.answer.Body)
		case <-tick.C:
		}
	}
}

// itemsOf is how many items a list has, or a page.
func itemsOf(body []byte) int {
	var (
		list []json.RawMessage
		page struct{ Items []json.RawMessage }
	)
	if json.Unmarshal(body, &list) == nil {
		return len(list)
	}
	if json.Unmarshal(body, &page) == nil {
		return len(page.Items)
	}
	return 0
}
