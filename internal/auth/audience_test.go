package auth_test

import (
	"slices"
	"strings"
	"testing"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

const public = "https://pay.example.com"

func TestAnAudienceHasThreeSpellings(t *testing.T) {
	closed, open := auth.NewAudiences(public, false), auth.NewAudiences(public, true)
	for _, c := range []struct {
		audience     string
		closed, open account.ID
	}{
		{"https://pay.example.com/v1/accounts/T11223351", "T11223351", "T11223351"},
		{"https://T11223351@pay.example.com/v1/accounts/T11223351", "T11223351", "T11223351"},
		{"https://api.dintero.com/v1/accounts/T11223351", "", "T11223351"},
		{"https://T11223351@api.dintero.com/v1/accounts/T11223351", "", "T11223351"},
		{"https://pay.example.com/v1/accounts/P00000000", "P00000000", "P00000000"},

		{"https://pay.example.com/v1/accounts/T112", "T11200000", "T11200000"},
		{"https://T112@pay.example.com/v1/accounts/T112", "T11200000", "T11200000"},
		{"https://T112@pay.example.com/v1/accounts/T11200000", "T11200000", "T11200000"},
		{"https://T11200000@pay.example.com/v1/accounts/T112", "T11200000", "T11200000"},
		{"https://api.dintero.com/v1/accounts/T112", "", "T11200000"},
	} {
		for _, side := range []struct {
			name string
			a    auth.Audiences
			want account.ID
		}{{"closed", closed, c.closed}, {"open", open, c.open}} {
			got, err := side.a.Parse(c.audience)
			if got != side.want || (err == nil) != (side.want != "") {
				t.Errorf("%s, %s: %q, %v; want %q", c.audience, side.name, got, err, side.want)
			}
		}
	}
}

func TestAnyOtherAudienceIsRefused(t *testing.T) {
	open := auth.NewAudiences(public, true)
	for _, audience := range []string{
		"", " ", "T11223351", "/v1/accounts/T11223351", "//pay.example.com/v1/accounts/T11223351",
		"https://evil.example.com/v1/accounts/T11223351", "https://pay.example.com.evil.com/v1/accounts/T11223351",
		"https://pay.example.com@evil.com/v1/accounts/T11223351", "https://evil.com/https://pay.example.com/v1/accounts/T11223351",
		"https://evil.com#@pay.example.com/v1/accounts/T11223351", `https://evil.com\@pay.example.com/v1/accounts/T11223351`,
		"http://pay.example.com/v1/accounts/T11223351", "HTTPS://pay.example.com/v1/accounts/T11223351", "https:pay.example.com/v1/accounts/T11223351",
		"https://PAY.example.com/v1/accounts/T11223351", "https://pay.example.com./v1/accounts/T11223351",
		"https://pay.example.com:443/v1/accounts/T11223351", "https://pay.example.com:8443/v1/accounts/T11223351",
		"https://T11223351:x@pay.example.com/v1/accounts/T11223351", "https://T11223351:@pay.example.com/v1/accounts/T11223351",
		"https://T11223352@pay.example.com/v1/accounts/T11223351", "https://T113@pay.example.com/v1/accounts/T112",
		"https://P11223351@pay.example.com/v1/accounts/T11223351", "https://@pay.example.com/v1/accounts/T11223351",
		"https://T11223351@T11223351@pay.example.com/v1/accounts/T11223351", "https://x@pay.example.com/v1/accounts/T11223351",
		"https://pay.example.com/v1/accounts/", "https://pay.example.com/v1/accounts", "https://pay.example.com/v1/accounts/T11223351/",
		"https://pay.example.com/v1/accounts/T11223351?", "https://pay.example.com/v1/accounts/T11223351?x=1",
		"https://pay.example.com/v1/accounts/T11223351#", "https://pay.example.com/v1/accounts/T11223351#x",
		"https://pay.example.com/v1/accounts/T11223351;x", "https://pay.example.com/v1/accounts/T11223351/../T11223352",
		"https://pay.example.com/v1/../v1/accounts/T11223351", "https://pay.example.com//v1/accounts/T11223351",
		"https://pay.example.com/v1//accounts/T11223351", "https://pay.example.com/v2/accounts/T11223351",
		"https://pay.example.com/V1/accounts/T11223351", "https://pay.example.com/v1/accounts/%54%31%31%32%32%33%33%35%31",
		"https://pay.example.com/v1%2Faccounts/T11223351", "https://pay.example.com/v1/accounts/T1122335%31",
		"https://%54112@pay.example.com/v1/accounts/T112", "https://pay.example%2Ecom/v1/accounts/T11223351",
		"https://pay.example.com/v1/accounts/t11223351", "https://pay.example.com/v1/accounts/X11223351",
		"https://pay.example.com/v1/accounts/T1122335", "https://pay.example.com/v1/accounts/T112233511",
		"https://pay.example.com/v1/accounts/T11", "https://pay.example.com/v1/accounts/T1122",
		"https://pay.example.com/v1/accounts/T11223351\n", "https://pay.example.com/v1/accounts/T11223351 ",
		" https://pay.example.com/v1/accounts/T11223351", "https://pay.example.com/v1/accounts/T11223351\x00",
		"https://pay.example.com/v1/accounts/T１１２２３３５１", "https://pay.example.com/v1/accounts/T11223351,https://pay.example.com/v1/accounts/T11223352",
		"https://pay.example.com/v1/accounts/T11223351 https://pay.example.com/v1/accounts/T11223352",
		"https://api.dintero.com:443/v1/accounts/T11223351", "http://api.dintero.com/v1/accounts/T11223351",
		"https://api.dintero.com.evil.com/v1/accounts/T11223351", "https://test.dintero.com/v1/accounts/T11223351",
	} {
		id, err := open.Parse(audience)
		f := fault.From(err)
		if id != "" || err == nil || f.Kind != fault.Invalid || f.Problems[0].Path != "#/audience" {
			t.Fatalf("%q: %q, %v", audience, id, err)
		}
		if strings.HasSuffix(audience, "1") && strings.Contains(err.Error(), audience) {
			t.Errorf("%q is quoted in %q", audience, err)
		}
	}
}

func TestAnAudienceIsWrittenWithTheAccountAsUserInfo(t *testing.T) {
	for base, want := range map[string]string{
		public:                         "https://T12345678@pay.example.com/v1/accounts/T12345678",
		"http://127.0.0.1:8080":        "http://T12345678@127.0.0.1:8080/v1/accounts/T12345678",
		"http://[::1]:8080":            "http://T12345678@[::1]:8080/v1/accounts/T12345678",
		"https://example.com/payments": "https://T12345678@example.com/payments/v1/accounts/T12345678",
	} {
		a := auth.NewAudiences(base, false)
		got := a.Format("T12345678")
		if got != want {
			t.Errorf("%s: %s", base, got)
		}
		for _, audience := range []string{got, strings.Replace(got, "T12345678@", "", 1)} {
			if id, err := a.Parse(audience); id != "T12345678" || err != nil {
				t.Errorf("%s: %q, %v", audience, id, err)
			}
		}
	}
}

func FuzzAudience(f *testing.F) {
	a := auth.NewAudiences(public, true)
	for _, seed := range []string{
		"https://pay.example.com/v1/accounts/T11223351", "https://T112@pay.example.com/v1/accounts/T112",
		"https://api.dintero.com/v1/accounts/P00000000", "https://x@pay.example.com:443/v1/accounts/T1?#%54",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, audience string) {
		id, err := a.Parse(audience)
		if err != nil {
			return
		}
		var allowed []string
		users := []string{"", string(id) + "@"}
		texts := []string{string(id)}
		if strings.HasSuffix(string(id), "00000") {
			users, texts = append(users, id.PartnerID()+"@"), append(texts, id.PartnerID())
		}
		for _, host := range []string{"pay.example.com", "api.dintero.com"} {
			for _, user := range users {
				for _, text := range texts {
					allowed = append(allowed, "https://"+user+host+"/v1/accounts/"+text)
				}
			}
		}
		if !slices.Contains(allowed, audience) {
			t.Fatalf("%q was read as %s", audience, id)
		}
	})
}
