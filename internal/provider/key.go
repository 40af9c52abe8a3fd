package provider

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// SignupKey is the text that two signups share exactly when they are the same
// one: a JSON array with the value of each key member, and null for an absent
// one. The case of a UUID means nothing (RFC 9562, section 4). It is "" in the
// single model. data is the JSON object of a signup that the gate let through.
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
		key = appendMember(key, members[name], slices.Contains(p.Signup.UUIDs, name))
	}
	return string(append(key, ']'))
}

// appendMember writes one value of the key. Quoting keeps values apart
// whatever they contain.
func appendMember(key []byte, value jsontext.Value, uuid bool) []byte {
	if value == nil {
		return append(key, "null"...)
	}
	if value.Kind() != '"' {
		return append(key, value...)
	}
	text, _ := jsontext.AppendUnquote(nil, value)
	if uuid {
		text = bytes.ToLower(text)
	}
	key, _ = jsontext.AppendQuote(key, text)
	return key
}
