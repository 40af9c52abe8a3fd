package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/secret"
)

const canary = "canary-5d1f/+ <&>"

// holder is a struct that was not written with secrets in mind.
type holder struct {
	Exported secret.Plain
	hidden   secret.Plain
	list     []secret.Plain
	byName   map[string]secret.Plain
	pointer  *secret.Plain
	any      any
}

func holding(p secret.Plain) holder {
	return holder{p, p, []secret.Plain{p}, map[string]secret.Plain{"k": p}, &p, p}
}

// leaks finds the canary in any of the forms in which bytes travel.
func leaks(output string) bool {
	forms := []string{
		canary, base64.StdEncoding.EncodeToString([]byte(canary)), base64.RawURLEncoding.EncodeToString([]byte(canary)),
		hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary))),
		url.QueryEscape(canary), "canary-5d1f", "99 97 110 97", "0x63, 0x61, 0x6e", "63 61 6e 61",
	}
	for _, form := range forms {
		if strings.Contains(output, form) {
			return true
		}
	}
	return false
}

func TestASecretShowsItselfAsTheMarkWhicheverVerbPrintsIt(t *testing.T) {
	p := secret.NewPlain(canary)
	verbs := "vTtbcdoOqxXUeEfFgGspw%!z"
	flags := []string{"", "+", "#", " ", "0", "-", "+#", "12", ".3", "# "}
	for _, verb := range verbs {
		for _, flag := range flags {
			format := "%" + flag + string(verb)
			for _, value := range []any{p, &p, holding(p), new(holding(p)), []any{p}, [1]secret.Plain{p}, errors.Join(fmt.Errorf("x %v", p))} {
				if out := fmt.Sprintf(format, value); leaks(out) {
					t.Errorf("%s of %T printed %q", format, value, out)
				}
			}
		}
	}
	for _, verb := range "vsdxXqU" {
		if out := fmt.Sprintf("%"+string(verb), p); out != secret.Mark {
			t.Errorf("%%%c printed %q, want the mark", verb, out)
		}
	}
	if out := fmt.Sprint(p) + fmt.Sprintln(p) + p.String(); leaks(out) {
		t.Errorf("printed %q", out)
	}
}

func TestASecretIsLoggedAsTheMark(t *testing.T) {
	var out bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	p := secret.NewPlain(canary)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, options), slog.NewJSONHandler(&out, options)} {
		log := slog.New(handler)
		log.Debug("x", "p", p, "pointer", &p, "holder", holding(p), "list", []secret.Plain{p}, slog.Group("g", "p", p))
		log.With("p", p).Error("x", "error", fmt.Errorf("because of %v and %#v", p, p))
	}
	if leaks(out.String()) {
		t.Errorf("logged %s", out.String())
	}
	if !strings.Contains(out.String(), `"p":"[secret]"`) {
		t.Errorf("no mark in %s", out.String())
	}
}

type document struct{ P secret.Plain }

func TestASecretIsEncodedAsTheMark(t *testing.T) {
	p := secret.NewPlain(canary)
	text, err := json.Marshal(map[string]any{"p": p, "pointer": &p, "holder": holding(p)})
	if err != nil || leaks(string(text)) || !strings.Contains(string(text), `"p":"[secret]"`) {
		t.Errorf("JSON is %s, %v", text, err)
	}
	if text, err = xml.Marshal(document{p}); err != nil || leaks(string(text)) {
		t.Errorf("XML is %s, %v", text, err)
	}
	var out bytes.Buffer
	if _ = gob.NewEncoder(&out).Encode(p); leaks(out.String()) {
		t.Errorf("gob is %q", out.String())
	}
}

func TestASecretIsRevealedOnlyOnPurpose(t *testing.T) {
	p := secret.NewPlain(canary)
	if p.Reveal() != canary {
		t.Errorf("revealed %q", p.Reveal())
	}
	if (secret.Plain{}).Reveal() != "" {
		t.Error("the zero secret is not empty")
	}
	if !p.Equal(secret.NewPlain(canary)) || p.Equal(secret.NewPlain(canary+"x")) || p.Equal(secret.Plain{}) {
		t.Error("secrets are not compared by their text")
	}
	if diff := cmp.Diff(p, secret.NewPlain("other")); diff == "" || leaks(diff) {
		t.Errorf("the difference reads %s", diff)
	}
}
