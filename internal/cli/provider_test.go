package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// jetty is a provider of an operator, as small as a file can be.
const jetty = `slug: jetty
title: Jetty
about: Lets shoppers pay at the jetty.
prefix: Jetty
schema: 1
operations:
  post: {id: jetty_post, evidence: extension, summary: Apply for Jetty}
  get: {id: jetty_get, evidence: extension, summary: Read the Jetty connection}
signup:
  model: single
  view: {data: inline}
versions:
  1:
    request:
      type: object
      required: [shop]
      properties:
        shop: {type: string}
        owners:
          type: array
          items: {type: object, properties: {number: {type: string, class: identity}}}
    configuration:
      type: object
      properties: {key: {type: string, writeOnly: true, class: secret}}
events:
  signup_received: {status: pending, turn: provider, wait: 2d, meaning: {en: The application was received.}}
scenarios:
  happy: {summary: Nothing happens.}
examples:
  valid:
    - {summary: A shop, signup: {shop: Quay}}
  invalid:
    - {summary: Nothing, signup: {}, wrong: /shop}
    - {summary: A number, signup: {shop: 1}, wrong: /shop}
    - {summary: A list, signup: {shop: []}, wrong: /shop}
`

func jettyIn(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "jetty.yaml")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestAGoodProviderFileIsToldWhatWasChecked(t *testing.T) {
	dir := t.TempDir()
	path := jettyIn(t, dir, jetty)
	for name, args := range map[string][]string{
		"a file":                         {"provider", "check", path},
		"a file of the directory beside": {"provider", "check", "--providers", dir, path},
	} {
		code, out, errs := run(t, args...)
		if code != exitDone || errs != "" {
			t.Errorf("%s: exit %d, %s", name, code, errs)
		}
		for _, part := range []string{path + ": good", "Jetty (jetty), version 1", "1 example that must be accepted and 3 that must be refused"} {
			if !strings.Contains(out, part) {
				t.Errorf("%s: %q is not in\n%s", name, part, out)
			}
		}
	}
}

func TestAFileOfAProviderInTheProgramIsCheckedInPlaceOfIt(t *testing.T) {
	const vipps = "../../providers/vipps.yaml"
	if code, out, errs := run(t, "provider", "check", vipps); code != exitDone || !strings.Contains(out, vipps+": good") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	text, err := os.ReadFile(vipps)
	must(t, err)
	dir := t.TempDir()
	own := filepath.Join(dir, "vipps.yaml")
	must(t, os.WriteFile(own, text, 0o600))
	for _, args := range [][]string{{"check", "--providers", dir, own}, {"list", "--providers", dir}} { // no server would take it beside its own
		code, out, errs := run(t, append([]string{"provider"}, args...)...)
		if code != exitFailed || out != "" || !strings.Contains(errs, own+":1:1: the name \"vipps\" is taken by vipps.yaml in the program: choose another\n") {
			t.Errorf("%s: exit %d, %s%s", args[0], code, out, errs)
		}
	}
	must(t, os.WriteFile(own, []byte(strings.Replace(string(text), "slug: vipps", "slug: swish", 1)), 0o600))
	if code, _, errs := run(t, "provider", "check", own); code != exitFailed || !strings.Contains(errs, own+":1:1: the file of the provider swish must be named swish.yaml") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestABadProviderFileIsToldWhereItIsBad(t *testing.T) {
	dir := t.TempDir()
	other := jettyIn(t, t.TempDir(), jetty)
	for name, test := range map[string]struct {
		text string
		args []string
		says []string
	}{
		"two mistakes":              {strings.NewReplacer("title", "titel", "model: single", "model: double").Replace(jetty), nil, []string{":2:1: \"titel\"", ":10:3: ", "3 problems"}},
		"a name in the program":     {strings.ReplaceAll(jetty, "prefix: Jetty", "prefix: Vipps"), nil, []string{":4:1: the prefix \"Vipps\" is taken by vipps.yaml in the program: choose another"}},
		"a name of another file":    {jetty, []string{"--providers", filepath.Dir(other)}, []string{":1:1: the name \"jetty\" is taken by " + other}},
		"what does not fit the API": {strings.ReplaceAll(jetty, "jetty_get", "health_get"), nil, []string{":1:1: does not fit into the API", "1 problem in"}},
	} {
		path := jettyIn(t, dir, test.text)
		code, out, errs := run(t, append([]string{"provider", "check", path}, test.args...)...)
		if code != exitFailed || out != "" {
			t.Errorf("%s: exit %d, %s", name, code, out)
		}
		for _, part := range test.says {
			if !strings.Contains(errs, part) {
				t.Errorf("%s: %q is not in\n%s", name, part, errs)
			}
		}
	}
	if code, _, errs := run(t, "provider", "check", filepath.Join(dir, "none.yaml")); code != exitFailed || !strings.Contains(errs, "none.yaml:1:1: no such file") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if code, _, errs := run(t, "provider", "list", "--providers", filepath.Join(dir, "none")); code != exitFailed || !strings.Contains(errs, "no such file") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestProvidersAreListedAndShown(t *testing.T) {
	dir := t.TempDir()
	path := jettyIn(t, dir, jetty)
	_, out, _ := run(t, "provider", "list", "--providers", dir)
	row := strings.Fields(lineWith(t, out, "jetty"))
	if strings.Join(row, " ") != "jetty Jetty 1 3 - - 1" || !strings.Contains(out, "vipps") {
		t.Errorf("%v in\n%s", row, out)
	}
	var all []struct{ Slug, File string }
	_, out, _ = run(t, "provider", "list", "--json", "--providers", dir)
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) < 2 {
		t.Errorf("%v, %s", err, out)
	}
	_, out, errs := run(t, "provider", "show", "jetty", "--providers", dir)
	for _, part := range []string{
		"Jetty (jetty), version 1, from " + path, "GET   /v1/accounts/{aid}/management/settings/connections/jetty\n",
		"  /shop              string  required\n", "  /owners/[]/number  string  identity\n", "  /key  string  secret, never shown\n",
		"  signup_received  pending  provider, 2d  The application was received.\n", "  happy  0m  Nothing happens.\n",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("%q is not in\n%s%s", part, out, errs)
		}
	}
	var fragment struct {
		Paths      map[string]any
		Components struct{ Schemas map[string]any }
	}
	_, out, _ = run(t, "provider", "show", "jetty", "--providers", dir, "--openapi")
	if err := json.Unmarshal([]byte(out), &fragment); err != nil || len(fragment.Paths) == 0 || fragment.Components.Schemas["JettySignup"] == nil {
		t.Errorf("%v, %s", err, out)
	}
	if code, _, errs := run(t, "provider", "show", "jetty"); code != exitFailed || !strings.Contains(errs, "no such provider") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func lineWith(t *testing.T, text, word string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, word) {
			return line
		}
	}
	t.Errorf("no line begins with %s in\n%s", word, text)
	return ""
}

func TestServeRefusesToStartWithABadProviderFile(t *testing.T) {
	own := t.TempDir()
	path := jettyIn(t, own, strings.Replace(jetty, "title", "titel", 1))
	code, _, errs := run(t, "serve", "--data", initData(t), "--listen", "127.0.0.1:0", "--public-url", "http://127.0.0.1:8080", "--providers", own)
	if code != exitFailed || !strings.Contains(errs, path+":2:1: \"titel\" does not belong here") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if says := refusal(t, initData(t), "--providers", filepath.Join(own, "none")); !strings.Contains(says, "no such file or directory") {
		t.Error(says)
	}
}
