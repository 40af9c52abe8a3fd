package reference

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// prose renders text of the contract as Markdown in which only paragraphs and
// code spans have a meaning. Everything else is shown as it was typed.
func prose(s string) string {
	var paragraphs []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(s), "\n\n") {
		if p := plain(paragraph); p != "" {
			paragraphs = append(paragraphs, p)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// plain is prose on one line.
func plain(s string) string {
	s = strings.Join(strings.Fields(clean(s)), " ")
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "`")
		inside, after, closed := strings.Cut(rest, "`")
		if !ok || !closed || strings.TrimSpace(inside) == "" { // nothing would be an open span
			break
		}
		escapeInto(&b, before)
		b.WriteString(code(inside))
		s = after
	}
	escapeInto(&b, s)
	return escapeStart(b.String())
}

// cell is one cell of a table. A pipe would end it, even inside a code span.
func cell(markdown string) string {
	var b strings.Builder
	escaped := false
	for _, r := range strings.ReplaceAll(markdown, "\n", " ") {
		if r == '|' && !escaped {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		escaped = r == '\\' && !escaped
	}
	return b.String()
}

// code is a code span that holds s, whatever is in it.
func code(s string) string {
	s = strings.Join(strings.Fields(clean(s)), " ")
	ticks := strings.Repeat("`", longestRun(s, '`')+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return ticks + s + ticks
}

// fence is a code block that holds s, whatever is in it.
func fence(language, s string) string {
	ticks := strings.Repeat("`", max(3, longestRun(s, '`')+1))
	return ticks + language + "\n" + strings.TrimRight(s, "\n") + "\n" + ticks
}

// special are the characters that begin something in Markdown wherever they
// stand. An underscore inside a word does not.
const special = "\\`*[]<>|~&#"

func escapeInto(b *strings.Builder, s string) {
	previous := ' '
	for i, r := range s {
		next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
		if strings.ContainsRune(special, r) || r == '_' && !(isWord(previous) && isWord(next)) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		previous = r
	}
}

// numbered is what makes a line an item of a numbered list.
var numbered = regexp.MustCompile(`^([0-9]+)([.)](?: |$))`)

// escapeStart keeps a line from being taken for a list, a heading or a rule.
func escapeStart(s string) string {
	if s != "" && strings.ContainsRune("-+=", rune(s[0])) {
		return `\` + s
	}
	return numbered.ReplaceAllString(s, `$1\$2`)
}

// clean drops control characters and whatever is not UTF-8.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func longestRun(s string, c rune) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
