package simulator

import (
	"testing"
	"time"

	"mooring/internal/connection"
)

func TestBlanksAreFilledInFromTheSignup(t *testing.T) {
	signup := connection.Signup{
		ID: "s-1", Data: []byte(`{"case_id":"say \"hi\"","a/b":{"list":[1,"two"]}}`),
		CreatedAt: time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC),
	}
	for text, want := range map[string]string{
		`{"a":"{signup.id} and {signup.id}"}`:  `{"a":"s-1 and s-1"}`,
		`{"a":"{signup:/case_id}"}`:            `{"a":"say \"hi\""}`,
		`{"a":"{signup:/a~1b/list/1}"}`:        `{"a":"two"}`,
		`{"a":"{signup:/a~1b/list/0}"}`:        `{"a":"1"}`,
		`{"a":"{signup:/a~1b/list/7}"}`:        `{"a":""}`,
		`{"a":"{signup:/nothing/there}"}`:      `{"a":""}`,
		`{"a":"{signup+90m}"}`:                 `{"a":"2026-05-12T11:00:00Z"}`,
		`{"a":"{signup+2d}"}`:                  `{"a":"2026-05-14T09:30:00Z"}`,
		`{"a":"{other} {signup} {signup+2y}"}`: `{"a":"{other} {signup} {signup+2y}"}`,
	} {
		if got := string(fill([]byte(text), signup)); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}
