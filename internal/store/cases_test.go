package store

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/cdd"
	"mooring/internal/fault"
)

// opening opens a case of the merchant as the merchant.
func opening(t *testing.T, s *Store, request []byte) (cdd.Case, error) {
	t.Helper()
	made := cdd.Open(merchantID, cdd.Request{ID: newID(), RequestID: "r1", Data: request}, noon, merchant.Client)
	_, err := s.OpenCase(context.Background(), Deed{Caller: merchant, About: merchantID, Audit: []AuditRecord{auditOf("case.open")}},
		func(account.Account) (cdd.Case, Answer, error) { return made, Answer{}, nil })
	return made, err
}

func testCases(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	made, err := opening(t, s, []byte(`{"products":["payout"]}`))
	if err != nil {
		t.Fatal(err)
	}
	move := func(caller auth.Caller, id string) error {
		_, err := s.MoveCase(ctx, Deed{Caller: caller, About: merchantID}, id, func(_ account.Account, c *cdd.Case) (Answer, error) {
			return Answer{}, c.Move(cdd.Event{RequestID: "r2", Status: cdd.Active, Error: "e", Detail: []byte(`{"a":1}`)}, noon.Add(time.Hour))
		})
		return err
	}
	wantMissing(t, "another case", move(platform, newID()))
	wantMissing(t, "another's case", move(second, made.ID))
	if err := move(platform, made.ID); err != nil {
		t.Fatal(err)
	}
	if err := made.Move(cdd.Event{RequestID: "r2", Status: cdd.Active, Error: "e", Detail: []byte(`{"a":1}`)}, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	all, err := s.Cases(ctx, partner, merchantID)
	if diff := cmp.Diff([]cdd.Case{made}, all); err != nil || diff != "" {
		t.Errorf("the cases came back otherwise: %v\n%s", err, diff)
	}
	one, err := s.Case(ctx, merchant, merchantID, made.ID)
	if err != nil || one == nil || one.Status() != cdd.Active {
		t.Errorf("the case is %+v, %v", one, err)
	}
	for _, id := range []string{newID(), "x"} {
		if one, err := s.Case(ctx, merchant, merchantID, id); one != nil || err != nil {
			t.Errorf("case %s is %v, %v", id, one, err)
		}
	}
	_, err = s.Cases(ctx, second, merchantID)
	wantMissing(t, "the cases of another", err)
	_, err = s.Case(ctx, other, merchantID, made.ID)
	wantMissing(t, "the case of another's merchant", err)
	remembered, err := s.AuditOf(ctx, merchant, merchantID, AuditQuery{Account: merchantID, Limit: 10})
	if err != nil || len(remembered) != 1 || remembered[0].Action != "case.open" {
		t.Errorf("remembered is %v, %v", remembered, err)
	}
}

func testCaseLimits(t *testing.T, d door) {
	s := signed(t, d)
	large := append([]byte(`{"a":"`), bytes.Repeat([]byte("a"), cdd.MaxBytes-2048)...)
	first, err := opening(t, s, append(large, `"}`...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opening(t, s, append([]byte(`{"a":"`), append(bytes.Repeat([]byte("a"), 2048), `"}`...)...)); fault.From(err).Code != fault.CodeLimitReached {
		t.Errorf("a case beyond the bytes of an account: %v", err)
	}
	_, err = s.MoveCase(context.Background(), Deed{Caller: platform, About: merchantID}, first.ID, func(_ account.Account, c *cdd.Case) (Answer, error) {
		return Answer{}, c.Move(cdd.Event{Status: cdd.Active, Error: string(bytes.Repeat([]byte("e"), 2048))}, noon)
	})
	if fault.From(err).Code != fault.CodeLimitReached {
		t.Errorf("an event beyond the bytes of an account: %v", err)
	}
	if all, err := s.Cases(context.Background(), merchant, merchantID); err != nil || len(all) != 1 || len(all[0].Events) != 1 {
		t.Errorf("what was refused left something: %d cases, %v", len(all), err)
	}
}

func testManyCases(t *testing.T, d door) {
	s := signed(t, d)
	for i := range cdd.MaxCases + 1 {
		_, err := opening(t, s, []byte(`{}`))
		if full := i == cdd.MaxCases; full != (err != nil) || full && fault.From(err).Code != fault.CodeLimitReached {
			t.Fatalf("case %d: %v", i+1, err)
		}
	}
}
