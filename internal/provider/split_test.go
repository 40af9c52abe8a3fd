package provider_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mooring/internal/provider"
	"mooring/internal/secret"
)

// drawn is a schema, a value that it accepts, what must rest in clear of the
// value, what the connection's own GET shows of it, and every secret in it.
type drawn struct {
	schema        map[string]any
	value         any
	kept, shown   any
	gone, revived bool // whether it leaves nothing, and whether it comes back
	hidden        []string
}

// drawnValues tells the texts and numbers of one document apart.
var drawnValues int

// drawValue draws a value of any kind. Each text and number in it is like no other.
func drawValue(t *rapid.T, depth int, items, classable bool) drawn {
	kinds := []string{"string", "integer", "object", "array"}
	if depth == 0 {
		kinds = kinds[:2]
	}
	d := drawn{schema: map[string]any{"type": rapid.SampledFrom(kinds).Draw(t, "kind")}}
	class := ""
	if !items && classable {
		class = rapid.SampledFrom([]string{"", "", "secret", "identity", "contact", "financial", "writeOnly"}).Draw(t, "class")
		if class == "financial" && d.schema["type"] != "string" {
			class = "identity"
		}
	}
	below := classable && (class == "" || class == "contact")
	switch d.schema["type"] {
	case "string":
		drawnValues++
		text := fmt.Sprintf("%s-%010d", rapid.StringN(0, 12, -1).Draw(t, "text"), 5_000_000_000+drawnValues)
		d.value, d.kept = text, text
		if class != "" && class != "contact" {
			d.hidden = []string{text}
		}
	case "integer":
		drawnValues++
		d.value = json.Number(fmt.Sprint(7_000_000_000 + drawnValues))
		d.kept = d.value
		if class != "" && class != "contact" {
			d.hidden = []string{fmt.Sprint(d.value)}
		}
	case "object":
		d.object(t, depth, below)
	case "array":
		d.array(t, depth, below)
	}
	if d.shown == nil {
		d.shown = d.kept
	}
	d.classify(class)
	return d
}

func (d *drawn) object(t *rapid.T, depth int, classable bool) {
	properties, value, kept, shown := map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}
	for range rapid.IntRange(1, 4).Draw(t, "members") {
		name := rapid.SampledFrom([]string{"a", "b", "c/d", "e~f", "ø"}).Draw(t, "name")
		if properties[name] != nil {
			continue
		}
		m := drawValue(t, depth-1, false, classable)
		properties[name], value[name] = m.schema, m.value
		d.hidden = append(d.hidden, m.hidden...)
		if !m.gone {
			kept[name] = m.kept
		}
		if !m.gone || m.revived {
			shown[name] = m.shown
		}
	}
	d.schema["properties"], d.value, d.kept, d.shown = properties, value, kept, shown
}

func (d *drawn) array(t *rapid.T, depth int, classable bool) {
	var first drawn
	value, kept, shown := []any{}, []any{}, []any{}
	for i := range rapid.IntRange(1, 3).Draw(t, "items") {
		if i == 0 {
			first = drawValue(t, depth-1, true, classable)
		}
		value, kept, shown = append(value, first.value), append(kept, first.kept), append(shown, first.shown)
	}
	d.schema["items"], d.value, d.kept, d.shown, d.hidden = first.schema, value, kept, shown, first.hidden
}

func (d *drawn) classify(class string) {
	switch class {
	case "":
		return
	case "writeOnly":
		d.schema["writeOnly"] = true
	default:
		d.schema["class"] = class
	}
	switch class {
	case "secret":
		d.gone, d.revived, d.shown = true, true, d.value
	case "identity", "writeOnly":
		d.gone = true
	case "financial":
		d.kept = masked(d.value.(string))
		d.shown = d.kept
	}
	if d.gone {
		d.hidden = append(d.hidden, texts(d.value)...)
	}
}

// texts are the texts and numbers of a value.
func texts(value any) []string {
	var all []string
	switch value := value.(type) {
	case map[string]any:
		for _, member := range value {
			all = append(all, texts(member)...)
		}
	case []any:
		for _, item := range value {
			all = append(all, texts(item)...)
		}
	default:
		all = append(all, fmt.Sprint(value))
	}
	return all
}

func masked(text string) string {
	runes := []rune(text)
	if len(runes) < 8 {
		return "********"
	}
	return strings.Repeat("*", len(runes)-4) + string(runes[len(runes)-4:])
}

func drawDocument(t *rapid.T) drawn {
	drawnValues = 0
	d := drawn{schema: map[string]any{"type": "object"}}
	d.object(t, 3, true)
	return d
}

func TestNothingClassedIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDocument(t)
		whole := provider.Spelt(d.value)
		p := provider.Ruled(d.schema, d.schema)
		kept, parts := p.SplitSignup(bytes.Clone(whole))
		if want := provider.Spelt(d.kept); !bytes.Equal(kept, want) {
			t.Errorf("%s\nof %s is kept\n%s", whole, provider.Spelt(d.schema), cmp.Diff(string(want), string(kept)))
		}
		for _, hidden := range d.hidden {
			for _, form := range []string{hidden, base64.StdEncoding.EncodeToString([]byte(hidden)), hex.EncodeToString([]byte(hidden))} {
				if bytes.Contains(kept, []byte(form)) || strings.Contains(fmt.Sprintf("%+v %#v", parts, parts), form) {
					t.Errorf("%s is still there: %s", form, kept)
				}
			}
		}
		for _, part := range parts {
			if part.Shown {
				t.Errorf("%s of a signup may be shown", part.Pointer)
			}
		}
	})
}

func TestWhatMayBeShownComesBackWhereItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDocument(t)
		p := provider.Ruled(nil, d.schema)
		kept, parts := p.SplitConfiguration(provider.Spelt(d.value))
		if want, got := provider.Spelt(d.shown), p.Disclose(kept, parts); !bytes.Equal(want, got) {
			t.Errorf("%s: %s", provider.Spelt(d.schema), cmp.Diff(string(want), string(got)))
		}
		if again, more := p.SplitConfiguration(kept); !bytes.Equal(again, kept) || len(more) > count(d.kept) {
			t.Errorf("what was kept is split again: %s", again)
		}
	})
}

// count is how many texts and numbers a value has: each mask is one more part
// when it is split again.
func count(value any) int { return len(texts(value)) }

func TestErasureLeavesNothingClassed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDocument(t)
		p := provider.Ruled(d.schema, nil)
		kept, _ := p.SplitSignup(provider.Spelt(d.value))
		erased := p.Anonymous(kept)
		var look func(at string, schema map[string]any, value any)
		look = func(at string, schema map[string]any, value any) {
			if schema["class"] != nil || schema["writeOnly"] != nil {
				t.Errorf("%s is still there: %s", at, erased)
			}
			switch value := value.(type) {
			case map[string]any:
				for name, member := range value {
					look(at+"/"+name, schema["properties"].(map[string]any)[name].(map[string]any), member)
				}
			case []any:
				for _, item := range value {
					look(at+"/-", schema["items"].(map[string]any), item)
				}
			}
		}
		var value any
		if err := json.Unmarshal(erased, &value); err != nil {
			t.Fatal(err)
		}
		look("", d.schema, value)
		if again := p.Anonymous(erased); !bytes.Equal(again, erased) {
			t.Errorf("%s is erased again to %s", erased, again)
		}
	})
}

func TestMasks(t *testing.T) {
	p := provider.Ruled(map[string]any{"type": "object", "properties": map[string]any{
		"iban": map[string]any{"type": "string", "class": "financial"},
	}}, nil)
	for value, want := range map[string]string{
		`"NO9386011117947"`: `"***********7947"`,
		`"12345678"`:        `"****5678"`,
		`"1234567"`:         `"********"`,
		`"7"`:               `"********"`,
		`""`:                `"********"`,
		`"ＮＯ93８601"`:        `"****８601"`,
		`"\"\\\n45678"`:     `"****5678"`,
		`"😀😀😀😀😀😀😀😀"`:        `"****😀😀😀😀"`,
		`12345678901`:       `"********"`,
		`null`:              `"********"`,
	} {
		kept, parts := p.SplitSignup([]byte(`{"iban":` + value + `}`))
		if got := string(kept); got != `{"iban":`+want+`}` {
			t.Errorf("%s: %s", value, got)
		}
		if len(parts) != 1 || parts[0].Pointer != "/iban" || parts[0].Class != provider.Financial || parts[0].Value.Reveal() != value {
			t.Errorf("%s: %+v", value, parts)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		kept, _ := p.SplitSignup(provider.Spelt(map[string]any{"iban": text}))
		var got struct{ IBAN string }
		if err := json.Unmarshal(kept, &got); err != nil {
			t.Fatal(err)
		}
		if length := max(8, utf8.RuneCountInString(text)); utf8.RuneCountInString(got.IBAN) != length || got.IBAN != masked(text) {
			t.Errorf("%q is shown as %q", text, got.IBAN)
		}
	})
}

func TestWhatIsNotAsDeclaredIsSealed(t *testing.T) {
	schema := map[string]any{"type": "object", "properties": map[string]any{
		"owner": map[string]any{"type": "object", "properties": map[string]any{
			"name":   map[string]any{"type": "string"},
			"number": map[string]any{"type": "string", "class": "identity"},
		}},
	}}
	p := provider.Ruled(schema, nil)
	for document, want := range map[string]string{
		`{"owner":{"name":"Kari","number":"1"}}`:             `{"owner":{"name":"Kari"}} /owner/number`,
		`{"owner":[{"number":"1"}]}`:                         `{} /owner`,
		`{"owner":"1"}`:                                      `{} /owner`,
		`{"owner":{"name":"Kari","Number":"1"},"other":"1"}`: `{"owner":{"name":"Kari"}}`,
		`["1"]`:             `{} `,
		`{"owner":`:         `{} `,
		`{"a":1,"a":1}`:     `{} `,
		"{\"owner\":\xff1}": `{} `,
		``:                  `{} `,
	} {
		kept, parts := p.SplitSignup([]byte(document))
		got := string(kept)
		for _, part := range parts {
			got += " " + part.Pointer
		}
		if got != want {
			t.Errorf("%s: %s", document, got)
		}
	}
}

func TestAProviderWithoutClassesIsNotEvenRead(t *testing.T) {
	p := provider.Ruled(map[string]any{"type": "object", "properties": map[string]any{"a": map[string]any{"type": "string"}}}, nil)
	for _, document := range []string{`{"a":"b","c":1}`, `{`} {
		if kept, parts := p.SplitSignup([]byte(document)); string(kept) != document || parts != nil {
			t.Errorf("%s: %s", document, kept)
		}
		if kept, parts := p.SplitConfiguration([]byte(document)); string(kept) != document || parts != nil {
			t.Errorf("%s: %s", document, kept)
		}
	}
}

func TestOnlyWhatTheFileShowsIsRevealed(t *testing.T) {
	p := provider.Ruled(nil, map[string]any{"type": "object", "properties": map[string]any{
		"id":     map[string]any{"type": "string"},
		"secret": map[string]any{"type": "string", "writeOnly": true},
		"keys": map[string]any{"type": "array", "items": map[string]any{"type": "object", "properties": map[string]any{
			"name": map[string]any{"type": "string"},
			"key":  map[string]any{"type": "string", "class": "secret"},
		}}},
	}})
	part := func(pointer, value string) provider.Part {
		return provider.Part{Pointer: pointer, Class: provider.Secret, Value: secret.NewPlain(value), Shown: true}
	}
	const kept = `{"id":"7","keys":[{"name":"one"},{"name":"two"}]}`
	for name, test := range map[string]struct {
		part provider.Part
		want string
	}{
		"a key":                    {part("/keys/1/key", `"k"`), `{"id":"7","keys":[{"name":"one"},{"key":"k","name":"two"}]}`},
		"a key of an item gone":    {part("/keys/2/key", `"k"`), kept},
		"a key of no item":         {part("/keys/-1/key", `"k"`), kept},
		"a key of a name":          {part("/keys/x/key", `"k"`), kept},
		"what is never shown":      {part("/secret", `"k"`), kept},
		"what is not known":        {part("/other", `"k"`), kept},
		"what was never secret":    {part("/id", `"k"`), kept},
		"below what holds nothing": {part("/id/key", `"k"`), kept},
		"the whole":                {part("", `"k"`), kept},
		"no pointer":               {part("keys", `"k"`), kept},
		"no JSON":                  {part("/keys/0/key", `k`), kept},
		"a part that is not shown": {provider.Part{Pointer: "/keys/0/key", Value: secret.NewPlain(`"k"`)}, kept},
	} {
		if got := string(p.Disclose([]byte(kept), []provider.Part{test.part})); got != test.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	hidden := provider.Part{Pointer: "/keys/0/key", Value: secret.NewPlain(`"h"`)}
	if got := string(p.Disclose([]byte(kept), []provider.Part{hidden, part("/keys/1/key", `"k"`)})); strings.Contains(got, `"h"`) {
		t.Errorf("a part that is not shown beside one that is: %s", got)
	}
	if got := string(p.Disclose([]byte(`[`), []provider.Part{part("/keys/0/key", `"k"`)})); got != `[` {
		t.Errorf("what is no configuration: %s", got)
	}
}
