package store

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// exception is a statement that names no tenant, known by a part of it.
type exception struct{ fragment, why string }

var untenanted = []exception{
	{"FROM client WHERE id = $1", "who logs in says which client it is; what it belongs to is what is asked"},
	{"FROM account WHERE erase_at IS NOT NULL", "what is due to be erased is so for all accounts, and no caller asks"},
	{"FROM account WHERE unlabelled", "what older releases wrote is labelled for all accounts, and no caller asks"},
	{"FROM idempotency WHERE about", "what was said of an account is forgotten, whoever was told"},
	{"FROM callback WHERE state = 'received'", "calls that were left are judged for all accounts, and no caller asks"},
	{"s.token = $1", "whoever holds the link of a signup may follow it: its secret part is what is asked"},
	{"FROM tally GROUP BY", "counts are folded for all owners, and no caller asks"},
	{"UPDATE task AS t SET lease", "what is due is claimed for all accounts, and no caller asks"},
	{"stalled_due <> due_at) AND due_at < $1", "what waits for too long is told of for all accounts, and no caller asks"},
	{"FROM feed WHERE position > $1", "deliveries read the feed of all, and look at each entry's account"},
	{"FROM subscription WHERE shard = $1", "who serves a shard tells all who are in it, and no caller asks"},
	{"FROM subscription WHERE kind <> 'hook'", "who tells digests tells those of all accounts, and no caller asks"},
	{"FROM subscription WHERE touched_at", "who serves shards learns of what was changed in any, and no caller asks"},
	{"FROM feed WHERE position >= $1", "when something was told tells of nobody"},
	{"FROM feed_arrival LIMIT 1", "whether entries wait for their positions tells of nobody"},
	{"DELETE FROM feed_arrival", "the entries of all accounts get their positions in one order, and no caller asks"},
	{"FROM feed WHERE position = ", "deliveries read the entries that they are of, which their subscriptions wanted"},
	{"min(provider)", "which providers there are connections with tells of nobody"},
	{"max(position)", "how long the feed is tells of nobody"},
}

var (
	tableCreated = regexp.MustCompile(`(?is)CREATE TABLE (\w+) \((.*?)\n\)`)
	tableUsed    = regexp.MustCompile(`(?i)\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)\b`)
	// A tenant is compared with a parameter, with the rows of a batch, or with
	// another table's tenant, which then is.
	tenantAsked  = regexp.MustCompile(`(?i)\b(?:account|owner|world|audience|block)\b\s*(?:=|<|>|>=|<=|IN|BETWEEN)\s*(?:\$|ANY|\(|u\.|g\.)|\((?:\w\.)?(?:account|owner)\b[^()]*\)\s*(?:IN|>|=)\s*\(`)
	accountAsked = regexp.MustCompile(`(?i)\b(?:id|owner)\b\s*(?:=|<|>|>=|<=|IN|BETWEEN)\s*(?:\$|ANY|\()`)
)

// TestEveryStatementOnATenantsTableNamesTheTenant: that a caller sees and
// changes nothing of another's does not depend on who asked before (S03).
func TestEveryStatementOnATenantsTableNamesTheTenant(t *testing.T) {
	tables := tablesOfTenants(t)
	used := map[string]bool{}
	for _, st := range statements {
		for _, text := range []string{st.one, st.many} {
			text = strings.Join(strings.Fields(text), " ")
			var on []string
			for _, found := range tableUsed.FindAllStringSubmatch(text, -1) {
				if tables[found[1]] {
					on = append(on, found[1])
				}
			}
			asked := tenantAsked.MatchString(text) || slices.Contains(on, "account") && accountAsked.MatchString(text) ||
				strings.HasPrefix(text, "INSERT INTO")
			if len(on) == 0 || asked {
				continue
			}
			i := slices.IndexFunc(untenanted, func(e exception) bool { return strings.Contains(text, e.fragment) })
			if i < 0 {
				t.Errorf("no tenant of %s is named:\n%s", strings.Join(on, ", "), text)
				continue
			}
			used[untenanted[i].fragment] = true
		}
	}
	for _, e := range untenanted {
		if !used[e.fragment] {
			t.Errorf("nothing needs the exception for %q", e.fragment)
		}
	}
}

// tablesOfTenants are those with a column for whose a row is.
func tablesOfTenants(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, name := range migrationNames(t, "sqlite") {
		text, err := migrations.ReadFile("migrations/sqlite/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range tableCreated.FindAllStringSubmatch(string(text), -1) {
			if regexp.MustCompile(`(?m)^\s*(account|owner)\s`).MatchString(table[2]) {
				found[table[1]] = true
			}
		}
	}
	if len(found) < 15 {
		t.Fatalf("only %d tables of tenants are found", len(found))
	}
	return found
}

// testForeignReads calls every method of the store that takes a caller as one
// whom nothing of the merchant's concerns: what the gate refuses is refused
// without it, too (S03).
func testForeignReads(t *testing.T, d door) {
	s := signed(t, d)
	methods := 0
	for i := range reflect.TypeFor[*Store]().NumMethod() {
		method := reflect.TypeFor[*Store]().Method(i)
		if method.Type.NumIn() < 3 || method.Type.In(2) != reflect.TypeFor[auth.Caller]() {
			continue
		}
		methods++
		for name, ask := range map[string]struct {
			caller auth.Caller
			owner  account.ID
		}{
			"another partner in the owner's name":     {other, partnerID},
			"another partner in its own name":         {other, otherID},
			"a sibling in the owner's name":           {second, partnerID},
			"a sibling in its own name":               {second, secondID},
			"the platform of the other world":         {auth.Caller{Account: "P00000000", Kind: account.KindPlatform}, "P00000000"},
			"nobody":                                  {auth.Caller{}, partnerID},
			"a callback token of another's signup":    {auth.Caller{Account: secondID, Callback: &auth.Callback{Provider: "vipps"}}, partnerID},
			"an exchange token for another's account": {auth.Caller{Account: secondID, Exchange: &auth.Exchange{Actor: partnerID}}, partnerID},
		} {
			results := method.Func.Call(arguments(s, method.Type, ask.caller, ask.owner))
			err, _ := results[len(results)-1].Interface().(error)
			if err == nil && !tellsNothing(results[0]) {
				t.Errorf("%s tells %s %+v", method.Name, name, results[0])
			}
			if err != nil && fault.From(err).Kind != fault.NotFound {
				t.Errorf("%s answers %s %v", method.Name, name, err)
			}
		}
	}
	if methods < 10 {
		t.Errorf("only %d methods take a caller; the search must be broken", methods)
	}
}

// tellsNothing says whether a list has no item of the merchant, its partner, or
// its partner's other merchants beside the one who may ask.
func tellsNothing(result reflect.Value) bool {
	return !strings.Contains(fmt.Sprintf("%+v", result), string(merchantID))
}

// arguments are those of a call about the merchant.
func arguments(s *Store, method reflect.Type, caller auth.Caller, owner account.ID) []reflect.Value {
	owned := false // whether an owner is named before the account
	for i := 3; i+1 < method.NumIn(); i++ {
		owned = owned || method.In(i) == reflect.TypeFor[account.ID]() && method.In(i+1) == reflect.TypeFor[account.ID]()
	}
	args := []reflect.Value{reflect.ValueOf(s), reflect.ValueOf(context.Background()), reflect.ValueOf(caller)}
	for i := 3; i < method.NumIn(); i++ {
		arg := reflect.New(method.In(i)).Elem()
		switch arg.Interface().(type) {
		case account.ID:
			arg.SetString(string(merchantID))
			if owned && len(args) == 3 {
				arg.SetString(string(owner))
			}
		case Place:
			arg.Set(reflect.ValueOf(vippsPlace))
		case AuditQuery:
			arg.Set(reflect.ValueOf(AuditQuery{Account: merchantID, Limit: 10}))
			args[3] = reflect.ValueOf(owner)
		case time.Time:
			arg.Set(reflect.ValueOf(noon.Add(1e6 * time.Hour)))
		case string:
			arg.SetString(map[bool]string{true: vipps.Slug}[i == 4])
		case int:
			arg.SetInt(100)
		}
		args = append(args, arg)
	}
	return args
}
