package contract_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/cdd"
	"mooring/internal/connection"
	"mooring/internal/gate"
	"mooring/internal/hook"
)

// envelope is what every message says.
var envelope = []string{"account_id", "event", "event_delivery"}

func TestEveryEventIsDescribed(t *testing.T) {
	doc := assemble(t)
	described := slices.Sorted(maps.Keys(object(doc.Raw(), "webhooks")))
	if diff := cmp.Diff(slices.Sorted(slices.Values(append([]string{hook.Ping}, hook.Types...))), described); diff != "" {
		t.Errorf("-told +described:\n%s", diff)
	}
	for name := range object(doc.Raw(), "webhooks") {
		op := object(doc.Raw(), "webhooks", name, "post")
		if op["summary"] == nil || op["description"] == nil || op["x-evidence"] == nil {
			t.Errorf("%s: summary, description and x-evidence are needed", name)
		}
		checkExamplesExist(t, name, object(op, "requestBody", "content", "application/json"))
	}
}

// TestAMaskMayNameWhatTheContractDescribes compares what masks are checked
// against with the description, in both directions.
func TestAMaskMayNameWhatTheContractDescribes(t *testing.T) {
	doc := assemble(t)
	for _, event := range hook.Types {
		described := paths(doc, doc.Resolve(messageSchema(doc, event)), "")
		for _, path := range described {
			if !slices.Contains(envelope, path) && hook.CheckFields(path, []string{event}) != nil && onlyOf(event, path) {
				t.Errorf("%s: a mask can't name %s", event, path)
			}
		}
		for _, path := range shapePaths(hook.Shapes[event]) {
			if !slices.Contains(described, path) {
				t.Errorf("%s: a mask may name %s, which is not described", event, path)
			}
		}
	}
}

// onlyOf says whether a member belongs to an event; the two about endpoints
// share a description.
func onlyOf(event, path string) bool {
	return path != "percent" && path != "reason" || (path == "percent") == (event == hook.EndpointFailing)
}

func TestMessagesAreAsTheContractDescribesThem(t *testing.T) {
	doc := assemble(t)
	for _, e := range told(t) {
		body, err := hook.Message(hook.Subscription{ID: "01990f29-0c11-7b3a-9d20-6f1f0f6f7b01"}, e)
		if err != nil {
			t.Fatal(err)
		}
		var message map[string]any
		if err := json.Unmarshal(body, &message); err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		schema, err := doc.Schema("#/webhooks/" + e.Type + "/post/requestBody/content/application~1json/schema")
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range schema.Problems(message) {
			t.Errorf("%s: %s %s\n%s", e.Type, problem.Path, problem.Message, body)
		}
		for _, name := range envelope {
			delete(message, name)
		}
		for _, path := range members(message, "") {
			if err := hook.CheckFields(path, []string{e.Type}); err != nil {
				t.Errorf("%s: %s is not described", e.Type, path)
			}
		}
	}
}

func TestAPingIsAsTheContractDescribesIt(t *testing.T) {
	doc := assemble(t)
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	const id = "01990f29-0c11-7b3a-9d20-6f1f0f6f7b01"
	ping, err := hook.PingEntry(hook.Subscription{
		ID: id, Target: "https://shop.example/hooks", Events: hook.Types, CreatedAt: now, CreatedBy: id, UpdatedAt: now, Active: true,
		Settings: hook.Settings{SecretType: hook.SecretHMAC, Fields: "account", ExcludeFields: []string{"account/company"}, InsecureSSL: true, Asymmetric: true},
	}, id, now)
	if err != nil {
		t.Fatal(err)
	}
	var message map[string]any
	if err := json.Unmarshal(ping.Body, &message); err != nil {
		t.Fatal(err)
	}
	schema, err := doc.Schema("#/components/schemas/PingMessage")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range schema.Problems(message) {
		t.Errorf("%s %s\n%s", problem.Path, problem.Message, ping.Body)
	}
	described := paths(doc, object(doc.Raw(), "components", "schemas", "PingMessage"), "")
	for _, path := range members(message, "") {
		if !slices.Contains(described, path) {
			t.Errorf("%s is not described", path)
		}
	}
}

// told is an entry of each type that says all that it can say.
func told(t *testing.T) []hook.Entry {
	t.Helper()
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	const id, client = "01990f29-0c11-7b3a-9d20-6f1f0f6f7b01", "8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10"
	acc := account.Account{
		ID: "T11200001", Kind: account.KindMerchant, Owner: "T11200000", CreatedAt: now, CreatedBy: client, UpdatedAt: now, DeletedAt: now,
		DeletedBy: client,
	}
	whole := account.Whole{Account: acc, Profile: account.Profile{"company": map[string]any{"business_name": "Havn Kaffe AS"}}}
	description := "as it should be"
	event := connection.Event{
		ID: id, Seq: 2, Status: connection.Enabled, Name: "agreement_signed", CreatedAt: now, CreatedBy: client, Description: &description,
		Metadata: []byte(`{"a":"b"}`), ExternalID: "e-1", OccurredAt: now, Signup: 1, Code: "documents_required", ProviderCode: "E-1", Reason: "so",
	}
	c := &connection.Connection{Account: acc.ID, Provider: "vipps", Status: connection.Enabled, UpdatedAt: now}
	c.Stand.Turn, c.Stand.Code, c.Stand.Since, c.Stand.Due = "merchant", "signature_required", now, now
	made, err := hook.OfAccount(id, hook.AccountAdd, whole, now)
	if err != nil {
		t.Fatal(err)
	}
	changed := made
	changed.Type = hook.AccountUpdate
	moved, err := hook.OfCase(id, whole, cdd.Case{
		ID: id, Account: acc.ID, CreatedAt: now, UpdatedAt: now, Events: []cdd.Event{{Status: "ERROR", Error: "what went wrong"}},
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := hook.Subscription{Account: acc.Owner, ID: id, Kind: hook.KindHook}
	failing := hook.Health{FailingSince: now}
	return []hook.Entry{
		made, changed, moved, hook.OfEvent(acc.Owner, c, c, event, now), hook.OfStall(id, acc, c, now),
		hook.OfEndpoint(acc.Owner, endpoint, failing, hook.Change{Warn: 50}, id, now),
		hook.OfEndpoint(acc.Owner, endpoint, failing, hook.Change{Disabled: hook.WhyFailing}, id, now),
	}
}

func messageSchema(doc *gate.Document, event string) map[string]any {
	return object(doc.Raw(), "webhooks", event, "post", "requestBody", "content", "application/json", "schema")
}

// paths are the members that a schema describes, with those below them.
func paths(doc *gate.Document, schema map[string]any, under string) (all []string) {
	parts, _ := schema["allOf"].([]any)
	for _, part := range parts {
		all = append(all, paths(doc, doc.Resolve(part.(map[string]any)), under)...)
	}
	for name, property := range object(schema, "properties") {
		path := under + name
		all = append(all, path)
		all = append(all, paths(doc, doc.Resolve(property.(map[string]any)), path+"/")...)
	}
	return all
}

// shapePaths are the members that a mask names, with those above them.
func shapePaths(mask string) (all []string) {
	var above []string
	for rest := mask; rest != ""; {
		end := strings.IndexAny(rest, ",()")
		if end < 0 {
			end = len(rest)
		}
		if name := rest[:end]; name != "" && name != "*" {
			all = append(all, strings.Join(append(above[:len(above):len(above)], name), "/"))
		}
		if end == len(rest) {
			break
		}
		switch rest[end] {
		case '(':
			above = append(above, rest[:end])
		case ')':
			above = above[:len(above)-1]
		}
		rest = rest[end+1:]
	}
	return all
}

// members are the paths of everything in an object.
func members(of map[string]any, under string) (all []string) {
	for name, value := range of {
		all = append(all, under+name)
		if below, ok := value.(map[string]any); ok {
			all = append(all, members(below, under+name+"/")...)
		}
	}
	return all
}
