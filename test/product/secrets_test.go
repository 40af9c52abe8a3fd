package product

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"mooring/test/drive"
)

// TestNoMarkerLeavesItsSeal gives every member that any provider file calls
// secret, personal or an account number a value of its own, in signups, in
// callbacks that are taken and in ones that are refused, and then searches
// everything that came out, hooks among it, and everything that is kept. Only the connection's
// own GET may show what the file says it shows, and nothing else.
func TestNoMarkerLeavesItsSeal(t *testing.T) {
	onBothEngines(t, searchForMarkers)
}

func searchForMarkers(t *testing.T, args ...string) {
	dir := filepath.Join(t.TempDir(), "data")
	s := dev(t, append(args, "--data", dir, "--listen", "127.0.0.1:0", "--log-level", "debug", "--log-format", "json")...)
	held := tokens(t, s)
	hooks := newHookCollector(t, s, held)
	var lives []*canary
	for _, d := range descriptions(t) {
		c := &canary{life: newLife(t, d, s, held), markers: map[string]int{}, names: map[string]string{}}
		c.live()
		lives = append(lives, c)
	}
	home := map[string][]byte{}
	// Not even what the connection's own GET shows may be in the map of an account.
	list, settings := "/v1/accounts/T112/management/accounts?limit=100", "/v1/accounts/"+lives[0].account+"/management/settings"
	feed := "/v1/accounts/T00000000/feed?limit=1000"
	for _, place := range []string{"/metrics", "/v1/operator/credentials/expiring", list, settings, feed} {
		home[place] = lives[0].call("platform", http.MethodGet, place, nil, http.StatusOK).Body
	}
	if n := strings.Count(string(home[feed]), `"event":"account_connection_update"`); n < 5*len(lives)/2 {
		t.Errorf("the feed tells of %d events of connections: %s", n, home[feed])
	}
	hooks.await(home[feed])
	maps.Copy(home, hooks.details())
	for _, place := range []string{list, settings} {
		if n := strings.Count(string(home[place]), `"configuration":{`); n < 5 {
			t.Errorf("%s shows %d configurations: %s", place, n, home[place])
		}
	}
	home["the log"] = []byte(s.Log())
	if code, err := s.Stop(); err != nil || code != 0 {
		t.Fatalf("ended with %d, %v", code, err)
	}
	var kept map[string][]byte
	if len(args) > 0 {
		kept = databaseRows(t, args[1])
	} else {
		kept = databaseFiles(t, dir)
	}
	maps.Copy(home, kept)
	home["the hooks"] = hooks.all()
	for _, secret := range hooks.secrets {
		for place, text := range home {
			search(t, "the secret of a hook", secret, place, text)
		}
	}
	sown, disclosed := 0, 0
	for _, c := range lives {
		sown += len(c.markers)
		for marker, rule := range c.markers {
			name := c.Slug + "'s " + c.names[marker] + " " + marker
			for place, text := range home {
				search(t, name, marker, place, text)
			}
			for _, answer := range c.answers {
				search(t, name, marker, answer.Method+" "+answer.Target, answer.Body)
			}
			shown := false
			for _, answer := range c.reads {
				shown = shown || contains(answer.Body, marker)
			}
			if shown {
				disclosed++
			}
			if shown && rule != own {
				t.Errorf("%s is in the connection's own GET", name)
			}
		}
	}
	if sown < 40 || disclosed < 3 {
		t.Errorf("only %d markers were sown, of which %d were shown to their owner", sown, disclosed)
	}
}

// canary is a connection whose secrets are all markers.
type canary struct {
	*life
	markers map[string]int    // with the rule of what may be shown
	names   map[string]string // of the members they stand for
}

func (c *canary) live() {
	var signup map[string]any
	var body []byte
	if c.request() != nil {
		signup = c.sow("signup", c.request(), c.Examples.Valid[0].Signup).(map[string]any)
		body = c.wrapped(signup)
	}
	c.refuse("merchant", c.method(), c.base(c.account), []byte(strings.Replace(string(body), "{", `{"`+c.marker("name", hidden)+`":1,`, 1)+"}"))
	c.under("signup", "merchant", c.method(), c.base(c.account), body)
	events := "/v1/accounts/" + c.account + "/connections/" + c.Slug + "/signups/" + c.newest() + "/events"
	if c.Callback != nil {
		c.documented(signup)
	} else {
		c.tokens["callback"] = c.completion(signup).token
	}
	if c.configuration() != nil {
		// Beside an enabled connection this is refused, and kept in the inbox.
		configuration := c.sow("report", c.configuration(), map[string]any{})
		report := text(map[string]any{"status": "pending", "event": "noted", "configuration": configuration})
		answer, err := c.client.Do(http.MethodPost, events, bearer(c.tokens["callback"]), report)
		if err != nil || answer.Status >= 500 {
			c.t.Errorf("%s: %d, %v", events, answer.Status, err)
		}
		c.answers = append(c.answers, answer)
	}
	c.read()
	c.lookAround()
	c.call("merchant", http.MethodGet, "/v1/accounts/"+c.account+"/connections/"+c.Slug, nil, http.StatusOK)
	for _, one := range decode[[]struct{ ID string }](c.t, c.call("platform", http.MethodGet, c.operator("callbacks?limit=100"), nil, http.StatusOK)) {
		c.call("platform", http.MethodGet, c.operator("callbacks/"+one.ID), nil, http.StatusOK)
	}
}

// documented completes the signup, after calls that have secrets in places
// where none belongs.
func (c *canary) documented(signup map[string]any) {
	schema := c.Versions[fmt.Sprint(c.Schema)].Callback
	call := c.completion(signup)
	c.tokens["callback"] = call.token
	for _, kind := range []string{"list", "object"} {
		marker := c.marker(kind, hidden)
		wrong := map[string]any{marker: marker}
		for name := range schema["properties"].(map[string]any) {
			wrong[name] = map[string]any{"list": []any{marker}, "object": map[string]any{marker: marker}}[kind]
		}
		c.refuse("callback", http.MethodPost, call.target, text(wrong))
		c.refuse("callback", http.MethodPost, call.target, []byte(string(text(wrong))+`"`+marker))
	}
	body := filled(c.sow("callback", schema, c.Examples.Callback.Valid[0].Body).(map[string]any), c.newest(), signup)
	c.under("callback", "callback", http.MethodPost, call.target, body)
}

// sow replaces every member that is not for all by a marker, and adds those
// that are missing. A certificate and what opens it stay as they are: they are
// markers enough.
func (c *canary) sow(what string, schema map[string]any, at any) any {
	properties, _ := schema["properties"].(map[string]any)
	switch at := at.(type) {
	case map[string]any:
		sown := maps.Clone(at)
		for name, property := range properties {
			property := property.(map[string]any)
			rule, old := shows(property), at[name]
			if what == "callback" {
				rule = c.becomes(name, rule)
			}
			if rule == open || property["type"] != "string" {
				if old != nil {
					sown[name] = c.sow(what, property, old)
				}
				continue
			}
			if s, ok := old.(string); ok && (name == "cert" || name == "passphrase" || property["format"] != nil || property["pattern"] != nil) {
				if len(s) > 8 {
					c.markers[s] = rule
				}
				continue
			}
			if name == "cert" || name == "passphrase" || old == nil && (property["format"] != nil || property["pattern"] != nil) {
				continue
			}
			if limit, ok := property["maxLength"].(int); ok && limit < 24 {
				number := fmt.Sprintf("70817%06d", 4711*(1+len(c.markers))%1_000_000)
				c.markers[number], c.names[number], sown[name] = rule, what+name, number
				continue
			}
			sown[name] = c.marker(what+name, rule)
		}
		return sown
	case []any:
		items, _ := schema["items"].(map[string]any)
		sown := make([]any, len(at))
		for i := range at {
			sown[i] = c.sow(fmt.Sprint(what, i), items, at[i])
		}
		return sown
	}
	return at
}

// becomes is the rule of a callback's member, which is that of the member of the
// configuration that the file makes of it.
func (c *canary) becomes(name string, rule int) int {
	properties, _ := c.configuration()["properties"].(map[string]any)
	to, _ := c.Callback.Map[name].(string)
	if property, ok := properties[to].(map[string]any); ok && rule != open {
		return shows(property)
	}
	return rule
}

// marker is a value that stands nowhere else, with letters that escapes change.
func (c *canary) marker(name string, rule int) string {
	marker := fmt.Sprintf("c/%s+n=%03d", c.Slug, len(c.markers)) // as short as the shortest member
	c.markers[marker], c.names[marker] = rule, name
	return marker
}

// under sends a request twice under one Idempotency-Key, if it takes one.
func (c *canary) under(key, who, method, target string, body []byte) {
	c.t.Helper()
	for range 2 {
		header := bearer(c.tokens[who])
		if who == "merchant" {
			header.Set("Idempotency-Key", "canary-"+c.Slug+"-"+key)
		}
		answer, err := c.client.Do(method, target, header, body)
		if err != nil || answer.Status >= 300 {
			c.t.Fatalf("%s %s: %d, %v: %s", method, target, answer.Status, err, answer.Body)
		}
		c.answers = append(c.answers, answer)
	}
}

// refuse sends what can't be taken.
func (c *canary) refuse(who, method, target string, body []byte) drive.Answer {
	c.t.Helper()
	answer, err := c.client.Do(method, target, bearer(c.tokens[who]), body)
	if err != nil || answer.Status < 400 || answer.Status >= 500 {
		c.t.Errorf("%s %s: %d, %v: %s", method, target, answer.Status, err, answer.Body)
	}
	c.answers = append(c.answers, answer)
	return answer
}
