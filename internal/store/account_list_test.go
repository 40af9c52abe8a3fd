package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

// listed is what a test knows of an account that it made.
type listed struct {
	owner    account.ID
	labels   []string
	statuses map[string]connection.Status
}

// populate makes n accounts for each of two partners, with random profiles and
// connections, and returns what it made.
func populate(t *testing.T, s *Store, n int) map[account.ID]listed {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 11))
	made := map[account.ID]listed{}
	for i := range n {
		for _, owner := range []account.ID{partnerID, otherID} {
			id := account.ID(fmt.Sprintf("%s%05d", owner.PartnerID(), 1+i*13))
			l := listed{owner: owner, statuses: map[string]connection.Status{}}
			p := account.Profile{"company": map[string]any{
				"business_name":       fmt.Sprintf("%s Kaffe %d", pick(r, "Havn", "Fjord", "Brygge"), i),
				"organization_number": fmt.Sprintf("9%08d", i),
				"address":             map[string]any{"country": pick(r, "NO", "SE", "DK")},
			}, "progression": pick(r, "applied", "live")}
			if r.IntN(2) == 0 {
				p["services"] = map[string]any{"checkout": map[string]any{"status": pick(r, "enabled", "disabled")}}
			}
			var err error
			if l.labels, err = account.LabelsOf(p); err != nil {
				t.Fatal(err)
			}
			must(t, s.AddAccount(context.Background(), account.Whole{Profile: p, Account: account.Account{
				ID: id, Kind: account.KindMerchant, Owner: owner, CreatedAt: noon, CreatedBy: "test", Company: p.Company(),
			}}))
			for _, provider := range []string{"swish", "vipps"} {
				if r.IntN(2) == 0 {
					l.statuses[provider] = connect(t, s, id, provider, pick(r, everyStatus...))
				}
			}
			made[id] = l
		}
	}
	return made
}

var everyStatus = []connection.Status{connection.Pending, connection.Enabled, connection.Failed, connection.Declined}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// connect gives an account a connection that stands at a status.
func connect(t *testing.T, s *Store, id account.ID, provider string, status connection.Status) connection.Status {
	t.Helper()
	c := signing(auth.Caller{Account: id, Client: newID()})
	c.System, c.Provider = true, provider
	decide := c.Decide
	c.Decide = func(f Found) (Decision, error) {
		d, err := decide(f)
		if err != nil {
			return d, err
		}
		d.Connection.Provider = provider
		_, err = connection.Append(d.Connection, vipps, connection.NewEvent{Status: status, Name: "said"}, act(partner))
		return d, err
	}
	mustChange(t, s, c)
	return status
}

// passes is the filter once more, without streams.
func (l listed) passes(id account.ID, f AccountFilter) bool {
	for _, some := range f.Labels {
		if !slices.ContainsFunc(some, func(label string) bool { return slices.Contains(l.labels, label) }) {
			return false
		}
	}
	for _, in := range f.Connections {
		if !slices.ContainsFunc(in.Providers, func(p string) bool { return slices.Contains(in.Statuses, l.statuses[p]) }) {
			return false
		}
	}
	return true
}

// listAll walks a list page by page.
func listAll(t *testing.T, s *Store, caller auth.Caller, owner account.ID, f AccountFilter, limit int) []account.ID {
	t.Helper()
	var all []account.ID
	for after := account.ID(""); ; {
		page, err := s.Accounts(context.Background(), caller, owner, f, after, limit)
		must(t, err)
		if len(page) == 0 {
			return all
		}
		for _, a := range page {
			all = append(all, a.ID)
		}
		after = all[len(all)-1]
	}
}

func testAccountList(t *testing.T, d door) {
	s := fresh(t, d)
	deleteDirectly(t, s, merchantID)
	deleteDirectly(t, s, secondID)
	made := populate(t, s, 120)
	r := rand.New(rand.NewPCG(3, 5))
	some := func(values ...string) []string {
		r.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
		return values[:1+r.IntN(len(values)-1)]
	}
	for range 40 {
		var f AccountFilter
		if r.IntN(2) == 0 {
			f.Labels = append(f.Labels, some("country=no", "country=se", "country=dk"))
		}
		if r.IntN(2) == 0 {
			f.Labels = append(f.Labels, some("progression=live", "progression=applied"))
		}
		if r.IntN(3) == 0 {
			f.Labels = append(f.Labels, some("services=checkout", "services=checkout.status.enabled", "services=none"))
		}
		if r.IntN(2) == 0 {
			f.Connections = append(f.Connections, ConnectionsIn{some("vipps", "swish"), everyStatus[r.IntN(4):]})
		}
		for caller, owner := range map[*auth.Caller]account.ID{&partner: partnerID, &other: otherID, &platform: otherID} {
			var want []account.ID
			for id, l := range made {
				if l.owner == owner && l.passes(id, f) {
					want = append(want, id)
				}
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, listAll(t, s, *caller, owner, f, 1+r.IntN(40))); diff != "" {
				t.Fatalf("%+v (-want +got):\n%s", f, diff)
			}
		}
	}
}

func testAccountSearch(t *testing.T, d door) {
	s := fresh(t, d)
	made := populate(t, s, 30)
	for search, want := range map[string][]account.ID{
		"T11200014":     {"T11200014"},
		"t11200014":     {"T11200014"},
		"1120001":       {"T11200014"},
		"T113":          nil,
		"900000002":     {"T11200027"},
		"900 000 002":   {"T11200027"},
		"kaffe 7":       {"T11200092"},
		"KAFFE, 7":      {"T11200092"},
		"kaf":           nil,
		"% OR 1=1 --":   nil,
		"%":             nil,
		"T11200014' --": {"T11200014"},
	} {
		if diff := cmp.Diff(want, listAll(t, s, partner, partnerID, AccountFilter{Search: search}, 10)); diff != "" {
			t.Errorf("search %q (-want +got):\n%s", search, diff)
		}
	}
	if n := len(listAll(t, s, partner, partnerID, AccountFilter{Search: "T112"}, 10)); n != len(made)/2+2 {
		t.Errorf("the partner's id finds %d accounts", n)
	}
}

func testAccountListBelongs(t *testing.T, d door) {
	s := fresh(t, d)
	for name, one := range map[string]struct {
		caller auth.Caller
		owner  account.ID
	}{
		"another partner": {other, partnerID},
		"a merchant":      {merchant, partnerID},
		"another world":   {auth.Caller{Account: "P00000000", Kind: account.KindPlatform, Client: newID()}, partnerID},
	} {
		_, err := s.Accounts(context.Background(), one.caller, one.owner, AccountFilter{}, "", 10)
		if f := new(fault.Fault); !errors.As(err, &f) || f.Kind != fault.NotFound {
			t.Errorf("%s is told %v, want that there is none", name, err)
		}
	}
	if got := listAll(t, s, platform, platformID, AccountFilter{}, 1); !slices.Equal(got, []account.ID{partnerID, otherID}) {
		t.Errorf("the platform's own accounts are %v, want its partners", got)
	}
}

func testLabelsFollow(t *testing.T, d door) {
	s := fresh(t, d)
	norway := AccountFilter{Labels: [][]string{{"country=no"}}}
	set := func(country string) {
		t.Helper()
		deed := Deed{Caller: partner, Owner: partnerID, About: merchantID}
		_, err := s.UpdateAccount(context.Background(), deed, func(w account.Whole) (account.Profile, error) {
			return w.Profile.Merge(account.Profile{"company": map[string]any{"address": map[string]any{"country": country}}}), nil
		}, func(Profiled) (Answer, error) { return Answer{}, nil })
		must(t, err)
	}
	set("NO")
	if got := listAll(t, s, partner, partnerID, norway, 10); !slices.Equal(got, []account.ID{merchantID}) {
		t.Errorf("found %v after the country was set", got)
	}
	must(t, s.transact(context.Background(), func(ctx context.Context, t *tx) error { return t.moveLabels(ctx, merchantID, otherID) }))
	if got := listAll(t, s, partner, partnerID, norway, 10); got != nil {
		t.Errorf("found %v after its labels moved away", got)
	}
	must(t, s.transact(context.Background(), func(ctx context.Context, t *tx) error { return t.moveLabels(ctx, merchantID, partnerID) }))
	set("SE")
	if got := listAll(t, s, partner, partnerID, norway, 10); got != nil {
		t.Errorf("found %v after the country changed", got)
	}
	services := map[string]any{}
	for i := range 300 {
		services[fmt.Sprint("s", i)] = true
	}
	_, err := s.UpdateAccount(context.Background(), Deed{Caller: partner, Owner: partnerID, About: merchantID},
		func(account.Whole) (account.Profile, error) { return account.Profile{"services": services}, nil },
		func(Profiled) (Answer, error) { return Answer{}, nil })
	if f := new(fault.Fault); !errors.As(err, &f) || f.Kind != fault.Invalid {
		t.Errorf("services that come to too many labels give %v", err)
	}
}

func testPaymentOptions(t *testing.T, d door) {
	s := fresh(t, d)
	find := func(option string) []account.ID {
		t.Helper()
		return listAll(t, s, partner, partnerID, AccountFilter{Labels: [][]string{{
			account.Label(account.LabelPaymentOptions+"swish", option), account.Label(account.LabelPaymentOptions+"vipps", option),
		}}}, 10)
	}
	signup := signing(merchant)
	decide := signup.Decide
	signup.Decide = func(f Found) (Decision, error) {
		d, err := decide(f)
		d.Connection.Signups[0].Data = []byte(`{"payment_options":[{"type":"card"},{"type":"Card"},{"type":"invoice"}]}`)
		return d, err
	}
	mustChange(t, s, signup)
	if !slices.Equal(find("card"), []account.ID{merchantID}) || find("invoice") == nil || find("vip") != nil {
		t.Error("what a signup asks for does not find it")
	}
	opened := posting(enabled("opened"))
	opened.Decide = func(f Found) (Decision, error) {
		_, err := connection.Append(f.Connection, vipps, enabled("opened"), act(partner))
		f.Connection.Configuration = []byte(`{"payment_options":[{"type":"card"}]}`)
		return Decision{Connection: f.Connection}, err
	}
	mustChange(t, s, opened)
	if find("card") == nil || find("invoice") != nil {
		t.Error("what is open does not take the place of what was asked for")
	}
	mustChange(t, s, signing(merchant))
	if find("card") == nil {
		t.Error("a new signup takes away what is open")
	}
}

func testBriefConnections(t *testing.T, d door) {
	s := signed(t, d)
	for i := range 30 {
		mustChange(t, s, posting(enabled(fmt.Sprint("step ", i))))
	}
	for range 25 {
		mustChange(t, s, signing(merchant))
	}
	page, err := s.Accounts(context.Background(), partner, partnerID, AccountFilter{}, "", 10)
	must(t, err)
	if len(page) != 2 || len(page[0].Connections) != 1 || page[1].Connections != nil {
		t.Fatalf("the page is %+v", page)
	}
	c, all := page[0].Connections[0], whole(t, s)
	if diff := cmp.Diff(all.Events[len(all.Events)-20:], c.Events); diff != "" {
		t.Errorf("events (-newest 20 +shown):\n%s", diff)
	}
	if diff := cmp.Diff(all.Signups[len(all.Signups)-20:], c.Signups); diff != "" {
		t.Errorf("signups (-newest 20 +shown):\n%s", diff)
	}

	// Of the single model, whose signups have no key, one is shown anywhere.
	for range 3 {
		mustChange(t, s, resigning(second, "", 10))
	}
	shown, err := s.Shown(context.Background(), second, "", secondID)
	must(t, err)
	if got := shown.Connections[0].Signups; len(got) != 1 || got[0].Seq != 3 {
		t.Errorf("of the single model it shows %+v", got)
	}
}

// resigning is a signup with so much data, under a key that others may share.
func resigning(who auth.Caller, key string, size int) Change {
	c := signing(who)
	decide := c.Decide
	c.Decide = func(f Found) (Decision, error) {
		d, err := decide(f)
		if err == nil {
			last := &d.Connection.Signups[len(d.Connection.Signups)-1]
			last.Key, last.Data = key, []byte(`{"x":"`+strings.Repeat("x", size)+`"}`)
		}
		return d, err
	}
	return c
}

func testHeavyPage(t *testing.T, d door) {
	s := fresh(t, d)
	for i := range 5 {
		who := auth.Caller{Account: account.ID(fmt.Sprint("T1123000", i)), Kind: account.KindMerchant, Client: newID()}
		addAccount(t, s, who, partnerID)
		for n := range 3 {
			mustChange(t, s, resigning(who, fmt.Sprint(n), 600_000))
		}
	}
	var pages [][]account.ID
	for after := account.ID("T11229999"); ; {
		page, err := s.Accounts(context.Background(), partner, partnerID, AccountFilter{}, after, 100)
		must(t, err)
		if len(page) == 0 {
			break
		}
		var ids []account.ID
		for _, a := range page {
			ids = append(ids, a.ID)
			if len(a.Connections) != 1 || len(a.Connections[0].Signups) != 3 {
				t.Errorf("%s is not whole", a.ID)
			}
		}
		pages, after = append(pages, ids), ids[len(ids)-1]
	}
	want := [][]account.ID{{"T11230000", "T11230001", "T11230002"}, {"T11230003", "T11230004"}}
	if diff := cmp.Diff(want, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func testKeptAnswer(t *testing.T, d door) {
	s := signed(t, d)
	deed := Deed{Caller: partner, Owner: partnerID, About: merchantID, Key: &Idempotency{
		Operation: "put", Path: "/v1/x", Key: "k", Fingerprint: []byte("f"),
	}}
	var answers []string
	for range 2 {
		a, err := s.UpdateAccount(context.Background(), deed, func(w account.Whole) (account.Profile, error) {
			return w.Profile, nil
		}, func(p Profiled) (Answer, error) {
			return Answer{Body: []byte(fmt.Sprint(len(p.Connections), " connections")), Kept: []byte("some")}, nil
		})
		must(t, err)
		answers = append(answers, fmt.Sprint(string(a.Body), a.Replayed))
	}
	if want := []string{"1 connectionsfalse", "sometrue"}; !slices.Equal(answers, want) {
		t.Errorf("answered %q, want %q", answers, want)
	}
}

// deleteDirectly marks an account as deleted, and nothing else.
func deleteDirectly(t *testing.T, s *Store, id account.ID) {
	t.Helper()
	run(t, s, `UPDATE account SET deleted_at = 1 WHERE id = '`+string(id)+`'`)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
