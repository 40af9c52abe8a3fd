package intake

import (
	"bytes"
	"encoding/json"
)

// Apart takes the items of a list out of an object: what is left has an empty
// object in the place of each, and what is wrong inside of one is so nowhere
// else. It looks for brackets and quotes alone; a text that is not even in these
// what it should be stays as it is, or is no JSON afterwards either.
func Apart(body []byte, member string) (frame []byte, items [][]byte) {
	s := scanner{text: body}
	if !s.skip('{') {
		return body, nil
	}
	for s.at < len(body) {
		name := s.value()
		if !s.skip(':') {
			return body, nil
		}
		s.space()
		if begin := s.at; named(name, member) && s.skip('[') {
			items = s.items()
			frame = append(frame, body[:begin+1]...)
			for i, item := range items {
				if i > 0 {
					frame = append(frame, ',')
				}
				if len(item) > 0 { // where there is nothing, nothing takes its place
					frame = append(frame, "{}"...)
				}
			}
			return append(frame, body[s.at:]...), items
		}
		s.value()
		if !s.skip(',') {
			return body, nil
		}
	}
	return body, nil
}

// named says whether a text is a member's name, however it is spelt.
func named(text []byte, member string) bool {
	var name string
	return json.Unmarshal(text, &name) == nil && name == member
}

// scanner goes over a text, which need not be JSON.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) space() {
	s.at += len(s.text[s.at:]) - len(bytes.TrimLeft(s.text[s.at:], " \t\r\n"))
}

// skip goes over one byte and the space around it, if it is the one.
func (s *scanner) skip(c byte) bool {
	s.space()
	if s.at == len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	s.space()
	return true
}

// value goes to where a value ends: before the next comma, colon or closing
// bracket outside of it.
func (s *scanner) value() []byte {
	begin, depth, quoted := s.at, 0, false
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case quoted && c == '\\':
			s.at++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == ':' || c == '}' || c == ']'):
			return bytes.TrimSpace(s.text[begin:s.at])
		case c == '}' || c == ']':
			depth--
		}
	}
	s.at = len(s.text)
	return bytes.TrimSpace(s.text[begin:])
}

// items are the values up to the bracket that closes their list, before which
// it stays.
func (s *scanner) items() (all [][]byte) {
	for {
		item := s.value()
		if len(all) == 0 && len(item) == 0 && s.at < len(s.text) && s.text[s.at] == ']' {
			return nil
		}
		all = append(all, item)
		if !s.skip(',') {
			return all
		}
	}
}
