package hook

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A mask names members of a body: "account(partner_id,company/business_name)".
// Names are separated by commas; what is in parentheses, or after a slash, is
// below a member; "*" is any member. Arrays are looked through.
//
// mask is one that was read: what it names below a member. A whole one names all.
type mask struct {
	whole   bool
	members map[string]*mask
}

// Limits of a mask.
const (
	maxMaskText  = 2048
	maxMaskDepth = 16
)

var (
	errMaskLong  = fmt.Errorf("a mask has at most %d characters", maxMaskText)
	errMaskDeep  = fmt.Errorf("a mask goes at most %d members deep", maxMaskDepth)
	errMaskName  = errors.New("a name is missing in the mask")
	errMaskClose = errors.New("a parenthesis of the mask is not closed")
	errMaskRest  = errors.New("something in the mask does not belong to it")
)

// readMask reads the text of a mask.
func readMask(text string) (*mask, error) {
	if len(text) > maxMaskText {
		return nil, errMaskLong
	}
	r := maskReader{text}
	root := &mask{}
	if err := r.list(root, 1); err != nil {
		return nil, err
	}
	if r.rest != "" {
		return nil, errMaskRest
	}
	return root, nil
}

type maskReader struct{ rest string }

func (r *maskReader) list(into *mask, depth int) error {
	for {
		if err := r.path(into, depth); err != nil {
			return err
		}
		if !r.take(',') {
			return nil
		}
	}
}

func (r *maskReader) path(into *mask, depth int) error {
	if depth > maxMaskDepth {
		return errMaskDeep
	}
	name := r.name()
	if name == "" {
		return errMaskName
	}
	below := into.below(name)
	switch {
	case r.take('/'):
		return r.path(below, depth+1)
	case r.take('('):
		if err := r.list(below, depth+1); err != nil {
			return err
		}
		if !r.take(')') {
			return errMaskClose
		}
	default:
		below.whole = true
	}
	return nil
}

func (r *maskReader) name() string {
	r.rest = strings.TrimLeft(r.rest, " ")
	end := strings.IndexAny(r.rest, ",/() ")
	if end < 0 {
		end = len(r.rest)
	}
	name := r.rest[:end]
	r.rest = strings.TrimLeft(r.rest[end:], " ")
	return name
}

func (r *maskReader) take(c byte) bool {
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = strings.TrimLeft(r.rest[1:], " ")
	return true
}

func (m *mask) below(name string) *mask {
	if m.members == nil {
		m.members = map[string]*mask{}
	}
	below := m.members[name]
	if below == nil {
		below = &mask{}
		m.members[name] = below
	}
	return below
}

// at are the masks that say what is wanted below a member that any of them
// names.
func at(masks []*mask, name string) (below []*mask) {
	for _, m := range masks {
		for _, n := range [...]string{name, "*"} {
			if b := m.members[n]; b != nil {
				below = append(below, b)
			}
		}
	}
	return below
}

func anyWhole(masks []*mask) bool {
	return slices.ContainsFunc(masks, func(m *mask) bool { return m.whole })
}

// names says whether everything that m names is in a shape: a mask of all that
// there may be, in which "*" stands for whatever there is.
func (m *mask) names(shape *mask) bool {
	if shape.members["*"] != nil {
		return true
	}
	for name, below := range m.members {
		found := shape.members[name]
		if name == "*" {
			found = anyMember(shape)
		}
		if found == nil || !below.names(found) {
			return false
		}
	}
	return true
}

// anyMember is what may be below the members of a shape.
func anyMember(shape *mask) *mask {
	var all *mask
	for _, below := range shape.members {
		if all == nil {
			all = &mask{members: map[string]*mask{}}
		}
		maps.Copy(all.members, below.members)
	}
	return all
}

// cut copies a JSON value without what it need not have.
type cut struct {
	in   *jsontext.Decoder
	out  []byte
	drop bool // leave out what is named, instead of keeping it
}

// apply copies a JSON object with what the mask names, or without it.
func (m *mask) apply(object []byte, drop bool) ([]byte, error) {
	c := cut{in: jsontext.NewDecoder(bytes.NewBuffer(object)), out: make([]byte, 0, len(object)), drop: drop}
	_, err := c.value([]*mask{m})
	return c.out, err
}

// value copies the next value, of which something is named, and says whether it left anything.
func (c *cut) value(masks []*mask) (kept bool, err error) {
	switch c.in.PeekKind() {
	case '{':
		return true, c.each('}', func(first bool) (bool, error) { return c.member(masks, first) })
	case '[':
		return true, c.each(']', func(first bool) (bool, error) { return c.element(masks, first) })
	}
	if !c.drop {
		return false, c.in.SkipValue() // nothing is below it
	}
	return true, c.whole()
}

// each copies the parts of an object or an array.
func (c *cut) each(end jsontext.Kind, part func(first bool) (bool, error)) error {
	open, err := c.in.ReadToken()
	if err != nil {
		return err
	}
	c.out = append(c.out, byte(open.Kind()))
	for first := true; c.in.PeekKind() != end; {
		kept, err := part(first)
		if err != nil {
			return err
		}
		first = first && !kept
	}
	c.out = append(c.out, byte(end))
	_, err = c.in.ReadToken()
	return err
}

func (c *cut) member(masks []*mask, first bool) (bool, error) {
	name, err := c.in.ReadValue()
	if err != nil {
		return false, err
	}
	plain, err := jsontext.AppendUnquote(nil, name)
	if err != nil {
		return false, err
	}
	start := len(c.out)
	if !first {
		c.out = append(c.out, ',')
	}
	c.out = append(append(c.out, name...), ':')
	kept, err := c.part(at(masks, string(plain)))
	if !kept {
		c.out = c.out[:start]
	}
	return kept, err
}

func (c *cut) element(masks []*mask, first bool) (bool, error) {
	start := len(c.out)
	if !first {
		c.out = append(c.out, ',')
	}
	kept, err := c.value(masks)
	if !kept {
		c.out = c.out[:start]
	}
	return kept, err
}

// part copies what is below a member as the masks below it say.
func (c *cut) part(below []*mask) (kept bool, err error) {
	switch {
	case anyWhole(below):
		if c.drop {
			return false, c.in.SkipValue()
		}
		return true, c.whole()
	case len(below) > 0:
		return c.value(below)
	case c.drop:
		return true, c.whole()
	default:
		return false, c.in.SkipValue()
	}
}

func (c *cut) whole() error {
	v, err := c.in.ReadValue()
	c.out = append(c.out, v...)
	return err
}
