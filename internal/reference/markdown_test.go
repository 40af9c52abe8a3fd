package reference

import (
	"strings"
	"testing"
)

func TestProseKeepsParagraphsAndCodeSpansOnly(t *testing.T) {
	tests := []struct{ in, want string }{
		{"one\ntwo\n\nthree", "one two\n\nthree"},
		{"a `code_span` here", "a `code_span` here"},
		{"`a|b*c`", "`a|b*c`"},
		{"snake_case stays, _emphasis_ does not", `snake_case stays, \_emphasis\_ does not`},
		{"*a* **b** ~c~", `\*a\* \*\*b\*\* \~c\~`},
		{"[text](http://x) ![i](y)", `\[text\](http://x) !\[i\](y)`},
		{"<b> &lt;", `\<b\> \&lt;`},
		{"# heading", `\# heading`},
		{"- item", `\- item`},
		{"1. item", `1\. item`},
		{"12) item", `12\) item`},
		{"1.5 seconds", "1.5 seconds"},
		{"===", `\===`},
		{"a lone ` tick", "a lone \\` tick"},
		{"two `` ticks", "two \\`\\` ticks"},
		{"a\\*b", `a\\\*b`},
		{"bell\a and \xff", "bell and "},
		{"", ""},
	}
	for _, test := range tests {
		if got := prose(test.in); got != strings.TrimRight(test.want, " ") {
			t.Errorf("prose(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestCodeHoldsWhateverIsInIt(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain", "`plain`"},
		{"a`b", "``a`b``"},
		{"`", "`` ` ``"},
		{"two\nlines", "`two lines`"},
	}
	for _, test := range tests {
		if got := code(test.in); got != test.want {
			t.Errorf("code(%q) = %q, want %q", test.in, got, test.want)
		}
	}
	if got, want := fence("json", "```\nx\n"), "````json\n```\nx\n````"; got != want {
		t.Errorf("fence = %q, want %q", got, want)
	}
}

func TestACellNeverEndsEarly(t *testing.T) {
	tests := []struct{ in, want string }{
		{"`a|b`", "`a\\|b`"},
		{`a\|b`, `a\|b`},
		{`a\\|b`, `a\\\|b`},
		{"one\n\ntwo", "one  two"},
	}
	for _, test := range tests {
		if got := cell(test.in); got != test.want {
			t.Errorf("cell(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func FuzzProse(f *testing.F) {
	f.Add("a `b` *c* | <d>")
	f.Add("# x\n\n- y")
	f.Add("0`   ``#`")
	f.Fuzz(func(t *testing.T, s string) {
		outside := withoutSpans(prose(s))
		for i, r := range outside {
			if strings.ContainsRune("*[]<>|~#", r) && (i == 0 || outside[i-1] != '\\') {
				t.Errorf("%q leaves %q alone in %q", s, r, outside)
			}
		}
	})
}

// withoutSpans cuts the code spans out, as a reader of Markdown finds them.
func withoutSpans(s string) string {
	var b strings.Builder
	for s != "" {
		switch {
		case s[0] == '\\' && len(s) > 1:
			b.WriteString(s[:2])
			s = s[2:]
		case s[0] == '`':
			ticks := s[:len(s)-len(strings.TrimLeft(s, "`"))]
			_, after, closed := strings.Cut(s[len(ticks):], ticks)
			if !closed {
				return b.String() + s
			}
			s = after
		default:
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
	return b.String()
}
