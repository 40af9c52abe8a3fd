package access_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/access"
	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/store"
)

const reference = "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01"

// signedUp is a store in which the merchant has signed up with a provider.
func signedUp() *memory {
	m := newMemory()
	m.signups = map[string]store.Place{reference: {Account: merchant, Provider: "vipps"}}
	return m
}

func callbackToken(t testing.TB, a *access.Access, id account.ID, provider, reference string) []string {
	t.Helper()
	token, err := a.CallbackToken(t.Context(), id, provider, reference, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return []string{"Bearer " + token.Reveal()}
}

func TestACallbackTokenTellsWhichSignupItSpeaksOf(t *testing.T) {
	m := signedUp()
	a := open(t, config(t, m))
	got, err := a.Verify(t.Context(), callbackToken(t, a, merchant, "vipps", reference))
	want := auth.Caller{
		Account: merchant, Kind: account.KindMerchant, Client: reference,
		Scopes:   auth.Scopes{"write:accounts:/management/settings/connections/vipps"},
		Callback: &auth.Callback{Provider: "vipps", Reference: reference},
	}
	if diff := cmp.Diff(want, named(t, got)); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestACallbackTokenIsWorthNothingWithoutItsSignup(t *testing.T) {
	m := signedUp()
	cfg := config(t, m)
	cfg.Serves = func(id account.ID) bool { return id.World() == account.Test }
	a := open(t, cfg)
	m.change(func() {
		m.accounts["P11223351"] = account.Account{ID: "P11223351", Kind: account.KindMerchant}
		m.signups["01990f29-1a00-7d15-a0c2-5e2d7b9f1c09"] = store.Place{Account: "P11223351", Provider: "vipps"}
		m.signups["01990f29-1a00-7d15-a0c2-5e2d7b9f1c08"] = store.Place{Account: "T99999999", Provider: "vipps"}
	})
	for name, token := range map[string][]string{
		"another reference":      callbackToken(t, a, merchant, "vipps", "01990f29-1a00-7d15-a0c2-5e2d7b9f1c02"),
		"another provider":       callbackToken(t, a, merchant, "swish", reference),
		"another account":        callbackToken(t, a, neighbor, "vipps", reference),
		"a world not served":     callbackToken(t, a, "P11223351", "vipps", "01990f29-1a00-7d15-a0c2-5e2d7b9f1c09"),
		"an account that's gone": callbackToken(t, a, "T99999999", "vipps", "01990f29-1a00-7d15-a0c2-5e2d7b9f1c08"),
	} {
		_, err := a.Verify(t.Context(), token)
		denied(t, name, err)
	}
	m.setFailing(errors.New("away"))
	_, err := a.Verify(t.Context(), callbackToken(t, a, merchant, "vipps", reference))
	if f := fault.From(err); f.Kind == fault.Unauthenticated {
		t.Errorf("a failing database looks like a refusal: %v", err)
	}
}

func TestACallbackTokenLivesNoLongerThanItMay(t *testing.T) {
	now := &clock{at: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}
	cfg := config(t, signedUp())
	cfg.Now = now.now
	a := open(t, cfg)
	begun := now.at
	for name, c := range map[string]struct{ asked, life time.Duration }{
		"as asked":         {time.Hour + 300*time.Millisecond, time.Hour},
		"no more than all": {90 * 24 * time.Hour, auth.MaxCallbackLife},
	} {
		now.at = begun
		token, err := a.CallbackToken(t.Context(), merchant, "vipps", reference, begun.Add(c.asked))
		if err != nil {
			t.Fatal(err)
		}
		for at, good := range map[time.Duration]bool{c.life - time.Second: true, c.life: false} {
			now.at = begun.Add(at)
			// Twice: remembered callers end with their tokens as well.
			for range 2 {
				if _, err := a.Verify(t.Context(), []string{"Bearer " + token.Reveal()}); (err == nil) != good {
					t.Errorf("%s, %s later: %v", name, at, err)
				}
			}
		}
	}
	now.at = begun
	if _, err := a.CallbackToken(t.Context(), merchant, "vipps", reference, begun); err == nil {
		t.Error("a token was signed that is over")
	}
}

func TestARememberedCallbackTokenNeedsNoDatabase(t *testing.T) {
	m := signedUp()
	a := open(t, config(t, m))
	token := callbackToken(t, a, merchant, "vipps", reference)
	for range 3 {
		if _, err := a.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"signup " + reference, "account T11223351"}, m.looked()); diff != "" {
		t.Error(diff)
	}
}

func TestACallbackURLIsTheAudienceOfItsToken(t *testing.T) {
	a := open(t, config(t, signedUp()))
	if got, want := a.CallbackURL(merchant, "vipps", reference), public+"/v1/accounts/T11223351/connections/vipps/signups/"+reference; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
