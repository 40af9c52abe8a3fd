package product

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/test/drive"
)

// perTenant is how many accounts each of two partners has.
const perTenant = 1_000

// lister asks one server for lists of accounts.
type lister struct {
	t      *testing.T
	client *drive.Client
}

// TestTwoTenantsListTheirOwnAccounts gives two partners a thousand accounts
// each that differ in nothing but their ids, and looks at every list of both:
// what is listed is the partner's own, all of it, and no more than single reads
// show. No paging token of one is good for the other.
func TestTwoTenantsListTheirOwnAccounts(t *testing.T) {
	onBothEngines(t, func(t *testing.T, args ...string) {
		s := dev(t, args...)
		l := lister{t, drive.NewClient(s.BaseURL)}
		token := tokens(t, s)
		l.fill(token["platform"])
		owners := map[string]string{"T112": token["partner"], "T117": l.partnerToken(token["platform"], "T11700000")}
		for owner, bearer := range owners {
			l.listsAreItsOwn(owner, bearer)
			l.listsAreItsOwn(owner, token["platform"])
			l.readsAgree(owner, bearer)
		}
		l.tokensAreTheirOwn(owners, token["platform"])
	})
}

// numbered is the nth account of a partner.
func numbered(owner string, n int) string { return fmt.Sprintf("%s%05d", owner, 40_000+3*n) }

func (l lister) ok(method, target, bearerToken string, in, out any) {
	l.t.Helper()
	var body []byte
	if in != nil {
		body, _ = json.Marshal(in)
	}
	answer, err := l.client.Do(method, target, bearer(bearerToken), body)
	if err != nil {
		l.t.Fatal(err)
	}
	if answer.Status != http.StatusOK {
		l.t.Fatalf("%s %s: %d %s", method, target, answer.Status, answer.Body)
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		l.t.Fatal(err)
	}
}

// fill imports both partners' accounts: every third is in Sweden, every fifth
// has a connection that is pending, or every tenth one that is enabled.
func (l lister) fill(platform string) {
	l.t.Helper()
	rows := []any{map[string]any{"id": "T11700000", "owner": "T000", "profile": map[string]any{"company": map[string]any{"business_name": "Nordlys Partner AS"}}}}
	for _, owner := range []string{"T112", "T117"} {
		for n := range perTenant {
			row := map[string]any{"id": numbered(owner, n), "owner": owner, "created_at": "2023-02-14T08:00:00Z", "profile": map[string]any{
				"company": map[string]any{
					"business_name": fmt.Sprint("Testveien Kaffe ", n),
					"address":       map[string]any{"country": map[bool]string{true: "SE", false: "NO"}[n%3 == 0]},
				},
				"account_manager": map[string]any{"email": "ola@partner.example"},
				"services":        map[string]any{"checkout": map[string]any{"status": "enabled"}},
			}}
			if n%5 == 0 {
				status := map[bool]string{true: "enabled", false: "pending"}[n%10 == 0]
				row["connections"] = []any{map[string]any{
					"connection": "vipps", "status": status, "created_at": "2023-02-14T08:10:00Z",
					"signups": []any{map[string]any{"callback_reference": fmt.Sprint(owner, "-", n)}},
					"events":  []any{map[string]any{"status": status, "event": "signup_received", "created_at": "2023-02-14T08:10:00Z"}},
				}}
			}
			rows = append(rows, row)
		}
	}
	for part := range slices.Chunk(rows, 500) {
		var answer struct {
			Refused int
			Rows    []json.RawMessage
		}
		l.ok(http.MethodPost, "/v1/operator/import", platform, map[string]any{"accounts": part}, &answer)
		if answer.Refused != 0 {
			l.t.Fatalf("%d rows were refused: %s", answer.Refused, answer.Rows[0])
		}
	}
}

// partnerToken makes a client of a partner, and logs in as it.
func (l lister) partnerToken(platform, id string) string {
	l.t.Helper()
	at := "/v1/accounts/" + id + "/auth/"
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	l.ok(http.MethodPost, at+"clients", platform, map[string]any{"name": "till"}, &made)
	var granted struct{}
	l.ok(http.MethodPost, at+"client-grants", platform, map[string]any{
		"client_id": made.ID, "audience": l.client.BaseURL + "/v1/accounts/" + id, "scope": []string{"admin:accounts"},
	}, &granted)
	token, err := l.client.Token(drive.Credentials{Account: id, ID: made.ID, Secret: made.Secret})
	if err != nil {
		l.t.Fatal(err)
	}
	return token
}

// page is one page of a list: ids, and the last one's token.
func (l lister) page(owner, bearerToken string, query url.Values) (ids []string, next string) {
	l.t.Helper()
	var page []struct {
		ID    string `json:"account_id"`
		Token string `json:"paging_token"`
	}
	l.ok(http.MethodGet, "/v1/accounts/"+owner+"/management/accounts?"+query.Encode(), bearerToken, nil, &page)
	for _, item := range page {
		ids, next = append(ids, item.ID), item.Token
	}
	return ids, next
}

// listings are filters, and which of the accounts they leave.
var listings = map[string]func(n int) bool{
	"search=testveien":                         func(int) bool { return true },
	"country=SE":                               func(n int) bool { return n%3 == 0 },
	"account_manager=ola@partner.example":      func(int) bool { return true },
	"services=checkout.status.enabled":         func(int) bool { return true },
	"connections=vipps&search=testveien":       func(n int) bool { return n%5 == 0 },
	"connection_status=enabled&search=kaffe":   func(n int) bool { return n%10 == 0 },
	"country=NO&connection=vipps&search=kaffe": func(n int) bool { return n%3 != 0 && n%5 == 0 },
	"search=testveien+7":                       func(n int) bool { return n == 7 },
}

func (l lister) listsAreItsOwn(owner, bearerToken string) {
	l.t.Helper()
	for text, passes := range listings {
		var want, got []string
		for n := range perTenant {
			if passes(n) {
				want = append(want, numbered(owner, n))
			}
		}
		query, err := url.ParseQuery(text + "&limit=83")
		if err != nil {
			l.t.Fatal(err)
		}
		for {
			ids, next := l.page(owner, bearerToken, query)
			if ids == nil {
				break
			}
			got = append(got, ids...)
			query.Set("starting_after", next)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			l.t.Errorf("%s of %s (-want +got):\n%s", text, owner, diff)
		}
	}
	for _, foreign := range []string{"T112", "T117"} {
		want := 0
		if foreign == owner {
			want = 1
		}
		if ids, _ := l.page(owner, bearerToken, url.Values{"search": {numbered(foreign, 7)}}); len(ids) != want {
			l.t.Errorf("a search of %s for %s finds %v", owner, numbered(foreign, 7), ids)
		}
	}
}

// readsAgree: what a partner's list has, its single reads have, and nothing of
// the other's.
func (l lister) readsAgree(owner, bearerToken string) {
	l.t.Helper()
	for n := 0; n < perTenant; n += 97 {
		for _, of := range []string{"T112", "T117"} {
			answer, err := l.client.Do(http.MethodGet, "/v1/accounts/"+owner+"/management/accounts/"+numbered(of, n), bearer(bearerToken), nil)
			if err != nil {
				l.t.Fatal(err)
			}
			if want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[of == owner]; answer.Status != want {
				l.t.Errorf("%s reads %s: %d, want %d", owner, numbered(of, n), answer.Status, want)
			}
		}
	}
}

// tokensAreTheirOwn tries paging tokens where they do not belong, and such as
// never were.
func (l lister) tokensAreTheirOwn(owners map[string]string, platform string) {
	l.t.Helper()
	next := map[string]string{}
	for owner, bearerToken := range owners {
		_, next[owner] = l.page(owner, bearerToken, url.Values{"limit": {"5"}})
		_, next["platform "+owner] = l.page(owner, platform, url.Values{"limit": {"5"}})
	}
	refused := func(who, owner, bearerToken, query string) {
		l.t.Helper()
		answer, err := l.client.Do(http.MethodGet, "/v1/accounts/"+owner+"/management/accounts?"+query, bearer(bearerToken), nil)
		if err != nil {
			l.t.Fatal(err)
		}
		if answer.Status != http.StatusBadRequest || !strings.Contains(string(answer.Body), `"path":"#/starting_after"`) &&
			!strings.Contains(string(answer.Body), "INVALID_CURSOR") {
			l.t.Errorf("%s: %d %s", who, answer.Status, answer.Body)
		}
	}
	for owner, bearerToken := range owners {
		for of, token := range next {
			if of != owner {
				refused(owner+" reads on behind an item of "+of, owner, bearerToken, "starting_after="+token)
			}
		}
		own := next[owner]
		refused("with other filters", owner, bearerToken, "country=SE&starting_after="+own)
		for i := range own {
			for _, letter := range []byte("Aw-") {
				if own[i] != letter {
					refused("forged", owner, bearerToken, "starting_after="+own[:i]+string(letter)+own[i+1:])
				}
			}
			refused("cut short", owner, bearerToken, "starting_after="+own[:i]+"&country=NO")
		}
		refused("spliced", owner, bearerToken, "starting_after="+next["platform "+owner][:22]+own[22:])
	}
	refused("the platform with a partner's", "T112", platform, "starting_after="+next["T112"])
	refused("the platform with another list's", "T112", platform, "starting_after="+next["platform T117"])
}
