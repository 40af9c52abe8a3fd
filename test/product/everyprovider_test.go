package product

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/test/drive"
)

// TestEveryProvider leads a connection with each provider through its whole
// life on real HTTP: refused and taken signups, repeats, events of the partner
// and of the platform, the call that completes it, that call again and another
// one, and what may be seen of all that.
func TestEveryProvider(t *testing.T) {
	onBothEngines(t, func(t *testing.T, args ...string) {
		s := dev(t, append(args, "--listen", "127.0.0.1:0")...)
		held := tokens(t, s)
		for _, d := range descriptions(t) {
			t.Run(d.Slug, func(t *testing.T) {
				newLife(t, d, s, held).live()
			})
		}
	})
}

// life is one connection on its way.
type life struct {
	description
	t       *testing.T
	client  *drive.Client
	tokens  map[string]string
	account string
	partner string
	answers []drive.Answer // all but those of the connection's own GET
	reads   []drive.Answer // those
	secrets map[int]map[string]bool
}

func newLife(t *testing.T, d description, s *drive.Server, tokens map[string]string) *life {
	return &life{
		description: d, t: t, client: drive.NewClient(s.BaseURL), tokens: maps.Clone(tokens), account: s.Account, partner: s.PartnerAccount,
		secrets: map[int]map[string]bool{hidden: {}, own: {}, masked: {}},
	}
}

func (l *life) live() {
	l.refused()
	sent := l.signUp()
	l.events()
	l.complete(sent)
	l.wrongUses(sent)
	l.sync()
	l.lookAround()
	l.searchAnswers()
}

// call sends a request and demands a status.
func (l *life) call(who, method, target string, body []byte, status int) drive.Answer {
	l.t.Helper()
	answer, err := l.client.Do(method, target, bearer(l.tokens[who]), body)
	if err != nil {
		l.t.Fatal(err)
	}
	if answer.Status != status {
		l.t.Fatalf("%s %s %s: %d, want %d: %s", method, target, body, answer.Status, status, answer.Body)
	}
	if method == http.MethodGet && target == l.base(l.account) {
		l.reads = append(l.reads, answer)
	} else {
		l.answers = append(l.answers, answer)
	}
	return answer
}

func (l *life) read() map[string]any {
	l.t.Helper()
	return value(l.t, l.call("merchant", http.MethodGet, l.base(l.account), nil, http.StatusOK).Body).(map[string]any)
}

// refused sends what the file calls invalid before there is anything.
func (l *life) refused() {
	l.call("merchant", http.MethodGet, l.base(l.account), nil, http.StatusNotFound)
	for _, e := range l.Examples.Invalid {
		answer := l.call("merchant", l.method(), l.base(l.account), l.wrapped(e.Signup), http.StatusBadRequest)
		at := l.place(e.Wrong)
		if !problems(l.t, answer)[at] {
			l.t.Errorf("%s: %s is not named in %s", e.Summary, at, answer.Body)
		}
	}
	l.call("merchant", http.MethodGet, l.base(l.account), nil, http.StatusNotFound)
}

// signUp sends every valid signup, each twice, and returns the last one that
// the connection stands on.
func (l *life) signUp() map[string]any {
	var last map[string]any
	for i, body := range l.bodies() {
		answer := l.call("merchant", l.method(), l.base(l.account), body, http.StatusOK)
		c := value(l.t, answer.Body).(map[string]any)
		l.demand("status", "pending", c["status"])
		l.demand("events", i+1, len(c["events"].([]any)))
		if l.request() != nil {
			last = l.Examples.Valid[i].Signup
			l.keepSecrets(l.request(), last)
			l.demand("the signup", value(l.t, text(seen(l.request(), last, never))), l.shownSignup(c))
		}
		again := l.call("merchant", l.method(), l.base(l.account), body, http.StatusOK)
		if !bytes.Equal(answer.Body, again.Body) {
			l.t.Errorf("the same signup again is answered with %s, not with %s", again.Body, answer.Body)
		}
		l.demand("what is read", c, l.read())
	}
	return last
}

// never drops what no answer shows.
func never(rule int) bool { return rule == hidden }

// shownSignup is the newest signup of an answer, without what the service adds.
func (l *life) shownSignup(c map[string]any) any {
	signup, _ := c["signup"].(map[string]any)
	if l.many() {
		all := c["signups"].([]any)
		signup = all[len(all)-1].(map[string]any)
	}
	if l.Signup.View.Data != "inline" {
		return signup[l.Signup.View.Data]
	}
	shown := maps.Clone(signup)
	for _, name := range l.Signup.View.Members {
		delete(shown, name)
	}
	return shown
}

// events lets the partner, or the platform where partners have no word, report.
func (l *life) events() {
	report := map[string]any{"status": "pending", "event": "under_review", "description": "the shop is looked at"}
	partner := "/v1/accounts/" + l.partner + "/management/accounts/" + l.account + "/connections/" + l.Slug + "/events"
	status := map[bool]int{true: http.StatusOK, false: http.StatusBadRequest}[l.PartnerEvents]
	l.call("partner", http.MethodPost, partner, text(report), status)
	report["reason"] = "a test"
	l.call("platform", http.MethodPost, l.operator("events"), text(report), http.StatusOK)
	l.demand("status", "pending", l.read()["status"])
}

func (l *life) operator(rest string) string {
	return "/v1/operator/accounts/" + l.account + "/connections/" + l.Slug + "/" + rest
}

// progress is the extension view of the connection.
func (l *life) progress() (p struct {
	Status  string
	Signups []struct {
		ID, Status string
		CallbackAt string `json:"callback_at"`
		Current    bool
	}
},
) {
	l.t.Helper()
	target := "/v1/accounts/" + l.account + "/connections/" + l.Slug
	return decode[struct {
		Status  string
		Signups []struct {
			ID, Status string
			CallbackAt string `json:"callback_at"`
			Current    bool
		}
	}](l.t, l.call("merchant", http.MethodGet, target, nil, http.StatusOK))
}

// completion is the call that completes a signup.
type completion struct {
	token, target string
	status        int
	body, other   []byte         // other says something else
	configuration map[string]any // as it may be stored; nil when the call brings none
}

// complete makes the call that completes the newest signup, and again.
func (l *life) complete(signup map[string]any) {
	call := l.completion(signup)
	answer := l.send(call, call.body, call.status)
	l.demand("Mooring-Effect", "applied", answer.Header.Get("Mooring-Effect"))
	if want := map[int]string{http.StatusOK: "{}", http.StatusAccepted: ""}[call.status]; string(answer.Body) != want {
		l.t.Errorf("the callback is answered with %q", answer.Body)
	}
	c := l.read()
	l.demand("status", "enabled", c["status"])
	if call.configuration != nil {
		l.demand("configuration", call.configuration, c["configuration"])
	}
	standing := l.progress()
	newest := standing.Signups[len(standing.Signups)-1]
	if standing.Status != "enabled" || newest.Status != "enabled" || (newest.CallbackAt == "") != (call.configuration == nil) {
		l.t.Errorf("the view says %+v", standing)
	}

	answer = l.send(call, call.body, call.status)
	l.demand("Mooring-Effect of a repeated call", "duplicate", answer.Header.Get("Mooring-Effect"))
	l.demand("the connection after a repeated call", c, l.read())
	if call.other != nil {
		answer = l.send(call, call.other, http.StatusBadRequest)
		l.demand("the code", "CONNECTION_ENABLED", code(l.t, answer))
		l.demand("the connection after another call", c, l.read())
	}
}

func (l *life) send(c completion, body []byte, status int) drive.Answer {
	l.t.Helper()
	l.tokens["callback"] = c.token
	return l.call("callback", http.MethodPost, c.target, body, status)
}

// completion makes the documented callback of a provider that has one, and
// else the report that ends its happy scenario.
func (l *life) completion(signup map[string]any) completion {
	id := l.newest()
	minted := decode[struct {
		Token    string `json:"callback_token"`
		Callback string `json:"callback_url"`
		Events   string `json:"events_url"`
	}](l.t, l.call("platform", http.MethodPost, l.operator("signups/"+id+"/callback-token"), nil, http.StatusOK))
	if l.Callback == nil {
		steps := l.Scenarios["happy"].Steps
		report := steps[len(steps)-1].Report
		body := filled(report, id, signup)
		c := completion{token: minted.Token, target: pathOf(minted.Events), status: http.StatusOK, body: body}
		if configuration, ok := value(l.t, body).(map[string]any)["configuration"].(map[string]any); ok {
			c.configuration = configuration
			c.other = []byte(fmt.Sprintf(`{"status":"enabled","event":"again","configuration":%s}`, text(configuration)))
		}
		return c
	}
	if want := l.base(l.account) + "/" + id; pathOf(minted.Callback) != want {
		l.t.Errorf("the callback goes to %s, not %s", minted.Callback, want)
	}
	first := l.Examples.Callback.Valid[0].Body
	l.keepSecrets(l.configuration(), l.mapped(first, signup))
	return completion{
		token: minted.Token, target: pathOf(minted.Callback), status: l.Operations["callback"].Success,
		body: filled(first, id, signup), other: l.variant(first, 9),
		configuration: value(l.t, text(seen(l.configuration(), l.mapped(first, signup), never))).(map[string]any),
	}
}

// mapped is what the file makes of a callback's body: renamed members, and
// those of the signup that stay when the callback does not say them.
func (l *life) mapped(body, signup map[string]any) map[string]any {
	made := map[string]any{}
	for _, name := range l.Callback.Keep {
		if member, ok := signup[name]; ok {
			made[name] = member
		}
	}
	for from, to := range l.Callback.Map {
		member, said := body[from]
		switch to := to.(type) {
		case string:
			if said {
				made[to] = member
			}
		case map[string]any:
			if said {
				made[to["to"].(string)] = renamed(member.([]any), to["items"].(map[string]any))
			}
		}
	}
	return made
}

func renamed(items []any, names map[string]any) []any {
	all := make([]any, len(items))
	for i, item := range items {
		made := map[string]any{}
		for from, to := range names {
			if member, ok := item.(map[string]any)[from]; ok {
				made[to.(string)] = member
			}
		}
		all[i] = made
	}
	return all
}

func (l *life) demand(what string, want, got any) {
	l.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		l.t.Errorf("%s: %s", what, diff)
	}
}
