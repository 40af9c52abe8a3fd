package product

import (
	"maps"
	"net/http"
	"net/url"
	"testing"

	"mooring/test/drive"
)

// wrongUses tries to lead an enabled connection somewhere else, and to answer
// for a signup that is not the token's.
func (l *life) wrongUses(signup map[string]any) {
	before := l.read()
	for _, target := range []string{
		l.base(l.account) + "/01990f29-1a00-7d15-a0c2-5e2d7b9f1c01",
		"/v1/accounts/" + l.account + "/connections/" + l.Slug + "/signups/01990f29-1a00-7d15-a0c2-5e2d7b9f1c01/events",
	} {
		if l.Callback != nil || target[len(target)-1] == 's' {
			l.call("callback", http.MethodPost, target, []byte(`{"status":"failed","event":"x"}`), http.StatusNotFound)
		}
	}
	for what, target := range map[string]string{
		"another account": l.base("T11223352") + "/" + l.newest(), "the connection": l.base(l.account), "the view": "/v1/accounts/" + l.account + "/connections/" + l.Slug,
	} {
		method := map[bool]string{true: http.MethodPost, false: http.MethodGet}[what == "another account"]
		answer, err := l.client.Do(method, target, bearer(l.tokens["callback"]), []byte(`{}`))
		if err != nil || answer.Status < 401 || answer.Status > 404 {
			l.t.Errorf("a callback token opens %s: %d %s, %v", what, answer.Status, answer.Body, err)
		}
	}
	switch {
	case l.many():
		l.anotherKey(signup)
		return
	case l.request() == nil:
		answer := l.call("merchant", http.MethodPut, l.base(l.account), nil, http.StatusBadRequest)
		l.demand("the code", "CONNECTION_ENABLED", code(l.t, answer))
	default:
		answer := l.call("merchant", l.method(), l.base(l.account), l.wrapped(l.Examples.Valid[0].Signup), http.StatusBadRequest)
		l.demand("the code", "CONNECTION_ENABLED", code(l.t, answer))
	}
	l.demand("the connection after what was refused", before, l.read())
}

// anotherKey signs up once more beside the enabled connection, which stays so,
// and lets the provider decline that signup, which does not change it either.
func (l *life) anotherKey(signup map[string]any) {
	other := maps.Clone(signup)
	for _, key := range []string{"case_id", "organization_number"} {
		if _, ok := other[key]; ok {
			other[key] = "0f7f4f4e-2a53-4c9c-9d53-6a2f8e0f6b11"
		}
	}
	l.call("merchant", l.method(), l.base(l.account), l.wrapped(other), http.StatusOK)
	l.demand("status beside another signup", "enabled", l.read()["status"])
	c := l.completion(other)
	target := "/v1/accounts/" + l.account + "/connections/" + l.Slug + "/signups/" + l.newest() + "/events"
	l.tokens["callback"] = c.token
	l.call("callback", http.MethodPost, target, []byte(`{"status":"declined","event":"application_declined","code":"rejected_by_provider"}`), http.StatusOK)
	l.demand("status beside a declined signup", "enabled", l.read()["status"])
	signups := l.progress().Signups
	l.demand("the declined signup", "declined", signups[len(signups)-1].Status)
	l.demand("the one before it", "enabled", signups[len(signups)-2].Status)
}

// newest is the id of the newest signup.
func (l *life) newest() string {
	signups := l.progress().Signups
	return signups[len(signups)-1].ID
}

// sync asks the simulated provider, which has nothing to add.
func (l *life) sync() {
	before := l.read()
	answer := l.call("merchant", http.MethodGet, l.base(l.account)+"?sync=true", nil, http.StatusOK)
	l.reads, l.answers = append(l.reads, answer), l.answers[:len(l.answers)-1]
	if answer.Header.Get("Mooring-Sync") == "" {
		l.t.Error("nobody was asked")
	}
	l.demand("status after a question", before["status"], value(l.t, answer.Body).(map[string]any)["status"])
}

// lookAround reads whatever else tells of the connection, and checks that the
// numbers of its events have no gap.
func (l *life) lookAround() {
	l.call("platform", http.MethodGet, l.operator("callbacks"), nil, http.StatusOK)
	events := decode[[]struct{ Seq int }](l.t, l.call("platform", http.MethodGet, l.operator("events?limit=100"), nil, http.StatusOK))
	for i, e := range events {
		l.demand("the number of an event", i+1, e.Seq)
	}
	l.demand("events", len(l.read()["events"].([]any)), len(events))
}

// keepSecrets remembers what a body holds that must not be seen everywhere.
func (l *life) keepSecrets(schema, body map[string]any) {
	visit(schema, body, "", func(_ string, schema map[string]any, value any) {
		if s, ok := value.(string); ok && len(s) > 5 && shows(schema) != open {
			l.secrets[shows(schema)][s] = true
		}
	})
}

// searchAnswers looks for secrets in every answer of the life.
func (l *life) searchAnswers() {
	for rule, secrets := range l.secrets {
		for secret := range secrets {
			for _, answer := range l.answers {
				search(l.t, secret, secret, answer.Method+" "+answer.Target, answer.Body)
			}
			found := false
			for _, answer := range l.reads {
				found = found || contains(answer.Body, secret)
			}
			if found != (rule == own) {
				l.t.Errorf("%s is in the connection's own GET: %v", secret, found)
			}
		}
	}
}

// problems are the places that a refusal names.
func problems(t *testing.T, answer drive.Answer) map[string]bool {
	t.Helper()
	places := map[string]bool{}
	body := value(t, answer.Body).(map[string]any)["error"].(map[string]any)
	for _, one := range body["errors"].([]any) {
		if at, ok := one.(map[string]any)["path"].(string); ok {
			places[at] = true
		}
	}
	return places
}

// code is the code of a refusal.
func code(t *testing.T, answer drive.Answer) any {
	t.Helper()
	return value(t, answer.Body).(map[string]any)["error"].(map[string]any)["code"]
}

// pathOf is the path of an absolute address.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Path
}
