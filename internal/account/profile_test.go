package account_test

import (
	"slices"
	"strings"
	"testing"

	"mooring/internal/account"
	"mooring/internal/fault"
)

func profile(t *testing.T, text string) account.Profile {
	t.Helper()
	p, err := account.ParseProfile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func encoded(t *testing.T, p account.Profile) string {
	t.Helper()
	text, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAnUpdateReplacesWhatItNames(t *testing.T) {
	p := profile(t, `{"company":{"business_name":"A","mcc":5462},"language_code":"no","reseller_id":"R"}`)
	merged := p.Merge(profile(t, `{"company":{"business_name":"B <&>"},"reseller_id":null,"subscription":{"b":1.50,"a":2}}`))
	if got, want := encoded(t, merged), `{"company":{"business_name":"B <&>"},"language_code":"no","subscription":{"a":2,"b":1.50}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if p.Text("company", "business_name") != "A" || p["reseller_id"] != "R" {
		t.Error("the profile before the update was changed")
	}
}

func TestThePublicProfileLacksWhatIsPrivate(t *testing.T) {
	p := profile(t, `{"progression":"live","reseller_id":"R","account_manager":{},"statistics":{},"services":{},"language_code":"no"}`)
	if got := encoded(t, p.Public()); got != `{"language_code":"no"}` {
		t.Errorf("public is %s", got)
	}
}

func TestAProfileIsCheckedByTheNamesOfItsMembers(t *testing.T) {
	for text, want := range map[string][]string{
		`{}`: nil,
		`{"company":{"address":{"country":"NO"},"organization_number":"912345678"},"billing":{"email":"a@b.example"}}`: nil,
		`{"company":{"organization_number":"HRB 12345 B"}}`:                                                            nil,
		`{"company":{"organization_number":" 912345678"}}`:                                                             {"#/company/organization_number"},
		`{"company":{"organization_number":"912345678","address":{"country":"SE"}}}`:                                   {"#/company/organization_number"},
		`{"company":{"organization_number":"5560360793","address":{"country":"SE"}}}`:                                  nil,
		`{"company":{"organization_number":"1234567-8","address":{"country":"FI"}}}`:                                   nil,
		`{"company":{"organization_number":"12345678","address":{"country":"FI"}}}`:                                    {"#/company/organization_number"},
		`{"company":{"organization_number":"１２３４５６７８９"}}`:                                                              {"#/company/organization_number"},
		`{"company":{"address":{"country":"UK"}}}`:                                                                     {"#/company/address/country"},
		`{"company":{"address":{"country":"NOR"}}}`:                                                                    {"#/company/address/country"},
		`{"company":{"accounts":[{"account_currency":"NOK"},{"account_currency":"nok"}]}}`:                             {"#/company/accounts/1/account_currency"},
		`{"company":{"a/b":{"currency":"EURO"}}}`:                                                                      {"#/company/a~1b/currency"},
		`{"subscription":{"currency":"points","email":"none"}}`:                                                        nil,
		`{"applicant":{"email":"Kari <kari@b.example>"}}`:                                                              {"#/applicant/email"},
		`{"applicant":{"email":"kari@b"}}`:                                                                             {"#/applicant/email"},
		`{"applicant":{"email":"kari@@b.example"}}`:                                                                    {"#/applicant/email"},
		`{"applicant":{"email":"kari@b..example"}}`:                                                                    {"#/applicant/email"},
		`{"applicant":{"email":"a@b.example,c@d.example"}}`:                                                            {"#/applicant/email"},
		`{"jwks":{"uri":"http://127.0.0.1:8080/keys"}}`:                                                                nil,
		`{"jwks":{"uri":"http://keys.example/keys"}}`:                                                                  {"#/jwks/uri"},
		`{"jwks":{"uri":"https://user:secret@keys.example/keys"}}`:                                                     {"#/jwks/uri"},
		`{"jwks":{"uri":"file:///etc/passwd"}}`:                                                                        {"#/jwks/uri"},
		`{"subscription":{"a":"` + strings.Repeat("x", account.MaxProfile) + `"}}`:                                     {"#/"},
	} {
		var got []string
		if err := profile(t, text).Check(); err != nil {
			for _, p := range fault.From(err).Problems {
				got = append(got, p.Path)
				if strings.Contains(p.Message, "secret") {
					t.Errorf("the message quotes the value: %s", p.Message)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%.90s: refused %v, want %v", text, got, want)
		}
	}
}
