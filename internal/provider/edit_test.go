package provider_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"mooring/internal/provider"
)

// TestAnyEditOfAFileIsLoadedOrRefused changes a good file in places that a
// fuzzer of bytes rarely reaches: members go, values become others. Whatever
// comes out, the answer is a catalogue whose contract can be written, or a
// list of problems with their places.
func TestAnyEditOfAFileIsLoadedOrRefused(t *testing.T) {
	var good any
	if err := yaml.Unmarshal([]byte(acmeText(t)), &good); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(named(good))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		edited := plainText(t, text)
		for range rapid.IntRange(1, 4).Draw(t, "edits") {
			edited = edit(t, edited)
		}
		file := string(provider.Spelt(edited))
		c, err := provider.Load(files("acme.yaml", file))
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "acme.yaml:1:") {
					t.Errorf("%s\na problem without a place: %s", file, line)
				}
			}
			return
		}
		for _, p := range c.All() {
			lives(t, p)
		}
		_ = provider.Spelt(c.Contract())
	})
}

// edit changes one place at random and gives the value back.
func edit(t *rapid.T, value any) any {
	stop := rapid.IntRange(0, 3).Draw(t, "stop") == 0
	switch value := value.(type) {
	case map[string]any:
		if names := slices.Sorted(maps.Keys(value)); len(names) > 0 && !stop {
			name := rapid.SampledFrom(names).Draw(t, "member")
			if rapid.IntRange(0, 5).Draw(t, "remove") == 0 {
				delete(value, name)
			} else {
				value[name] = edit(t, value[name])
			}
			return value
		}
	case []any:
		if len(value) > 0 && !stop {
			i := rapid.IntRange(0, len(value)-1).Draw(t, "item")
			value[i] = edit(t, value[i])
			return value
		}
	}
	return rapid.SampledFrom([]any{
		nil, true, json.Number("0"), json.Number("-1.5"), json.Number("2"), "", "acme", "object", "array", "string", "single", "inline",
		"/~", "^(", "uuid",
		[]any{},
		[]any{"case_id"},
		[]any{json.Number("1"), nil},
		map[string]any{},
		map[string]any{"type": "object", "properties": map[string]any{"a/b~c": map[string]any{"type": "string"}}},
	}).Draw(t, "value")
}

// named turns what the YAML library gives for a number as a name into text.
func named(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name := range value {
			value[name] = named(value[name])
		}
	case map[any]any:
		object := map[string]any{}
		for name, member := range value {
			text, _ := json.Marshal(name)
			object[strings.Trim(string(text), `"`)] = named(member)
		}
		return object
	case []any:
		for i := range value {
			value[i] = named(value[i])
		}
	}
	return value
}

// plainText reads the file anew, for each run has its own to change.
func plainText(t *rapid.T, text []byte) any {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}
