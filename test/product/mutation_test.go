package product

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// mutation is a body with one thing wrong in it.
type mutation struct {
	what   string
	place  string // where the answer must say that it is wrong
	value  any    // the whole value that is wrong
	strict bool   // wrong only for who asks for strictness
}

// mutations makes every wrong value that a schema can tell from a right one.
func mutations(schema map[string]any, right any) []mutation {
	var all []mutation
	visit(schema, right, "", func(at string, schema map[string]any, member any) {
		put := func(what, place string, wrong any) {
			all = append(all, mutation{what: what, place: place, value: changed(right, at, wrong)})
		}
		put("another type", at, otherType(schema["type"]))
		switch member := member.(type) {
		case map[string]any:
			all = append(all, ofObject(schema, right, at, member)...)
		case []any:
			if most, ok := schema["maxItems"].(int); ok && len(member) > 0 {
				put("too many items", at, slices.Repeat(member[:1], most+1))
			}
			if least, ok := schema["minItems"].(int); ok && least > 0 {
				put("too few items", at, []any{})
			}
		case string:
			for what, wrong := range wrongTexts(schema, at) {
				put(what, at, wrong)
			}
		default:
			if least, ok := schema["minimum"].(int); ok {
				put("too small", at, least-1)
			}
			if most, ok := schema["maximum"].(int); ok {
				put("too great", at, most+1)
			}
		}
	})
	return all
}

// ofObject leaves members out, adds one, and writes one in another case.
func ofObject(schema map[string]any, right any, at string, member map[string]any) []mutation {
	var all []mutation
	without := func(name string) map[string]any {
		less := maps.Clone(member)
		delete(less, name)
		return less
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		place := at + "/" + name.(string)
		all = append(all, mutation{what: "missing", place: place, value: changed(right, at, without(name.(string)))})
	}
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil || schema["additionalProperties"] == true {
		return all // its members are free
	}
	more := maps.Clone(member)
	more["metadata"] = map[string]any{"client_secret": "canary-in-metadata"}
	all = append(all, mutation{what: "secrets in metadata", place: at + "/metadata", value: changed(right, at, more), strict: true})
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if _, there := member[name]; !there {
			continue
		}
		variant := without(name)
		other := swapCase(name)
		variant[other] = member[name]
		all = append(all, mutation{what: "another case", place: at + "/" + other, value: changed(right, at, variant)})
		break
	}
	return all
}

func wrongTexts(schema map[string]any, at string) map[string]string {
	wrong := map[string]string{}
	if most, ok := schema["maxLength"].(int); ok && most < 8<<10 {
		wrong["over-long"] = strings.Repeat("x", most+1)
	}
	if least, ok := schema["minLength"].(int); ok && least > 0 {
		wrong["empty"] = ""
	}
	if schema["enum"] != nil {
		wrong["not one of the enum"] = "no-such-value"
	}
	if schema["format"] != nil || schema["pattern"] != nil {
		wrong["of another form"] = "?"
	}
	if strings.Contains(at, "/currencies/") {
		wrong["no currency"] = "kr"
	}
	return wrong
}

func otherType(kind any) any {
	return map[any]any{"object": []any{}, "array": map[string]any{}, "string": 17, "boolean": "yes", "number": "17", "integer": "17"}[kind]
}

// changed is a copy of whole with another value at a place.
func changed(whole any, pointer string, other any) any {
	if pointer == "" {
		return other
	}
	name, rest, _ := strings.Cut(pointer[1:], "/")
	if rest != "" {
		rest = "/" + rest
	}
	switch whole := whole.(type) {
	case map[string]any:
		copied := maps.Clone(whole)
		copied[name] = changed(whole[name], rest, other)
		return copied
	case []any:
		copied := slices.Clone(whole)
		for i := range copied {
			if fmt.Sprint(i) == name {
				copied[i] = changed(copied[i], rest, other)
			}
		}
		return copied
	}
	panic("nothing at " + pointer)
}

func swapCase(name string) string {
	runes := []rune(name)
	if unicode.IsLower(runes[0]) {
		runes[0] = unicode.ToUpper(runes[0])
	} else {
		runes[0] = unicode.ToLower(runes[0])
	}
	return string(runes)
}

// brokenTexts are bodies that no schema gets to see.
func brokenTexts(right []byte, most int) map[string]struct {
	body   []byte
	status int
} {
	type broken = struct {
		body   []byte
		status int
	}
	return map[string]broken{
		"cut off":      {right[:len(right)-1], http.StatusBadRequest},
		"no object":    {[]byte(`"signup"`), http.StatusBadRequest},
		"said twice":   {[]byte(`{"a":1,"a":2,` + string(right[1:])), http.StatusBadRequest},
		"two values":   {append(slices.Clone(right), right...), http.StatusBadRequest},
		"not UTF-8":    {[]byte("{\"a\":\"\xff\"," + string(right[1:])), http.StatusBadRequest},
		"nested":       {[]byte(`{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "," + string(right[1:])), http.StatusBadRequest},
		"huge":         {[]byte(`{"a":"` + strings.Repeat("x", most) + `",` + string(right[1:])), http.StatusRequestEntityTooLarge},
		"a huge name":  {[]byte(`{"` + strings.Repeat("x", most) + `":1,` + string(right[1:])), http.StatusRequestEntityTooLarge},
		"many members": {[]byte("{" + manyMembers(1000) + "," + string(right[1:])), http.StatusBadRequest},
	}
}

func manyMembers(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"m%d":%d`, i, i))
	}
	return strings.Join(all, ",")
}
