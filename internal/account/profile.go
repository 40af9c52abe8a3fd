package account

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Profile is what an account says of itself: the members of the account object
// that are written to it, by name, as decoded from JSON. Numbers are
// json.Number, so that they keep their digits.
type Profile map[string]any

// Whole is an account with its profile.
type Whole struct {
	Account
	Profile Profile
}

// The members of a profile that rules speak of.
const (
	memberApplicant = "applicant"
	memberCompany   = "company"
	memberBilling   = "billing"

	// MemberKeys says where the keys are that clients of the account may prove
	// themselves with.
	MemberKeys = "jwks"
)

// private are the members that the owner and the platform alone see and write.
var private = []string{"progression", "reseller_id", "account_manager", "statistics", "services"}

// ParseProfile reads a JSON object.
func ParseProfile(text []byte) (Profile, error) {
	if len(text) == 0 {
		return Profile{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	p := Profile{}
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf("decode a profile: %w", err)
	}
	return p, nil
}

// ProfileOf is the profile of an account of which only the company is known.
func ProfileOf(c Company) Profile {
	company := map[string]any{"business_name": c.BusinessName}
	if c.OrganizationNumber != "" {
		company["organization_number"] = c.OrganizationNumber
	}
	return Profile{memberCompany: company}
}

// Encode writes the profile in one spelling: the members of every object in
// the order of their names.
func (p Profile) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return nil, fmt.Errorf("encode a profile: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Merge is the profile after an update: each member that the update names is
// replaced as a whole, and one that it says is null is gone.
func (p Profile) Merge(update Profile) Profile {
	merged := maps.Clone(p)
	if merged == nil {
		merged = Profile{}
	}
	for name, value := range update {
		if value == nil {
			delete(merged, name)
			continue
		}
		merged[name] = value
	}
	return merged
}

// Public is the profile as the account itself sees it: without what is between
// its owner and the platform.
func (p Profile) Public() Profile {
	public := maps.Clone(p)
	for _, name := range private {
		delete(public, name)
	}
	return public
}

// IsPrivate says whether a member of a profile is between the account's owner and
// the platform.
func IsPrivate(member string) bool { return slices.Contains(private, member) }

// Object is the object at a path of member names; nil when there is none.
func (p Profile) Object(path ...string) map[string]any {
	object := map[string]any(p)
	for _, name := range path {
		object, _ = object[name].(map[string]any)
	}
	return object
}

// Text is the text at a path of member names; "" when there is none.
func (p Profile) Text(path ...string) string {
	last := len(path) - 1
	text, _ := p.Object(path[:last]...)[path[last]].(string)
	return text
}

// Company is what decisions need to know of the company.
func (p Profile) Company() Company {
	return Company{
		BusinessName:       p.Text(memberCompany, "business_name"),
		OrganizationNumber: p.Text(memberCompany, "organization_number"),
	}
}
