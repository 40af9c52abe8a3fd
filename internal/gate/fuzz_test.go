package gate

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":{"b":[1,"x",null,true]}}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, `{"a":"\u0000"}`,
		`{"a":1e999}`, "{\"a\":\"\xff\"}", `[1]`, `{"a":1}x`, `{"ſ":1,"s":2}`, strings.Repeat(`{"a":`, 20), `{"":-0.0}`,
	} {
		f.Add([]byte(seed))
	}
	doc, err := Assemble(os.DirFS("testdata/small"))
	if err != nil {
		f.Fatal(err)
	}
	schema, err := doc.Schema("#/components/schemas/Event")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tree, problems := readJSON(body)
		if tree == nil && len(problems) == 0 {
			t.Fatal("refused without a reason")
		}
		if len(problems) > 0 {
			return
		}
		// What is let in, every other reader takes for the same.
		var other map[string]any
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if err := dec.Decode(&other); err != nil {
			t.Fatalf("the standard library refuses it: %v", err)
		}
		if diff := cmp.Diff(other, tree); diff != "" {
			t.Fatal(diff)
		}
		encoded, err := encodeTree(nil, tree)
		if err != nil {
			t.Fatal(err)
		}
		again, problems := readJSON(encoded)
		if diff := cmp.Diff(tree, again); diff != "" || len(problems) > 0 {
			t.Fatalf("it does not survive being written: %v %s", problems, diff)
		}
		// Trimming leaves nothing that is not declared.
		trim := trimmer{}
		trim.trim(schema.shape, tree)
		schema.Problems(tree)
		if left := schema.Undeclared(tree); len(left) > 0 {
			t.Fatalf("left behind: %v", left)
		}
	})
}

func FuzzReadForm(f *testing.F) {
	for _, seed := range []string{"", "a=b", "a=b&a=c", "a=%00", "a=%zz", "%ff=1", "a=b;c=d", "a+b=c%20d", "&&=&"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tree, problems := readForm(body)
		if tree == nil && len(problems) == 0 {
			t.Fatal("refused without a reason")
		}
		if len(problems) > 0 {
			return
		}
		values := url.Values{}
		for name, value := range tree {
			s, ok := value.(string)
			if !ok || !utf8.ValidString(name+s) || strings.Contains(name+s, "\x00") {
				t.Fatalf("%q: let in %q", name, value)
			}
			values.Set(name, s)
		}
		again, _ := readForm([]byte(values.Encode()))
		if diff := cmp.Diff(tree, again); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"", "a", `"a"`, `"a\"b"`, `"`, `"\`, "a b", strings.Repeat("k", 256)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		key, given, ok := idempotencyKey([]string{header})
		if !given {
			t.Fatal("a header counts as none")
		}
		if !ok {
			if key != "" {
				t.Fatalf("refused, yet %q", key)
			}
			return
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		if same, _, ok := idempotencyKey([]string{quoted}); !ok || same != key || len(key) > 255 {
			t.Fatalf("%q: quoted it is %q", key, same)
		}
	})
}
