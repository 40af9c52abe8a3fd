package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/fault"
)

// maxProblems bounds how many problems one answer lists.
const maxProblems = 100

// decoders keeps the state of JSON decoders between requests.
var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// readJSON is the one way in for a JSON body. It returns the body as plain
// values (map[string]any, []any, string, bool, nil, json.Number) and every
// problem that reading found. With problems the tree is incomplete and only
// good for finding more problems; it is nil when the text is not JSON at all.
//
// It is stricter than RFC 8259 where that leaves a choice: one top-level
// object, unique member names, valid UTF-8 without lone surrogates, no NUL,
// numbers that a float64 can hold, and the limits of this package.
func readJSON(body []byte) (map[string]any, []fault.Problem) {
	return readJSONWith(body, MaxStringBytes)
}

// readJSONWith is readJSON with another limit of strings.
func readJSONWith(body []byte, maxString int) (map[string]any, []fault.Problem) {
	dec := decoders.Get().(*jsontext.Decoder)
	dec.Reset(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	defer func() {
		dec.Reset(http.NoBody) // the pool must not hold on to a body, which may have secrets
		decoders.Put(dec)
	}()

	r := reader{dec: dec, maxString: maxString}
	tree := r.top()
	if r.broken {
		return nil, r.problems
	}
	return tree, r.problems
}

type reader struct {
	dec      *jsontext.Decoder
	path     []string
	problems []fault.Problem
	broken   bool // nothing after this point can be read

	maxString int // bytes
}

func (r *reader) top() map[string]any {
	if kind := r.dec.PeekKind(); kind != jsontext.KindBeginObject && kind != jsontext.KindInvalid {
		r.stop("INVALID_TYPE", "must be an object, not "+article([]string{kindName(kind)}), "object", kindName(kind))
		return nil
	}
	tree, _ := r.value().(map[string]any)
	if r.broken {
		return nil
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		r.stop("INVALID_JSON", fmt.Sprintf("goes on after its JSON value, at byte %d", r.dec.InputOffset()))
	}
	return tree
}

func (r *reader) value() any {
	token, err := r.dec.ReadToken()
	if err != nil {
		r.syntax(err)
		return nil
	}
	switch token.Kind() {
	case jsontext.KindBeginObject:
		return r.object()
	case jsontext.KindBeginArray:
		return r.array()
	case jsontext.KindString:
		return r.text(token.String())
	case jsontext.KindNumber:
		return r.number(token.String())
	case jsontext.KindNull:
		return nil
	default:
		return token.Bool()
	}
}

func (r *reader) object() map[string]any {
	object := map[string]any{}
	if !r.deepEnough() {
		return object
	}
	count := 0
	for r.dec.PeekKind() != jsontext.KindEndObject {
		token, err := r.dec.ReadToken()
		if err != nil {
			r.syntax(err)
			return object
		}
		name := token.String()
		r.path = append(r.path, name)
		r.name(object, name)
		value := r.value()
		r.path = r.path[:len(r.path)-1]
		if r.broken {
			return object
		}
		object[name] = value
		if count++; count == MaxMembers+1 {
			r.add("OBJECT_PROPERTIES_MAXIMUM", fmt.Sprintf("must have at most %d members", MaxMembers), strconv.Itoa(MaxMembers))
		}
	}
	r.end()
	return object
}

func (r *reader) array() []any {
	list := []any{}
	if !r.deepEnough() {
		return list
	}
	for r.dec.PeekKind() != jsontext.KindEndArray {
		r.path = append(r.path, strconv.Itoa(len(list)))
		value := r.value()
		r.path = r.path[:len(r.path)-1]
		if r.broken {
			return list
		}
		list = append(list, value)
	}
	r.end()
	return list
}

// end reads the closing bracket that PeekKind saw.
func (r *reader) end() {
	if _, err := r.dec.ReadToken(); err != nil {
		r.syntax(err)
	}
}

func (r *reader) deepEnough() bool {
	if r.dec.StackDepth() <= MaxDepth {
		return true
	}
	r.stop("DEPTH", fmt.Sprintf("is nested more than %d levels deep", MaxDepth), strconv.Itoa(MaxDepth))
	return false
}

// tooDeep says whether brackets outside strings nest beyond MaxDepth. It does
// not need the text to be JSON.
func tooDeep(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// name checks the member name that the path ends in.
func (r *reader) name(object map[string]any, name string) {
	r.text(name)
	if _, twice := object[name]; twice {
		r.add("DUPLICATE_MEMBER", "stands in its object more than once")
	}
}

func (r *reader) text(s string) string {
	if len(s) > r.maxString {
		r.add("MAX_LENGTH", fmt.Sprintf("must have at most %d bytes", r.maxString), strconv.Itoa(r.maxString))
	}
	if strings.IndexByte(s, 0) >= 0 {
		r.add("NUL_CHARACTER", "must not contain the NUL character")
	}
	return s
}

// maxNumberBytes bounds a number's text, and maxExponent its magnitude: the
// validator calculates exactly, which has its price for 1e999999.
const (
	maxNumberBytes = 64
	maxExponent    = 308
)

func (r *reader) number(s string) json.Number {
	if !reasonable(s) {
		r.add("NUMBER_RANGE", "is a number beyond what can be kept exactly")
		return "0"
	}
	return json.Number(s)
}

func reasonable(s string) bool {
	if len(s) > maxNumberBytes {
		return false
	}
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		exponent, err := strconv.Atoi(s[at+1:])
		if err != nil || exponent > maxExponent || exponent < -maxExponent {
			return false
		}
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func (r *reader) add(code, message string, params ...string) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, bodyProblem(r.path, code, message, params...))
	}
}

// stop reports a problem after which nothing more can be read.
func (r *reader) stop(code, message string, params ...string) {
	r.add(code, message, params...)
	r.broken = true
}

// syntax reports text that is not JSON. It says where, and not what stands
// there.
func (r *reader) syntax(err error) {
	r.broken = true
	at := r.dec.InputOffset()
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at = syntactic.ByteOffset
	}
	message := fmt.Sprintf("is not valid JSON at byte %d", at)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		message = fmt.Sprintf("ends at byte %d, before its JSON does", at)
	}
	r.problems = append(r.problems, bodyProblem(nil, "INVALID_JSON", message))
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case jsontext.KindBeginArray:
		return "array"
	case jsontext.KindString:
		return "string"
	case jsontext.KindNumber:
		return "number"
	case jsontext.KindNull:
		return "null"
	default:
		return "boolean"
	}
}
