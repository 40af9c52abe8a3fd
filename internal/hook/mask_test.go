package hook_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mooring/internal/hook"
)

const anAccount = `{"account":{"account_id":"T11200001","partner_id":"T112","created_at":"2026-05-12T09:30:00Z",` +
	`"company":{"business_name":"Havn Kaffe AS","addresses":[{"city":"Bergen","zip":"5003"},{"city":"Oslo"}]},"tags":["a"]}}`

func TestAMaskSaysWhatIsLeftOfABody(t *testing.T) {
	for name, c := range map[string]struct {
		fields  string
		exclude []string
		want    string
	}{
		"as documented": {
			"account(partner_id,account_id,created_at)", nil,
			`{"account":{"account_id":"T11200001","partner_id":"T112","created_at":"2026-05-12T09:30:00Z"}}`,
		},
		"a whole member":       {"account/company/business_name", nil, `{"account":{"company":{"business_name":"Havn Kaffe AS"}}}`},
		"spaces":               {" account ( partner_id , account_id ) ", nil, `{"account":{"account_id":"T11200001","partner_id":"T112"}}`},
		"through an array":     {"account(company(addresses(city)))", nil, `{"account":{"company":{"addresses":[{"city":"Bergen"},{"city":"Oslo"}]}}}`},
		"any member":           {"account(*(business_name))", nil, `{"account":{"company":{"business_name":"Havn Kaffe AS"},"tags":[]}}`},
		"named twice":          {"account(tags),account/partner_id", nil, `{"account":{"partner_id":"T112","tags":["a"]}}`},
		"whole and a part":     {"account(company),account(company(business_name)),account(*(zip))", []string{"account/company/addresses"}, `{"account":{"company":{"business_name":"Havn Kaffe AS"},"tags":[]}}`},
		"below a text":         {"account(partner_id(x))", nil, `{"account":{}}`},
		"nothing there":        {"payment_case", nil, `{}`},
		"excluded":             {"", []string{"account(company,tags)", "account/created_at"}, `{"account":{"account_id":"T11200001","partner_id":"T112"}}`},
		"excluded in an array": {"account/company", []string{"account/company(addresses/zip,business_name)"}, `{"account":{"company":{"addresses":[{"city":"Bergen"},{"city":"Oslo"}]}}}`},
		"all excluded":         {"", []string{"account"}, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := subscription()
			s.Settings.Fields, s.Settings.ExcludeFields = c.fields, c.exclude
			body, err := hook.Message(s, entry(hook.AccountUpdate, anAccount))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, payload(t, body)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAMaskThatCannotBeReadOrNamesNothingIsRefused(t *testing.T) {
	accounts := []string{hook.AccountUpdate}
	for _, bad := range []string{
		"", " ", ",", "account,", "account()", "account(partner_id", "account(partner_id))", "account/", "/account", "account//id",
		"account(partner_id)company", "account partner_id", "acount(partner_id)", "account(partnerid)", "account.partner_id",
		"account(partner_id(x))", "connection", "account(account_id,conection)", "event/x", strings.Repeat("account,", 400) + "account",
		strings.Repeat("account(company(", 12) + "x" + strings.Repeat("))", 12), "account(*(x/y),nothing)", `"account"`, "Account",
	} {
		if err := hook.CheckFields(bad, accounts); err == nil {
			t.Errorf("fields %q is let in", bad)
		}
		if err := hook.CheckExcluded(bad, accounts); err == nil {
			t.Errorf("exclude_fields %q is let in", bad)
		}
	}
	for _, good := range []string{
		"account", "*", "account(*)", "account(partner_id,account_id,created_at)", "account/company/business_name", "account(company(any/thing))",
	} {
		if err := hook.CheckFields(good, accounts); err != nil {
			t.Errorf("fields %q: %v", good, err)
		}
		if err := hook.CheckExcluded(good, accounts); err != nil {
			t.Errorf("exclude_fields %q: %v", good, err)
		}
	}
	if err := hook.CheckFields("account_id,event,account", accounts); err != nil {
		t.Errorf("what is in every body may be named: %v", err)
	}
	if err := hook.CheckExcluded("event_delivery", accounts); err == nil {
		t.Error("what is in every body may be excluded")
	}
	if err := hook.CheckFields("connection,account", []string{hook.AccountUpdate, hook.ConnectionUpdate}); err != nil {
		t.Errorf("members of two events: %v", err)
	}
	if err := hook.CheckFields("account", []string{hook.Ping}); err == nil {
		t.Error("a mask of an event without members is let in")
	}
}

// TestMasksDoWhatTheySayToAnyBody compares the quick way with the plain one:
// reading all of a body and throwing away.
func TestMasksDoWhatTheySayToAnyBody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := object(3).Draw(t, "members")
		paths := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "é", "*"}), 1, 3), 1, 4).Draw(t, "paths")
		text := make([]string, len(paths))
		for i, path := range paths {
			text[i] = strings.Join(path, "/")
			if rapid.Bool().Draw(t, "in parentheses") {
				text[i] = strings.Join(path, "(") + strings.Repeat(")", len(path)-1)
			}
		}
		raw, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}

		s := subscription()
		s.Settings.Fields = strings.Join(text, ",")
		same(t, s, raw, plainKeep(members, paths))
		s.Settings.Fields, s.Settings.ExcludeFields = "", text
		same(t, s, raw, plainDrop(members, paths))
	})
}

func same(t *rapid.T, s hook.Subscription, raw []byte, want any) {
	body, err := hook.Message(s, entry(hook.AccountUpdate, string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	for _, name := range []string{"account_id", "event", "event_delivery"} {
		delete(got, name)
	}
	if diff := cmp.Diff(want, any(got)); diff != "" {
		t.Fatalf("%q, without %q, of %s\n%s", s.Settings.Fields, s.Settings.ExcludeFields, raw, diff)
	}
}

func object(depth int) *rapid.Generator[map[string]any] {
	return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "é"}), value(depth), 0, 4)
}

func value(depth int) *rapid.Generator[any] {
	if depth == 0 {
		return rapid.OneOf(rapid.Just[any](nil), rapid.String().AsAny(), rapid.Just[any](true), rapid.Float64Range(-9, 9).AsAny())
	}
	return rapid.OneOf(value(0), object(depth-1).AsAny(), rapid.Map(rapid.SliceOfN(value(depth-1), 0, 3), func(all []any) any { return all }))
}

// further are the paths below a member, and whether one of them ends there.
func further(paths [][]string, name string) (below [][]string, ends bool) {
	for _, path := range paths {
		if path[0] == name || path[0] == "*" {
			if len(path) == 1 {
				ends = true
			} else {
				below = append(below, path[1:])
			}
		}
	}
	return below, ends
}

func plainKeep(v any, paths [][]string) any {
	switch v := v.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, member := range v {
			below, ends := further(paths, name)
			switch part := plainKeep(member, below); {
			case ends:
				kept[name] = member
			case len(below) > 0 && part != nil:
				kept[name] = part
			}
		}
		return kept
	case []any:
		kept := []any{}
		for _, element := range v {
			if part := plainKeep(element, paths); part != nil {
				kept = append(kept, part)
			}
		}
		return kept
	}
	return nil
}

func plainDrop(v any, paths [][]string) any {
	switch v := v.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, member := range v {
			if below, ends := further(paths, name); !ends {
				kept[name] = plainDrop(member, below)
			}
		}
		return kept
	case []any:
		kept := []any{}
		for _, element := range v {
			kept = append(kept, plainDrop(element, paths))
		}
		return kept
	}
	return v
}

func FuzzAMask(f *testing.F) {
	for _, seed := range []string{"account(partner_id,account_id,created_at)", "*(a/b,c)", "a(b(c),", "a//", "é/ü"} {
		f.Add(seed, anAccount)
	}
	f.Fuzz(func(t *testing.T, mask, members string) {
		if hook.CheckFields(mask, hook.Types) != nil || !json.Valid([]byte(members)) || !strings.HasPrefix(members, "{") {
			return
		}
		s := subscription()
		s.Settings.Fields = mask
		if body, err := hook.Message(s, entry(hook.AccountUpdate, members)); err == nil && !json.Valid(body) {
			t.Errorf("%q of %s is %s", mask, members, body)
		}
	})
}

// payload is what a body has beside what every body has.
func payload(t *testing.T, body []byte) string {
	t.Helper()
	if !json.Valid(body) {
		t.Fatalf("no JSON: %s", body)
	}
	head := fmt.Sprintf(`{"account_id":"T11200001","event":"account_update","event_delivery":"%s"`,
		hook.DeliveryID(subscription().ID, entry("", "").ID))
	rest, ok := strings.CutPrefix(string(body), head)
	if !ok {
		t.Fatalf("a body begins with\n%s, not\n%s", head, body)
	}
	return "{" + strings.TrimPrefix(rest, ",")
}

func TestEveryTypeHasAShape(t *testing.T) {
	for _, event := range hook.Types {
		if err := hook.CheckFields(hook.Shapes[event], []string{event}); err != nil {
			t.Errorf("%s: %v", event, err)
		}
	}
	if len(hook.Shapes) != len(hook.Types) || slices.Contains(hook.Types, hook.Ping) {
		t.Error("there are shapes of what nobody can subscribe to")
	}
}
