package product

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// documentedSecrets are the members that the documentation keeps secret, and
// those of the law. TestEveryProvider goes by what the files say of each
// member, so what the files must say stands here.
var documentedSecrets = map[string]int{
	"vipps/callback/client_Secret": hidden, "vipps/configuration/client_secret": hidden,
	"vipps/configuration/subscription_keys/*/ocp_apim_subscription_key": own,
	"payex/callback/token": hidden, "payex/configuration/token": hidden, "payex/request/account_number": masked,
	"swish/callback/cert": hidden, "swish/callback/key": hidden, "swish/callback/passphrase": hidden, "swish/callback/ca": hidden,
	"swish/configuration/cert": hidden, "swish/configuration/key": hidden, "swish/configuration/passphrase": hidden,
	"swish/configuration/ca": hidden, "swish/request/account_number": masked,
	"collector/callback/password": hidden, "collector/configuration/password": hidden, "collector/request/account_number": masked,
	"bambora/callback/secret_token": hidden, "bambora/configuration/secret_token": hidden,
	"bambora/configuration/md5_key": own, "bambora/configuration/access_token": own,
	"bambora/request/account_number": masked, "bambora/request/ownership/owners/*/date_of_birth": hidden,
	"bambora/request/signature/politically_exposed_person":     hidden,
	"bambora/request/signature/politically_exposed_associated": hidden,
	"instabank/request/account_number":                         masked, "common/request/bank_accounts/*/account_number": masked,
	"common/request/ownership/owners/*/date_of_birth":          hidden,
	"common/request/ownership/owners/*/social_security_number": hidden,
	"common/request/applicant/social_security_number":          hidden,
	"common/request/signature/politically_exposed_person":      hidden,
	"common/request/signature/politically_exposed_associated":  hidden,
}

func TestTheFilesKeepWhatIsDocumentedAsSecret(t *testing.T) {
	found := map[string]int{}
	for _, d := range descriptions(t) {
		version := d.Versions[fmt.Sprint(d.Schema)]
		for part, schema := range map[string]map[string]any{
			"request": version.Request, "callback": version.Callback, "configuration": version.Configuration,
		} {
			classes(d.Slug+"/"+part, schema, found)
		}
	}
	for place, rule := range documentedSecrets {
		if got, ok := found[place]; !ok || got != rule {
			t.Errorf("%s: %d, want %d", place, got, rule)
		}
	}
	for place, rule := range found {
		suspect := slices.ContainsFunc([]string{"secret", "password", "passphrase", "social", "birth", "token", "_key", "account_number"},
			func(word string) bool { return strings.HasSuffix(place, word) })
		if suspect && rule == open {
			t.Errorf("%s sounds like a secret and is none", place)
		}
	}
}

// classes lists the members of a schema by place, with the rule of each.
func classes(at string, schema map[string]any, found map[string]int) {
	found[at] = shows(schema)
	properties, _ := schema["properties"].(map[string]any)
	for name, property := range properties {
		classes(at+"/"+name, property.(map[string]any), found)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		classes(at+"/*", items, found)
	}
}
