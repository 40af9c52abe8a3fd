package account_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/fault"
)

func TestAProfileIsFoundByWhatItSays(t *testing.T) {
	p, err := account.ParseProfile([]byte(`{
		"company": {
			"business_name": "Havn & Kaffe - Bøker AS", "organization_number": "923 456-789",
			"address": {"country": "NO"}
		},
		"progression": "live", "account_manager": {"email": "Ola@Partner.example"},
		"services": {
			"checkout": {
				"status": "enabled", "fee": 1.50, "open": true, "nothing": null, "tags": ["a", {"b": "c"}],
				"gateways": {"vipps": {"progression": "waiting_for_gateway"}}
			},
			"billing": {"progression": "live"}
		}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := account.LabelsOf(p)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"account_manager=ola@partner.example", "country=no", "progression=live",
		"services=billing", "services=billing.progression.live",
		"services=checkout", "services=checkout.fee.1.50", "services=checkout.gateways.vipps.progression.waiting_for_gateway",
		"services=checkout.open.true", "services=checkout.status.enabled", "services=checkout.tags.a", "services=checkout.tags.b.c",
		"services_progression=live", "services_progression=waiting_for_gateway",
		"word=923456789", "word=as", "word=bøker", "word=havn", "word=kaffe",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

func TestAProfileThatIsOddHasFewLabels(t *testing.T) {
	for name, p := range map[string]account.Profile{
		"nothing":           {},
		"other kinds":       {"company": "Havn", "progression": json.Number("1"), "services": "all", "account_manager": []any{}},
		"nothing but signs": {"company": map[string]any{"business_name": "%%%", "organization_number": "--"}},
		"a megabyte":        {"account_manager": map[string]any{"email": strings.Repeat("x", 1<<20)}},
	} {
		if got, err := account.LabelsOf(p); len(got) != 0 || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestServicesThatComeToTooManyAreRefused(t *testing.T) {
	services := map[string]any{}
	for i := range 300 {
		services[fmt.Sprint("s", i)] = map[string]any{"on": true}
	}
	_, err := account.LabelsOf(account.Profile{"services": services})
	if f := new(fault.Fault); !errors.As(err, &f) || f.Kind != fault.Invalid || f.Problems[0].Path != "#/services" {
		t.Errorf("got %v", err)
	}
}

func TestASearchMeansWhatItMay(t *testing.T) {
	for text, want := range map[string]account.Search{
		"T112":         {IDs: "T112", Words: []string{"word=t112"}},
		"t11223351":    {IDs: "T11223351", Words: []string{"word=t11223351"}},
		"112":          {IDs: "T112", Words: []string{"word=112"}},
		"923456789":    {Words: []string{"word=923456789"}},
		"923 456 789":  {Words: []string{"word=923", "word=456", "word=789"}, Whole: "word=923456789"},
		"Havn  KAFFE!": {Words: []string{"word=havn", "word=kaffe"}, Whole: "word=havnkaffe"},
		"P112":         {Words: []string{"word=p112"}},
		"%_":           {},
		"":             {},
	} {
		if diff := cmp.Diff(want, account.SearchFor(text, account.Test)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
