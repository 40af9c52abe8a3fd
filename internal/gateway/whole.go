package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"mooring/internal/provider"
	"mooring/internal/secret"
)

// Whole puts what was sealed of a signup back into what rests of it, for whoever
// the provider is reached by.
func Whole(kept []byte, parts []provider.Part) (secret.Plain, error) {
	if len(parts) == 0 {
		return secret.NewPlain(string(kept)), nil
	}
	var document any
	if err := decodeNumbers(kept, &document); err != nil {
		return secret.Plain{}, errors.New("a signup at rest is no JSON")
	}
	for _, part := range parts {
		var value any
		if err := decodeNumbers([]byte(part.Value.Reveal()), &value); err != nil {
			return secret.Plain{}, errors.New("a sealed member is no JSON")
		}
		document = put(document, strings.Split(part.Pointer, "/")[1:], value)
	}
	text, err := json.Marshal(document)
	return secret.NewPlain(string(text)), err
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// put sets the member that a path names, and makes the objects on the way.
func put(into any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	name := unescape.Replace(path[0])
	if list, ok := into.([]any); ok {
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(list) {
			list[i] = put(list[i], path[1:], value)
		}
		return list
	}
	object, ok := into.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	object[name] = put(object[name], path[1:], value)
	return object
}

func decodeNumbers(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

// Text is the member of a document that a JSON pointer names, as a file shows
// it: a string as it is, anything else as JSON, "" when there is none.
func Text(document secret.Plain, pointer string) string {
	var at any
	if decodeNumbers([]byte(document.Reveal()), &at) != nil {
		return ""
	}
	for _, name := range strings.Split(pointer, "/")[1:] {
		at = member(at, unescape.Replace(name))
	}
	switch at := at.(type) {
	case nil:
		return ""
	case string:
		return at
	}
	text, _ := json.Marshal(at) // of what was decoded just now
	return string(text)
}

func member(of any, name string) any {
	switch of := of.(type) {
	case map[string]any:
		return of[name]
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(of) {
			return of[i]
		}
	}
	return nil
}
