package product

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mooring/providers"
)

// description is a provider file as far as these tests read it. They read it by
// themselves, so that what they demand does not come from the code they test.
type description struct {
	Slug          string
	Schema        int
	PartnerEvents bool `yaml:"partner_events"`
	Path          *struct{ Enum []string }
	Operations    map[string]struct {
		ID, Role, Body string
		Success        int
	}
	Signup struct {
		Model string
		Key   []string
		View  struct {
			Data    string
			Members []string
		}
	}
	Versions map[string]struct{ Request, Callback, Configuration map[string]any }
	Callback *struct {
		Event, Status string
		Map           map[string]any
		Keep          []string
	}
	Certificates []struct{ Member string }
	Scenarios    map[string]struct {
		Steps []struct {
			Callback, Report map[string]any
			Lost             bool
		}
	}
	Magic struct {
		Member string
		Values map[string]string
	}
	Examples struct {
		Valid    []struct{ Signup map[string]any }
		Invalid  []wrong
		Callback struct {
			Valid   []struct{ Body map[string]any }
			Invalid []wrong
		}
	}
}

type wrong struct {
	Summary      string
	Signup, Body any
	Wrong        string
}

// descriptions are all provider files, by name.
func descriptions(t *testing.T) []description {
	t.Helper()
	names, err := fs.Glob(providers.FS, "*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d provider files, %v", len(names), err)
	}
	var all []description
	for _, name := range names {
		text, err := providers.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var d description
		if err := yaml.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func (d description) many() bool { return d.Signup.Model == "many" }

func (d description) request() map[string]any { return d.Versions[fmt.Sprint(d.Schema)].Request }

func (d description) configuration() map[string]any {
	return d.Versions[fmt.Sprint(d.Schema)].Configuration
}

// base is the path of the provider's operations for an account.
func (d description) base(account string) string {
	path := "/v1/accounts/" + account + "/management/settings/connections/" + d.Slug
	if d.Path != nil {
		path += "/" + d.Path.Enum[0]
	}
	return path
}

// method is the one that signups are sent with.
func (d description) method() string {
	if _, ok := d.Operations["post"]; ok {
		return "POST"
	}
	return "PUT"
}

// whole says whether the body of a signup is the signup itself.
func (d description) whole() bool { return d.Operations["put"].Body == "whole" }

// wrapped is a signup as the body of a request; nil where there is none.
func (d description) wrapped(signup any) []byte {
	switch {
	case d.request() == nil:
		return nil
	case d.whole():
		return text(signup)
	}
	return text(map[string]any{"signup": signup})
}

// place is how a refusal names a member of a signup.
func (d description) place(pointer string) string {
	if d.whole() {
		return rooted(pointer)
	}
	return "#/signup" + pointer
}

// rooted is how a refusal names a member of a body.
func rooted(pointer string) string {
	if pointer == "" {
		return "#/"
	}
	return "#" + pointer
}

// bodies are the signups that the file calls valid, as requests.
func (d description) bodies() [][]byte {
	if d.request() == nil {
		return [][]byte{nil}
	}
	var all [][]byte
	for _, e := range d.Examples.Valid {
		all = append(all, d.wrapped(e.Signup))
	}
	return all
}

// text is a value as JSON.
func text(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// value is JSON as a value, numbers as they are written.
func value(t *testing.T, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// filled puts a signup's id and members where a file's example leaves room.
func filled(body map[string]any, id string, signup map[string]any) []byte {
	filled := strings.ReplaceAll(string(text(body)), "{signup.id}", id)
	for name, value := range signup {
		if s, ok := value.(string); ok {
			filled = strings.ReplaceAll(filled, "{signup:/"+name+"}", s)
		}
	}
	return []byte(filled)
}

// rules of what may be shown of a member.
const (
	hidden = iota // in no answer
	own           // in the connection's own GET, nowhere else
	masked        // its last four characters only
	open          // wherever the connection is
)

// shows is what the schema of a member says of showing it.
func shows(schema map[string]any) int {
	switch {
	case schema["writeOnly"] == true || schema["class"] == "identity":
		return hidden
	case schema["class"] == "secret":
		return own
	case schema["class"] == "financial":
		return masked
	}
	return open
}

// visit calls f for every member of a value that has a schema, with its JSON
// pointer, the containers too.
func visit(schema map[string]any, value any, pointer string, f func(pointer string, schema map[string]any, value any)) {
	f(pointer, schema, value)
	switch value := value.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if property, ok := properties[name].(map[string]any); ok {
				visit(property, value[name], pointer+"/"+name, f)
			}
		}
	case []any:
		items, _ := schema["items"].(map[string]any)
		for i, item := range value {
			visit(items, item, fmt.Sprintf("%s/%d", pointer, i), f)
		}
	}
}

// seen is a value as answers show it, where rule decides about each member.
func seen(schema map[string]any, value any, drop func(int) bool) any {
	switch value := value.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		kept := map[string]any{}
		for name, member := range value {
			property, _ := properties[name].(map[string]any)
			switch rule := shows(property); {
			case drop(rule):
			case rule == masked:
				kept[name] = mask(member.(string))
			default:
				kept[name] = seen(property, member, drop)
			}
		}
		return kept
	case []any:
		items, _ := schema["items"].(map[string]any)
		kept := make([]any, len(value))
		for i, item := range value {
			kept[i] = seen(items, item, drop)
		}
		return kept
	}
	return value
}

func mask(number string) string {
	runes := []rune(number)
	from := len(runes)
	if from >= 8 {
		from -= 4
	}
	return strings.Repeat("*", from) + string(runes[from:])
}
