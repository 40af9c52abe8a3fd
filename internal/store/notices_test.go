package store

import (
	"fmt"
	"testing"

	"mooring/internal/fault"
	"mooring/internal/hook"
)

func testReaderIsAskedOnce(t *testing.T, d door) {
	s := signed(t, d)
	at := noon
	deed := Deed{Caller: merchant, About: merchantID}
	kinds := []hook.Kind{hook.KindEmail}
	rule := func(address string) (string, string) {
		t.Helper()
		sub := Subscription{Subscription: hook.Subscription{
			ID: newID(), Kind: hook.KindEmail, Target: address, Active: true, CreatedAt: at, Settings: hook.Settings{Notice: &hook.NoticeSettings{}},
		}}
		_, err := s.AddSubscription(t.Context(), deed, sub, newID(), noAnswer)
		if err == nil {
			return sub.ID, ""
		}
		return "", fault.From(err).Code
	}
	change := func(id string, do func(*Subscription)) {
		t.Helper()
		if _, err := s.ChangeSubscription(t.Context(), deed, id, kinds, at, "", func(sub *Subscription) (Answer, error) {
			do(sub)
			return Answer{}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	drop := func(sub *Subscription) { sub.DeletedAt = at }
	check := func(when, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}

	first, code := rule("anna@example.com")
	check("at first", code, "")
	_, code = rule("Anna@example.com")
	check("by a second rule", code, fault.CodeConflict)
	change(first, drop)
	_, code = rule("anna@example.com")
	check("when the first is deleted", code, fault.CodeConflict)

	at = at.Add(askedAgain)
	again, code := rule("anna@example.com")
	check("when he did not answer for long", code, "")
	change(again, func(sub *Subscription) { sub.Settings.Notice.ConfirmedAt = at })
	third, code := rule("anna@example.com")
	check("who agreed, by another rule", code, "")
	change(third, func(sub *Subscription) { sub.Settings.Notice.StoppedAt = at })
	change(third, drop)
	at = at.Add(2 * askedAgain)
	_, code = rule("anna@example.com")
	check("who said no, long ago, to a rule that is gone", code, fault.CodeConflict)

	for i := range maxAsked {
		_, code = rule(fmt.Sprintf("anna-%d@example.com", i))
		check("within the hour's number", code, "")
	}
	_, code = rule("bo@example.com")
	check("beyond it", code, fault.CodeTooMany)
}
