package gate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// encodeTree writes plain values as compact JSON with members sorted by name.
func encodeTree(dst []byte, value any) ([]byte, error) {
	return encodeOrdered(dst, value, byName)
}

func byName(object map[string]any) []string {
	return slices.Sorted(maps.Keys(object))
}

// encodeOrdered is encodeTree with another order of members.
func encodeOrdered(dst []byte, value any, order func(map[string]any) []string) ([]byte, error) {
	var err error
	switch value := value.(type) {
	case map[string]any:
		dst = append(dst, '{')
		for i, name := range order(value) {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = jsontext.AppendQuote(dst, name); err != nil {
				return nil, err
			}
			dst = append(dst, ':')
			if dst, err = encodeOrdered(dst, value[name], order); err != nil {
				return nil, err
			}
		}
		return append(dst, '}'), nil
	case []any:
		dst = append(dst, '[')
		for i, item := range value {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = encodeOrdered(dst, item, order); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case string:
		return jsontext.AppendQuote(dst, value)
	case nil:
		return append(dst, "null"...), nil
	default: // bool and json.Number
		return fmt.Append(dst, value), nil
	}
}
