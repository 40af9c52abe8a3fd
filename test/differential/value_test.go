package differential

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"mooring/internal/gate"
)

// maker makes values for schemas of the contract.
type maker struct {
	*rand.Rand
	document *gate.Document
	names    *names
	applied  []map[string]string // the parameters of signups that were taken
	calm     bool                // the request is to be taken: nothing in it is wrong on purpose
	made     int                 // how many things were named that must not be named twice
}

// one picks.
func one[T any](r *maker, from []T) T { return from[r.IntN(len(from))] }

func (r *maker) chance(percent int) bool { return r.IntN(100) < percent }

// wild is chance for what makes a request wrong.
func (r *maker) wild(percent int) bool { return !r.calm && r.chance(percent) }

// words are texts that databases, and what stands before them, do not all treat
// alike.
var words = []string{
	"", " ", "a", "A", "å", "å", "Å", "ß", "ẞ", "SS", "İ", "ı", "ﬁ", "日本", "\U0001F6A2", "é\u200d", "\ufeffx", "\u0000", "a\u0000b", "\u001f",
	"\u2028", "\ufffd", "%", "_", "50%", `a\b`, `\`, "'", `"`, "' OR 1=1 --", "$1", "?", ":a", "null", "NULL", "true", "0", "00", "1e3", "NaN", "Infinity",
	"{}", "[]", "{a,b}", "{\"a\"}", "a,b", "a;b", "a|b", "a\tb", "a\nb", "a\r\nb", " a", "a ", "a  b", "Z", "z", "Æ", "ø", "~", "\u007f", "\u0080",
	"9223372036854775807", "-1", "2026-05-12", "10:00", "Vipps awaiting signature", "Havn Kaffe AS", "havn kaffe as", "HAVN KAFFE AS", "NO", "no", "923456789",
	"\\u0000", "\\x00", "<b>&amp;</b>", "https://example.com/?a=b&c=d#e", "ﷺ", "́a", "á", "á",
}

// numbers are those that are near an edge, as they stand in JSON.
var numbers = []string{
	"0", "-0", "1", "-1", "2", "7", "10", "99", "100", "101", "500", "1000", "365", "32767", "32768", "65536", "2147483647", "2147483648", "4294967296", "9007199254740991", "9007199254740993",
	"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551616", "0.5", "1.0", "1.10", "1e2", "1E400", "1e-400", "123456789012345678901234567890",
	"0.1", "0.30000000000000004", "1e21", "12345.678901234567890",
}

// times are moments that are written, rounded or sorted in more than one way.
// All lie long before the run, or nobody can take them.
var times = []string{
	"2026-05-12T09:29:41Z", "2026-05-12T09:29:41.123456Z", "2026-05-12T09:29:41.1234567Z", "2026-05-12T09:29:41.999999999Z", "2026-05-12T11:29:41+02:00",
	"2026-05-12T09:29:41.5Z", "2026-05-12T00:00:00-12:00", "2026-02-29T00:00:00Z", "2024-02-29T23:59:59Z", "2016-12-31T23:59:60Z", "1970-01-01T00:00:00Z",
	"1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1600-01-01T00:00:00Z", "2026-05-12t09:29:41z", "2026-05-12 09:29:41Z", "2026-05-12T09:29:41",
	"2026-05-12T24:00:00Z", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00.000001Z", "2025-11-30T10:00:00Z", "-0001-01-01T00:00:00Z", "292278-01-01T00:00:00Z",
}

// value makes a value for a schema, mostly one that fits.
func (r *maker) value(schema map[string]any, key string, depth int) any {
	schema = r.document.Resolve(schema)
	if r.wild(2) {
		return r.anything()
	}
	for _, list := range []string{"oneOf", "anyOf"} {
		if choices, ok := schema[list].([]any); ok && schema["properties"] == nil {
			return r.value(one(r, choices).(map[string]any), key, depth+1)
		}
	}
	if c, ok := schema["const"]; ok {
		return c
	}
	if enum, ok := schema["enum"].([]any); ok {
		return one(r, enum)
	}
	switch r.kind(schema) {
	case "object":
		return r.object(schema, depth)
	case "array":
		return r.array(schema, key, depth)
	case "integer", "number":
		return r.number(schema)
	case "boolean":
		return r.chance(50)
	case "null":
		return nil
	case "string":
		return r.text(schema, key)
	}
	return r.anything()
}

// kind is the type of a schema, or of what it is put together from.
func (r *maker) kind(schema map[string]any) string {
	switch t := schema["type"].(type) {
	case string:
		return t
	case []any:
		return one(r, t).(string)
	}
	if schema["properties"] != nil || schema["allOf"] != nil {
		return "object"
	}
	return ""
}

func (r *maker) object(schema map[string]any, depth int) any {
	object := map[string]any{}
	for part := range r.parts(schema) {
		required, _ := part["required"].([]any)
		properties, _ := part["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			property := r.document.Resolve(properties[name].(map[string]any))
			percent := 40 - 5*depth
			if slices.Contains(required, any(name)) {
				percent = 97
				if r.calm {
					percent = 100
				}
			} else if property["readOnly"] == true {
				percent = 3
			}
			if r.chance(percent) {
				object[name] = r.value(property, name, depth+1)
			}
		}
		if part["additionalProperties"] != nil && part["additionalProperties"] != false || r.wild(3) {
			for range r.IntN(3) {
				object[one(r, words)] = r.anything()
			}
		}
	}
	return object
}

// parts are a schema and those that it is put together from.
func (r *maker) parts(schema map[string]any) func(yield func(map[string]any) bool) {
	return func(yield func(map[string]any) bool) {
		schema = r.document.Resolve(schema)
		for _, list := range []string{"allOf", "anyOf", "oneOf"} {
			parts, _ := schema[list].([]any)
			if list != "allOf" && len(parts) > 0 {
				parts = []any{one(r, parts)}
			}
			for _, part := range parts {
				for inner := range r.parts(part.(map[string]any)) {
					if !yield(inner) {
						return
					}
				}
			}
		}
		yield(schema)
	}
}

func (r *maker) array(schema map[string]any, key string, depth int) any {
	items, ok := schema["items"].(map[string]any)
	if row, own := items["x-mooring-item"].(map[string]any); own {
		items = row
	}
	list := []any{}
	for range r.IntN(4) {
		if ok {
			list = append(list, r.value(items, key, depth+1))
		} else {
			list = append(list, r.anything())
		}
	}
	if len(list) > 0 && r.wild(10) {
		list = append(list, list[0])
	}
	return list
}

func (r *maker) number(schema map[string]any) any {
	low, lowErr := json.Number(fmt.Sprint(schema["minimum"])).Int64()
	high, highErr := json.Number(fmt.Sprint(schema["maximum"])).Int64()
	if lowErr == nil && highErr == nil && r.chance(70) {
		return json.Number(fmt.Sprint(low + r.Int64N(high-low+1)))
	}
	return json.Number(one(r, numbers))
}

// text makes a text for a schema: what the requests speak of, an example, or a
// word that somebody might not expect.
func (r *maker) text(schema map[string]any, key string) any {
	if known := r.reference(key); known != "" {
		return known
	}
	switch format := schema["format"]; {
	case format == "date-time":
		return one(r, times)
	case format == "uuid" && r.chance(90):
		return one(r, uuids)
	case format == "email" && r.chance(80):
		return one(r, []string{"kari@havnkaffe.example", "KARI@havnkaffe.example", "kåri@havnkaffe.example", "a@b.example"})
	}
	pattern, _ := schema["pattern"].(string)
	if pattern != "" || schema["format"] != nil {
		return r.matching(schema, pattern)
	}
	if schema["minLength"] != nil && r.chance(90) {
		return cmp.Or(one(r, words), "x")
	}
	if examples, ok := schema["examples"].([]any); ok && r.chance(40) {
		return one(r, examples)
	}
	limit, err := json.Number(fmt.Sprint(schema["maxLength"])).Int64()
	if err != nil {
		limit = 8 << 10
	}
	switch {
	case r.chance(8):
		return strings.Repeat(one(r, []string{"x", "ø", "日", "\U0001F6A2", "x "}), int(limit)+r.IntN(3)-2)
	case r.chance(20):
		return one(r, words) + one(r, words)
	}
	return one(r, words)
}

var uuids = []string{
	"3c90c3cc-0d44-4b50-8888-8dd25736052a", "3C90C3CC-0D44-4B50-8888-8DD25736052A", "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01", "00000000-0000-0000-0000-000000000000",
	"{3c90c3cc-0d44-4b50-8888-8dd25736052a}", "3c90c3cc0d444b5088888dd25736052a", "ffffffff-ffff-ffff-ffff-ffffffffffff",
}

// matching looks for a text that a pattern lets through.
func (r *maker) matching(schema map[string]any, pattern string) any {
	examples, _ := schema["examples"].([]any)
	re, err := regexp.Compile(pattern)
	if err == nil && r.chance(40) {
		for range 30 {
			if word := one(r, words); word != "" && re.MatchString(word) {
				return word
			}
		}
	}
	if len(examples) > 0 && r.chance(90) {
		return one(r, examples)
	}
	return one(r, words)
}

// reference is what a member of this name may speak of; "" for nothing.
func (r *maker) reference(key string) string {
	switch kind, known := references[key]; {
	case known && r.chance(90):
		return r.known(kind)
	case key == "account_id" || key == "owner" || key == "partner_id":
		return r.anyAccount()
	case key == "audience":
		return publicURL + "/v1/accounts/" + r.anyAccount()
	case key == "url" && r.chance(80): // each host takes so many pings
		r.made++
		return fmt.Sprintf("https://receiver-%d.example.com/%s", r.made, one(r, []string{"", "hooks", "h?a=b", "%C3%A5"}))
	}
	return ""
}

// references are the members that speak of something, and of what.
var references = map[string]string{"case_id": "case", "client_id": "client", "signup_id": "signup"}

// known names one of what the servers made of a kind; "" when there is none.
func (r *maker) known(kind string) string {
	pool := r.names.pools[kind]
	if len(pool) == 0 {
		return ""
	}
	return one(r, pool[max(0, len(pool)-poolSize):])
}

// anyAccount names an account, mostly one that is there.
func (r *maker) anyAccount() string {
	switch {
	case r.calm || r.chance(60):
		return string(one(r, accounts).id)
	case r.chance(90) && len(r.names.pools["account"]) > 0:
		return r.known("account")
	}
	return one(r, []string{"T99999999", "P99999999", "T112", "T1120000", "t11200001", "T11200001 ", "T1120000１"})
}

// anything is a value that no schema asked for.
func (r *maker) anything() any {
	switch r.IntN(9) {
	case 0:
		return nil
	case 1:
		return r.chance(50)
	case 2, 3:
		return json.Number(one(r, numbers))
	case 4:
		return []any{one(r, words), json.Number(one(r, numbers))}
	case 5:
		return map[string]any{one(r, words): one(r, words)}
	case 6:
		return map[string]any{}
	}
	return one(r, words)
}

// spoil changes one place of a value.
func (r *maker) spoil(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 || r.chance(10) {
			v = maps.Clone(v)
			v[one(r, words)] = r.anything()
			return v
		}
		v = maps.Clone(v)
		name := one(r, slices.Sorted(maps.Keys(v)))
		switch {
		case r.chance(15):
			delete(v, name)
		case r.chance(5):
			v[strings.ToUpper(name)] = v[name]
		default:
			v[name] = r.spoil(v[name])
		}
		return v
	case []any:
		if len(v) > 0 && r.chance(80) {
			v = slices.Clone(v)
			i := r.IntN(len(v))
			v[i] = r.spoil(v[i])
			return v
		}
		return append(slices.Clone(v), r.anything())
	case string:
		switch r.IntN(6) {
		case 0:
			return v + one(r, words)
		case 1:
			return one(r, words) + v
		case 2:
			return strings.ToUpper(v)
		case 3:
			return one(r, times)
		}
		return one(r, words)
	}
	return r.anything()
}
