package provider_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"mooring/internal/provider"
	"mooring/internal/secret"
)

func FuzzSplit(f *testing.F) {
	schema := map[string]any{"type": "object", "properties": map[string]any{
		"a": map[string]any{"type": "string", "class": "financial"},
		"b": map[string]any{"type": "array", "items": map[string]any{"type": "object", "properties": map[string]any{
			"c": map[string]any{"type": "string", "class": "secret"},
			"d": map[string]any{"type": "string", "class": "contact"},
		}}},
		"e": map[string]any{"type": "object", "writeOnly": true},
		"f": map[string]any{"type": "number"},
	}}
	for _, seed := range []string{`{"a":"12345678901","b":[{"c":"x","d":"y"}],"e":{"g":1},"f":1e400}`, `{"b":[[{"c":"x"}]]}`, `{"b":{"c":1}}`, `[]`, `{"a":`} {
		f.Add([]byte(seed), "/b/0/c")
	}
	p := provider.Ruled(schema, schema)
	f.Fuzz(func(t *testing.T, document []byte, pointer string) {
		kept, parts := p.SplitSignup(bytes.Clone(document))
		if !json.Valid(kept) {
			t.Fatalf("%q is kept", kept)
		}
		if again, _ := p.SplitSignup(kept); !bytes.Equal(again, kept) {
			t.Errorf("%s is split again to %s", kept, again)
		}
		parts = append(parts, provider.Part{Pointer: pointer, Value: secret.NewPlain(`"` + pointer), Shown: true})
		parts = append(parts, provider.Part{Pointer: pointer, Value: secret.NewPlain(`"v"`), Shown: true})
		if revealed := p.Disclose(kept, parts); !json.Valid(revealed) {
			t.Errorf("%s is revealed", revealed)
		}
		p.Disclose(document, parts)
		p.Configure(document, document)
		p.Play(document)
		if erased := p.Anonymous(document); !json.Valid(erased) {
			t.Errorf("%s is erased", erased)
		}
		provider.Fill(document, provider.Signed{ID: pointer, Data: document})
	})
}

func BenchmarkSplitSignup(b *testing.B) {
	data := []byte(`{"account_number":"12345678901","applicant":{"email":"kari@havnkaffe.example","name":"Kari","number":"01019012345"},"business_name":"Havn Kaffe","payment_options":[{"currencies":["NOK","SEK"],"type":"acme.card"}]}`)
	text := func(class string) map[string]any {
		if class == "" {
			return map[string]any{"type": "string"}
		}
		return map[string]any{"type": "string", "class": class}
	}
	schema := func(financial, identity string) map[string]any {
		return map[string]any{"type": "object", "properties": map[string]any{
			"account_number": text(financial), "business_name": text(""),
			"applicant":       map[string]any{"type": "object", "properties": map[string]any{"email": text(""), "name": text(""), "number": text(identity)}},
			"payment_options": map[string]any{"type": "array", "items": map[string]any{"type": "object"}},
		}}
	}
	for name, p := range map[string]*provider.Provider{
		"classed": provider.Ruled(schema("financial", "identity"), nil),
		"plain":   provider.Ruled(schema("", ""), nil),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				p.SplitSignup(data)
			}
		})
	}
}
