package stories

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// missing is what find returns for a member that is not there.
type missing struct{}

// find takes the value at a path such as ".signups[0].case_id" out of a JSON
// text; "." is the whole.
func find(text []byte, path string) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("the body is no JSON: %w\n%s", err, text)
	}
	path = strings.ReplaceAll(path, "[", ".[")
	for step := range strings.SplitSeq(strings.Trim(path, "."), ".") {
		if step != "" {
			value = child(value, step)
		}
	}
	return value, nil
}

func child(value any, step string) any {
	switch v := value.(type) {
	case map[string]any:
		if member, ok := v[step]; ok {
			return member
		}
	case []any:
		i, err := strconv.Atoi(strings.Trim(step, "[]"))
		if err == nil && i < 0 {
			i += len(v)
		}
		if err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	}
	return missing{}
}

// match checks one relation between the value at a path and a word.
func match(text []byte, path, relation, word string) error {
	value, err := find(text, path)
	if err != nil {
		return err
	}
	ok := false
	switch relation {
	case "==":
		ok = equal(value, word)
	case "!=":
		ok = !equal(value, word)
	case "matches":
		s, isString := value.(string)
		ok = isString && regexp.MustCompile(word).MatchString(s)
	case "has":
		ok = word == strconv.Itoa(size(value))
	case "is":
		ok = kind(value, word)
	default:
		return fmt.Errorf("%s is no relation", relation)
	}
	if !ok {
		return fmt.Errorf("%s is %s, expected: %s %s", path, show(value), relation, word)
	}
	return nil
}

// equal compares objects and arrays as JSON and everything else as text.
func equal(value any, word string) bool {
	switch value.(type) {
	case map[string]any, []any:
		want, err := find([]byte(word), ".")
		return err == nil && reflect.DeepEqual(value, want)
	}
	return show(value) == word
}

func size(value any) int {
	switch v := value.(type) {
	case []any:
		return len(v)
	case map[string]any:
		return len(v)
	}
	return -1
}

var (
	uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	timePattern = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
)

func kind(value any, word string) bool {
	s, isString := value.(string)
	switch word {
	case "missing":
		return value == missing{}
	case "string":
		return isString
	case "uuid":
		return isString && uuidPattern.MatchString(s)
	case "time":
		_, err := time.Parse(time.RFC3339, s)
		return err == nil && timePattern.MatchString(s)
	}
	return word == map[string]string{
		"json.Number": "number", "bool": "boolean", "map[string]interface {}": "object", "[]interface {}": "array",
	}[fmt.Sprintf("%T", value)]
}

func show(value any) string {
	switch v := value.(type) {
	case missing:
		return "missing"
	case string:
		return v
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
