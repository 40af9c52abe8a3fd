package provider

import (
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// SignupKey is the text that two signups share exactly when they are the same
// one: a JSON array with the value of each key member, folded to one case, and
// null for an absent one. It is "" in the single model. data is the JSON object
// of a signup that the gate let through.
func (p *Provider) SignupKey(data []byte) string {
	if !p.Signup.Many {
		return ""
	}
	var members map[string]jsontext.Value
	_ = json.Unmarshal(data, &members) // the gate read it, so it is an object
	key := []byte{'['}
	for i, name := range p.Signup.Key {
		if i > 0 {
			key = append(key, ',')
		}
		key = appendFolded(key, members[name])
	}
	return string(append(key, ']'))
}

// appendFolded writes one value of the key. Quoting keeps values apart
// whatever they contain.
func appendFolded(key []byte, value jsontext.Value) []byte {
	if value == nil {
		return append(key, "null"...)
	}
	if value.Kind() != '"' {
		return append(key, value...)
	}
	text, _ := jsontext.AppendUnquote(nil, value)
	key, _ = jsontext.AppendQuote(key, fold(string(text)))
	return key
}

// fold maps all spellings that differ in case only to one. Unlike lower case
// it is an equivalence: the same as strings.EqualFold.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, s)
}
