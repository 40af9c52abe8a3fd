package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What a server refuses as a whole is sent in halves, until it is known which
// row it will not look at, also a server that takes its rows together.
func TestARowThatAServerWillNotLookAtKeepsNoOtherFromBeingTaken(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "odd") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"code":"INVALID_REQUEST_PARAMETER","message":"the row is odd"}}`)
			return
		}
		var in struct{ Accounts []json.RawMessage }
		if err := json.Unmarshal(body, &in); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, `{"rows":[`+strings.TrimSuffix(strings.Repeat(`{"outcome":"created","problems":[]},`, len(in.Accounts)), ",")+`]}`)
	}))
	defer server.Close()
	i := &importer{server: &remote{base: server.URL, http: server.Client(), header: http.Header{}}}
	rows := [][]byte{[]byte(`{"id":"a"}`), []byte(`{"id":"b"}`), []byte(`{"id":"odd <>"}`), []byte(`{"id":"c"}`), []byte(`{"id":"d"}`)}
	told, err := i.ask(context.Background(), rows)
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []string
	for _, v := range told {
		outcomes = append(outcomes, v.Outcome)
	}
	if got := strings.Join(outcomes, " "); got != "created created refused created created" || !strings.Contains(told[2].Problems[0].Message, "the row is odd") {
		t.Errorf("got %s: %+v", got, told)
	}
	if calls > 7 {
		t.Errorf("it took %d calls", calls)
	}
}
