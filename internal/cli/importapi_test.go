package cli

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// reading reads a server whose pages are given, by what they start after.
func reading(t *testing.T, pages map[string]string) *upstreamReader {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Query().Get("starting_after")]
		if !ok {
			page = `[]`
		}
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(up.Close)
	return &upstreamReader{
		ctx: context.Background(), server: &remote{base: up.URL, http: up.Client()}, account: "T11200000",
		seen: map[string]bool{"": true}, unseen: map[unseen]int{},
	}
}

// all reads to the end, and gives the ids and what is wrong.
func all(r *upstreamReader) (told []string, err error) {
	for {
		row, err := r.next()
		if err != nil {
			return told, err
		}
		said := row.id
		for _, p := range row.wrong {
			said += "!" + p.Path + ":" + p.Code
		}
		told = append(told, said)
	}
}

func TestAListThatRepeatsItselfIsNotTakenForTheEnd(t *testing.T) {
	for name, pages := range map[string]map[string]string{
		"at once": {
			"":  `[{"account_id": "T11200001", "paging_token": "a"}]`,
			"a": `[{"account_id": "T11200001", "paging_token": "a"}]`,
		},
		"in a circle": {
			"":  `[{"account_id": "T11200001", "paging_token": "a"}]`,
			"a": `[{"account_id": "T11200002", "paging_token": "b"}]`,
			"b": `[{"account_id": "T11200001", "paging_token": "a"}]`,
		},
	} {
		if _, err := all(reading(t, pages)); err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "repeats itself") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, last := range map[string]string{"nothing": `[]`, "accounts without tokens": `[{"account_id": "T11200002"}]`} {
		pages := map[string]string{"": `[{"account_id": "T11200001", "paging_token": "a"}]`, "a": last}
		if _, err := all(reading(t, pages)); !errors.Is(err, io.EOF) {
			t.Errorf("a last page of %s: %v", name, err)
		}
	}
}

func TestAnOddAccountOfAnotherServerStopsNoOther(t *testing.T) {
	told, err := all(reading(t, map[string]string{"": `[5, null, {"account_id": 5}, {"account_id": "T11200001", "connections": {"vipps": 5}}, {"account_id": "T11200002"}]`}))
	if got := strings.Join(told, " "); !errors.Is(err, io.EOF) ||
		got != "!:INVALID_TYPE !:INVALID_TYPE !account_id:REQUIRED T11200001!connections:INVALID_TYPE T11200002" {
		t.Errorf("read %q, %v", got, err)
	}
}
