package provider

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"mooring/internal/account"
)

// Play is the scenario that a signup's data asks for: Happy unless a magic
// value names another. data is the whole request, before it is split.
func (p *Provider) Play(data []byte) string {
	if p.Magic.Member == "" {
		return Happy
	}
	value, _ := find(plainObject(data), tokens(p.Magic.Member))
	text, _ := value.(string)
	if scenario, ok := p.Magic.Values[text]; ok {
		return scenario
	}
	return Happy
}

// CallbackPath is where the provider's documented callback about a signup
// goes; "" when there is none.
func (p *Provider) CallbackPath(id account.ID, reference string) string {
	if p.Callback == nil {
		return ""
	}
	path := strings.Replace(p.path(), "{aid}", string(id), 1)
	if extra := p.file.Path; extra != nil {
		path = strings.Replace(path, "{"+extra.Parameter+"}", extra.Enum[0], 1)
	}
	return path + "/" + reference
}

// Signed is what a step of a scenario may repeat of the signup it is about.
type Signed struct {
	ID   string
	Data []byte // JSON object
	At   time.Time
}

// blank is what is filled in: {signup.id}, the signup's time and some more
// {signup+2h}, or a member of its data {signup:/case_id}.
var blank = regexp.MustCompile(`\{signup(?:\.id|\+[0-9]{1,4}[mhd]|:(?:/[^{}/]+)+)\}`)

// Fill fills in the blanks of a step's body, which stand in its texts. A text
// that is nothing but one blank becomes the value that it names.
func Fill(body []byte, by Signed) []byte {
	if !blank.Match(body) {
		return body
	}
	value, _ := plainValue(body)
	return canonical(by.fill(value, plainObject(by.Data)))
}

func (by Signed) fill(value any, data map[string]any) any {
	switch value := value.(type) {
	case map[string]any:
		filled := map[string]any{}
		for name, member := range value {
			filled[name] = by.fill(member, data)
		}
		return filled
	case []any:
		filled := make([]any, 0, len(value))
		for _, item := range value {
			filled = append(filled, by.fill(item, data))
		}
		return filled
	case string:
		if blank.FindString(value) == value && value != "" {
			return by.named(value, data)
		}
		return blank.ReplaceAllStringFunc(value, func(name string) string { return fmt.Sprint(by.named(name, data)) })
	}
	return value
}

// named is the value of one blank; "" when the signup does not have it.
func (by Signed) named(name string, data map[string]any) any {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "{signup"), "}")
	switch name[0] {
	case '.':
		return by.ID
	case '+':
		return by.At.Add(duration(name[1:])).UTC().Format(time.RFC3339)
	}
	if value, ok := find(data, tokens(name[1:])); ok {
		return value
	}
	return ""
}
