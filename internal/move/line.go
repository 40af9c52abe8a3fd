package move

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"mooring/internal/store"
)

// appendRow adds the line of a row: {"table":{"column":value,...}}.
func appendRow(line []byte, t store.Table, values []any) []byte {
	line = append(line, `{"`...)
	line = append(line, t.Name...)
	line = append(line, `":{`...)
	for i, c := range t.Columns {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(line, '"')
		line = append(line, c.Name...)
		line = append(line, `":`...)
		line = appendValue(line, values[i])
	}
	return append(line, "}}\n"...)
}

func appendValue(line []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return appendText(line, v)
	case int64:
		return strconv.AppendInt(line, v, 10)
	case bool:
		return strconv.AppendBool(line, v)
	case []byte:
		line = append(line, '"')
		line = base64.StdEncoding.AppendEncode(line, v)
		return append(line, '"')
	default:
		return append(line, "null"...)
	}
}

// appendText writes what must be escaped in JSON as an escape, and nothing else.
func appendText(line []byte, text string) []byte {
	const hex = "0123456789abcdef"
	line = append(line, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			line = append(line, '\\', c)
		case c < 0x20:
			line = append(line, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			line = append(line, c)
		}
	}
	return append(line, '"')
}

// readRow reads a line as appendRow writes it, and none that differs from that.
func readRow(line []byte, t store.Table) ([]any, error) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"`+t.Name+`":{`))
	if !ok {
		return nil, fmt.Errorf("a row of %s was to come", t.Name)
	}
	values := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		name := `"` + c.Name + `":`
		if i > 0 {
			name = "," + name
		}
		if rest, ok = bytes.CutPrefix(rest, []byte(name)); !ok {
			return nil, fmt.Errorf("the column %s of %s was to come", c.Name, t.Name)
		}
		if values[i], rest, ok = readValue(rest, c.Kind); !ok || !c.Holds(values[i]) {
			return nil, fmt.Errorf("the column %s of %s holds what it can't hold", c.Name, t.Name)
		}
	}
	if string(rest) != "}}\n" {
		return nil, fmt.Errorf("a row of %s goes on behind its last column", t.Name)
	}
	return values, nil
}

// readValue reads a value of a kind from the beginning of text.
func readValue(text []byte, kind store.Kind) (value any, rest []byte, ok bool) {
	if rest, ok := bytes.CutPrefix(text, []byte("null")); ok {
		return nil, rest, true
	}
	end := endOfValue(text)
	token, rest := text[:end], text[end:]
	switch kind {
	case store.KindNumber:
		n, err := strconv.ParseInt(string(token), 10, 64)
		return n, rest, err == nil
	case store.KindFlag:
		flag := string(token)
		return flag == "true", rest, flag == "true" || flag == "false"
	}
	s, ok := readText(token)
	if !ok || kind != store.KindBytes {
		return s, rest, ok
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return b, rest, err == nil
}

// endOfValue is where the value at the beginning of text ends.
func endOfValue(text []byte) int {
	if len(text) == 0 || text[0] != '"' {
		return max(bytes.IndexAny(text, ",}"), 0)
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

func readText(token []byte) (text string, ok bool) {
	if len(token) < 2 || token[0] != '"' {
		return "", false
	}
	inner := token[1 : len(token)-1]
	if !bytes.ContainsRune(inner, '\\') {
		return string(inner), true
	}
	err := json.Unmarshal(token, &text)
	return text, err == nil
}
