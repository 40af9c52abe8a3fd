package product

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"mooring/test/drive"
)

// TestAnErasedPersonIsNowhere plants what tells of a person in a signup of
// each provider, erases the person and searches what is answered and what is
// kept: rows, files, the log of the database. The history stays.
func TestAnErasedPersonIsNowhere(t *testing.T) {
	onBothEngines(t, func(t *testing.T, args ...string) {
		dir := filepath.Join(t.TempDir(), "data")
		s := dev(t, append(args, "--data", dir, "--listen", "127.0.0.1:0")...)
		held := tokens(t, s)
		planted := map[string]string{}
		places := map[string][]byte{}
		for _, d := range descriptions(t) {
			if d.request() == nil {
				continue
			}
			l, before := newLife(t, d, s, held), len(planted)
			signup := plant(d, d.request(), d.Examples.Valid[0].Signup, planted)
			if len(planted) == before {
				continue
			}
			header := bearer(held["merchant"])
			header.Set("Idempotency-Key", "erase-"+d.Slug)
			answer, err := l.client.Do(d.method(), d.base(s.Account), header, d.wrapped(signup))
			if err != nil || answer.Status != http.StatusOK {
				t.Fatalf("%s: %d, %v: %s", d.Slug, answer.Status, err, answer.Body)
			}
			id := l.newest()
			// A provider that repeats what it was told is kept in the inbox.
			name := slices.Sorted(maps.Keys(planted))[0]
			report := text(map[string]any{"status": "pending", "event": "noted", "provider_code": "x", "person": name})
			l.call("platform", http.MethodPost, "/v1/accounts/"+s.Account+"/connections/"+d.Slug+"/signups/"+id+"/events", report, http.StatusOK)
			events := len(l.read()["events"].([]any))
			mustRun(t, s, "erase", "--account", s.Account, "--connection", d.Slug, "--reason", "a test", id)
			mustRun(t, s, "erase", "--account", s.Account, "--connection", d.Slug, "--reason", "a test", id)
			c := l.read()
			l.demand("status", "pending", c["status"])
			l.demand("events", events+1, len(c["events"].([]any)))
			l.lookAround()
			places[d.Slug] = text(c)
			for _, one := range decode[[]struct{ ID string }](t, l.call("platform", http.MethodGet, l.operator("callbacks"), nil, http.StatusOK)) {
				places[d.Slug+" inbox"] = l.call("platform", http.MethodGet, l.operator("callbacks/"+one.ID), nil, http.StatusOK).Body
			}
		}
		if len(planted) < 10 {
			t.Errorf("only %d values were planted", len(planted))
		}
		places["the log"] = []byte(s.Log())
		stopped(t, s)
		if len(args) > 0 {
			maps.Copy(places, databaseRows(t, args[1]))
		} else {
			maps.Copy(places, databaseFiles(t, dir))
		}
		for value, member := range planted {
			for place, text := range places {
				search(t, member, value, place, text)
			}
		}
	})
}

func stopped(t *testing.T, s *drive.Server) {
	t.Helper()
	if code, err := s.Stop(); err != nil || code != 0 {
		t.Fatalf("ended with %d, %v", code, err)
	}
}

// plant replaces every text that tells of a person by one of its own.
func plant(d description, schema map[string]any, at any, planted map[string]string) any {
	switch at := at.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		sown := maps.Clone(at)
		for name, value := range at {
			property, _ := properties[name].(map[string]any)
			class, _ := property["class"].(string)
			limit, limited := property["maxLength"].(int)
			_, isText := value.(string)
			key := slices.Contains(d.Signup.Key, name)
			if class != "" && isText && !key && property["format"] == nil && property["pattern"] == nil && (!limited || limit >= 24) {
				sown[name] = fmt.Sprintf("pers/%s+%03d", d.Slug, len(planted))
				planted[sown[name].(string)] = d.Slug + "'s " + name
				continue
			}
			sown[name] = plant(d, property, value, planted)
		}
		return sown
	case []any:
		items, _ := schema["items"].(map[string]any)
		sown := make([]any, len(at))
		for i := range at {
			sown[i] = plant(d, items, at[i], planted)
		}
		return sown
	}
	return at
}
