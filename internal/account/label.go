package account

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mooring/internal/fault"
)

// What the labels of a profile are named.
const (
	LabelCountry             = "country"
	LabelProgression         = "progression"
	LabelAccountManager      = "account_manager"
	LabelServices            = "services"
	LabelServicesProgression = "services_progression"
	LabelPaymentOptions      = "payment_options:" // with the provider behind it: it comes from the connection
	LabelWord                = "word"             // of the business name, or the organisation number
)

const (
	maxLabels    = 256 // that the services of one account come to
	maxLabelText = 200 // bytes of a value; a longer one can't be looked for
	maxWords     = 16  // of a business name
)

// Label is the text by which a list finds what has a value, whatever its case.
func Label(name, value string) string { return name + "=" + strings.ToLower(value) }

// LabelsOf are what lists of accounts are filtered by, of all that a profile
// says. It refuses services that come to too many.
func LabelsOf(p Profile) ([]string, error) {
	l := labels{}
	l.add(LabelCountry, p.Text(memberCompany, "address", "country"))
	l.add(LabelProgression, p.Text("progression"))
	l.add(LabelAccountManager, p.Text("account_manager", "email"))
	l.add(LabelWord, joined(p.Text(memberCompany, "organization_number")))
	words := Words(p.Text(memberCompany, "business_name"))
	for _, word := range words[:min(len(words), maxWords)] {
		l.add(LabelWord, word)
	}
	before := len(l)
	l.services("", p.Object("services"))
	if len(l)-before > maxLabels {
		return nil, fault.Refused(fault.Problem{
			In: "body", Name: "services", Path: "#/services", Code: fault.CodeLimitReached, Params: []string{strconv.Itoa(maxLabels)},
			Message: "services may hold at most " + strconv.Itoa(maxLabels) + " values",
		})
	}
	slices.Sort(l)
	return slices.Compact(l), nil
}

type labels []string

func (l *labels) add(name, value string) {
	if value != "" && len(value) <= maxLabelText {
		*l = append(*l, Label(name, value))
	}
}

// services adds the names of services, and each value in them with the way that
// leads to it: checkout, checkout.status.enabled.
func (l *labels) services(way string, object map[string]any) {
	for name, value := range object {
		if way == "" {
			l.add(LabelServices, name)
		}
		if text, ok := value.(string); ok && name == "progression" {
			l.add(LabelServicesProgression, text)
		}
		l.value(strings.TrimPrefix(way+"."+name, "."), value)
	}
}

func (l *labels) value(way string, value any) {
	switch value := value.(type) {
	case map[string]any:
		l.services(way, value)
	case []any:
		for _, item := range value {
			l.value(way, item)
		}
	case string:
		l.add(LabelServices, way+"."+value)
	case bool:
		l.add(LabelServices, way+"."+strconv.FormatBool(value))
	case json.Number:
		l.add(LabelServices, way+"."+value.String())
	}
}

// Words are the words of a text, in lower case.
func Words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
}

// joined is a number without the spaces and hyphens that people write into it.
func joined(number string) string { return strings.Join(Words(number), "") }

// Search is what a search text may mean.
type Search struct {
	IDs   string   // accounts whose ids begin so; "" when none can
	Words []string // accounts that have all these labels
	Whole string   // accounts that have this one label, which is the text without its gaps
}

// SearchFor reads a search text. World is that of the accounts that are
// searched: the text may leave its letter out.
func SearchFor(text string, w World) Search {
	var s Search
	whole := joined(text)
	for _, word := range Words(text) {
		s.Words = append(s.Words, Label(LabelWord, word))
	}
	if len(s.Words) > 1 {
		s.Whole = Label(LabelWord, whole)
	}
	digits := strings.TrimPrefix(whole, strings.ToLower(string(rune(w))))
	if len(digits) <= 8 && strings.Trim(digits, "0123456789") == "" && whole != "" {
		s.IDs = string(rune(w)) + digits
	}
	return s
}
