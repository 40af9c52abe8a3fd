package gate

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// A packed contract is what was read from its files, in a form that takes a
// program little time to read at each start: values one after the other, those
// that are inside of others before them, and none twice. Each begins with a
// number whose low bits are its kind and whose others are its length. A text
// or a number goes on with so many bytes, a list with so many places of values
// before it, and an object with so many pairs of such places, of name and
// value. The last value is the object of all files, by name, and of the whole
// document that was made of them, without one.
const (
	packedObject = iota
	packedList
	packedText
	packedNumber
	packedTrue
	packedFalse
	packedNull
	packedBits = 3
)

// packedWhole stands for the whole document among the names of files.
const packedWhole = ""

// Pack is the fragments, packed, and the document that Assemble makes of them
// and of further maps.
func (f *Fragments) Pack(more ...map[string]any) ([]byte, error) {
	whole, err := f.Assemble(more...)
	if err != nil {
		return nil, err
	}
	all := map[string]any{packedWhole: whole.raw}
	for name, fragment := range f.read {
		all[name] = fragment
	}
	p := packer{known: map[string]uint64{}}
	p.value(all)
	return p.out, nil
}

type packer struct {
	out   []byte
	known map[string]uint64 // where each value is, by its bytes
}

// value writes a value, unless it is there, and says where it is.
func (p *packer) value(value any) uint64 {
	var own []byte
	switch value := value.(type) {
	case map[string]any:
		own = head(packedObject, len(value))
		for _, name := range slices.Sorted(maps.Keys(value)) {
			own = binary.AppendUvarint(own, p.value(name))
			own = binary.AppendUvarint(own, p.value(value[name]))
		}
	case []any:
		own = head(packedList, len(value))
		for _, item := range value {
			own = binary.AppendUvarint(own, p.value(item))
		}
	case string:
		own = append(head(packedText, len(value)), value...)
	case json.Number:
		own = append(head(packedNumber, len(value)), value...)
	case bool:
		own = head(packedFalse, 0)
		if value {
			own = head(packedTrue, 0)
		}
	case nil:
		own = head(packedNull, 0)
	default:
		panic(fmt.Sprintf("gate: a fragment cannot hold a value of type %T", value))
	}
	at, known := p.known[string(own)]
	if !known {
		at = uint64(len(p.known))
		p.known[string(own)] = at
		p.out = append(p.out, own...)
	}
	return at
}

func head(kind, length int) []byte {
	return binary.AppendUvarint(nil, uint64(length)<<packedBits|uint64(kind))
}

// Unpack reads what Pack wrote, and nothing else: it is for what is part of the
// program. Texts are parts of the packed one, and equal values are one.
func Unpack(packed string) *Fragments {
	u := unpacker{rest: packed, values: make([]any, 0, len(packed)/16)}
	for u.rest != "" {
		u.values = append(u.values, u.value())
	}
	f := &Fragments{read: map[string]map[string]any{}}
	for name, fragment := range u.values[len(u.values)-1].(map[string]any) {
		if name == packedWhole {
			f.whole = fragment.(map[string]any)
			continue
		}
		f.names, f.read[name] = append(f.names, name), fragment.(map[string]any)
	}
	slices.Sort(f.names)
	return f
}

type unpacker struct {
	rest   string
	values []any
}

func (u *unpacker) value() any {
	start := u.number()
	length := int(start >> packedBits)
	switch start & (1<<packedBits - 1) {
	case packedObject:
		object := make(map[string]any, length)
		for range length {
			name := u.values[u.number()].(string)
			object[name] = u.values[u.number()]
		}
		return object
	case packedList:
		list := make([]any, length)
		for i := range list {
			list[i] = u.values[u.number()]
		}
		return list
	case packedText:
		return u.text(length)
	case packedNumber:
		return json.Number(u.text(length))
	case packedTrue, packedFalse:
		return start == packedTrue
	}
	return nil
}

func (u *unpacker) text(length int) (text string) {
	text, u.rest = u.rest[:length], u.rest[length:]
	return text
}

func (u *unpacker) number() (n uint64) {
	for shift := 0; ; shift += 7 {
		b := u.rest[0]
		u.rest = u.rest[1:]
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
}
