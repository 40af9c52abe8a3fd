package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAMemberIsAssignedOnTopOfWhatIsThere(t *testing.T) {
	there := func(name string) any {
		return map[string]any{"company": map[string]any{"business_name": "Havn", "website": "old"}}[name]
	}
	for assignments, want := range map[string]string{
		"progression=live":                           `{"progression":"live"}`,
		"company.website=https://a.example/?q=1":     `{"company":{"business_name":"Havn","website":"https://a.example/?q=1"}}`,
		"services.a.b:=true|services.a.c:={\"d\":1}": `{"services":{"a":{"b":true,"c":{"d":1}}}}`,
		"company.organization_number=923456789":      `{"company":{"business_name":"Havn","organization_number":"923456789","website":"old"}}`,
		"company:=null":                              `{"company":null}`,
		"reseller_id=":                               `{"reseller_id":""}`,
	} {
		got, err := profileFlags{Set: strings.Split(assignments, "|")}.members(there)
		if err != nil {
			t.Errorf("%s: %v", assignments, err)
		}
		text, _ := json.Marshal(got)
		if diff := cmp.Diff(want, string(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", assignments, diff)
		}
	}
	for _, wrong := range []string{"progression", "=live", ":=1", "services:=yes"} {
		if got, err := (profileFlags{Set: []string{wrong}}).members(there); err == nil {
			t.Errorf("%s is taken for %v", wrong, got)
		}
	}
	if _, err := (profileFlags{}).members(there); err == nil {
		t.Error("an update that says nothing is sent")
	}
}

func TestAccountsAreHandledFromTheCommandLine(t *testing.T) {
	startDev(t)
	file := filepath.Join(t.TempDir(), "merchant.json")
	if err := os.WriteFile(file, []byte(`{
		"applicant": {"email": "kari@fisk.example", "agreement": true},
		"company": {"business_name": "Fjord Fisk AS", "organization_number": "923456783", "address": {"country": "NO"}},
		"billing": {"business_name": "Fjord Fisk AS", "address": {"country": "NO"}}
	}`), 0o600); err != nil {
		t.Fatal(err)
	}
	type account struct {
		ID string `json:"account_id"`
	}
	var made, partner account
	for flags, into := range map[string]*account{"--owner T112": &made, "": &partner} {
		_, out, errs := run(t, append([]string{"account", "create", "--file", file, "--json"}, strings.Fields(flags)...)...)
		if err := json.Unmarshal([]byte(out), into); err != nil {
			t.Fatalf("create: %s%s", out, errs)
		}
	}
	for _, step := range []struct {
		command string
		says    []string
	}{
		{"account list --owner T112", []string{"ACCOUNT", made.ID + "  Fjord Fisk AS", "payex.creditcard pending"}},
		{"account list --owner T112 --limit 1 --json", []string{`"account_id":"` + made.ID + `"`}},
		{"account list --owner T112 --country NO --search fisk", []string{made.ID}},
		{"account list --owner T112 --connection vipps --connection-status pending", []string{"T11223352"}},
		{"account list", []string{"T11200000"}},
		{"account update --owner T112 " + made.ID + " --set progression=live --set company.website=https://fisk.example", []string{"progression  live", "Fjord Fisk AS"}},
		{"account list --owner T112 --progression live", []string{made.ID}},
		{"account show --owner T112 " + made.ID + " --json", []string{`"website":"https://fisk.example"`, `"country":"NO"`}},
		{"account comment " + made.ID + " called --connection vipps", []string{"noted"}},
		{"account comment " + made.ID, []string{"WHEN", "vipps", "called"}},
		{"account comment " + made.ID + " --json", []string{`"body":"called"`}},
		{"account move " + made.ID + " --to " + partner.ID + " --reason sold", []string{made.ID + " belongs to " + partner.ID}},
		{"account list --country NO --owner " + partner.ID, []string{made.ID}},
		{"account delete --owner " + partner.ID + " " + made.ID + " --reason left", []string{made.ID + " is deleted"}},
	} {
		code, out, errs := run(t, strings.Fields(step.command)...)
		for _, want := range step.says {
			if code != exitDone || !strings.Contains(out, want) {
				t.Errorf("%s: exit %d without %q: %s%s", step.command, code, want, out, errs)
			}
		}
	}
	for command, says := range map[string]string{
		"account show " + made.ID:                         "there is no account " + made.ID + " that this client can see (404 ",
		"account list --owner T112 --country no":          "country must ",
		"account list --owner T112 --connection nobody":   "connections must name providers that there are (400 ",
		"account update --owner T112 T11223352":           "say what to write, with --file or --set",
		"account create --owner T112 --set progression=x": "",
	} {
		code, out, errs := run(t, strings.Fields(command)...)
		if code != exitFailed || out != "" || !strings.HasPrefix(errs, "mooring: "+says) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit %d, %s%s", command, code, out, errs)
		}
	}
}
