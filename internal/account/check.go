package account

import (
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mooring/internal/fault"
)

// MaxProfile is how long a profile may be, as JSON: updates name members one by
// one, so the limit of a body is not enough.
const MaxProfile = 64 << 10

// checked are the members of a profile in which names say what a value is.
var checked = []string{memberApplicant, memberCompany, memberBilling, "account_manager"}

// Check refuses a profile that names what is not there: countries, currencies,
// e-mail addresses, organization numbers, addresses of keys. It says all that
// is wrong with it.
func (p Profile) Check() error {
	var c checker
	for _, name := range checked {
		if object := p.Object(name); object != nil {
			c.object("#/"+name, object)
		}
	}
	for _, name := range []string{memberCompany, memberBilling} {
		number, country := p.Text(name, "organization_number"), p.Text(name, "address", "country")
		if number != "" && !IsOrganizationNumber(country, number) {
			c.add("#/"+name+"/organization_number", "INVALID_FORMAT", "is no organization number of its country")
		}
	}
	if uri := p.Text(MemberKeys, "uri"); uri != "" && !isKeyAddress(uri) {
		c.add("#/jwks/uri", "INVALID_FORMAT", "must be an address that begins with https://, or http:// on this machine")
	}
	if text, err := p.Encode(); err != nil || len(text) > MaxProfile {
		c.problems = append(c.problems, fault.Problem{
			In: "body", Name: "body", Path: "#/", Code: "MAX_BYTES", Params: []string{strconv.Itoa(MaxProfile)},
			Message: "all that an account says of itself must have at most " + strconv.Itoa(MaxProfile) + " bytes as JSON",
		})
	}
	if c.problems == nil {
		return nil
	}
	slices.SortFunc(c.problems, func(a, b fault.Problem) int { return strings.Compare(a.Path, b.Path) })
	return fault.Refused(c.problems...)
}

type checker struct{ problems []fault.Problem }

func (c *checker) add(path, code, reason string) {
	c.problems = append(c.problems, fault.Problem{
		In: "body", Name: path[strings.LastIndexByte(path, '/')+1:], Path: path, Code: code,
		Message: strings.TrimPrefix(path, "#/") + " " + reason,
	})
}

// object looks at every member whose name says what it is, however deep.
func (c *checker) object(path string, object map[string]any) {
	for name, value := range object {
		at := path + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		switch value := value.(type) {
		case map[string]any:
			c.object(at, value)
		case []any:
			for i, item := range value {
				if inner, ok := item.(map[string]any); ok {
					c.object(at+"/"+strconv.Itoa(i), inner)
				}
			}
		case string:
			c.text(at, name, value)
		}
	}
}

func (c *checker) text(path, name, value string) {
	switch {
	case value == "":
	case is(name, "email") && !IsEmail(value):
		c.add(path, "INVALID_FORMAT", "is no e-mail address")
	case (is(name, "country") || is(name, "country_code")) && !IsCountry(value):
		c.add(path, "UNKNOWN_COUNTRY", "must be a country by its ISO 3166-1 code, such as NO")
	case is(name, "currency") && !IsCurrency(value):
		c.add(path, "UNKNOWN_CURRENCY", "must be a currency by its ISO 4217 code, such as NOK")
	}
}

// is says whether a member is called so, or ends so.
func is(name, what string) bool { return name == what || strings.HasSuffix(name, "_"+what) }

var domainPattern = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]\z`)

// IsEmail says whether a text is one e-mail address, bare, with a domain that
// could be one.
func IsEmail(s string) bool {
	address, err := mail.ParseAddress(s)
	if err != nil || address.Address != s || len(s) > 254 || strings.ContainsAny(s, "\" \t") {
		return false
	}
	return domainPattern.MatchString(s[strings.LastIndexByte(s, '@')+1:])
}

// The form of the numbers that businesses are registered under, by country; a
// number of another country has any that looks like one.
var (
	organizationNumbers = map[string]*regexp.Regexp{
		"NO": regexp.MustCompile(`^[0-9]{9}\z`),
		"SE": regexp.MustCompile(`^(?:[0-9]{2})?[0-9]{6}-?[0-9]{4}\z`),
		"DK": regexp.MustCompile(`^[0-9]{8}\z`),
		"FI": regexp.MustCompile(`^[0-9]{7}-[0-9]\z`),
	}
	anyOrganizationNumber = regexp.MustCompile(`^[0-9A-Za-z](?:[0-9A-Za-z ./-]{0,30}[0-9A-Za-z])\z`)
)

// IsOrganizationNumber says whether a text has the form of a number that a
// business is registered under in a country; "" for an unknown one.
func IsOrganizationNumber(country, s string) bool {
	if form := organizationNumbers[country]; form != nil {
		return form.MatchString(s)
	}
	return anyOrganizationNumber.MatchString(s)
}

// isKeyAddress says whether keys may be fetched from an address: nobody on the
// way must be able to change them.
func isKeyAddress(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
