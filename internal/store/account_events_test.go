package store

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

func note(s *Store, caller auth.Caller, owner account.ID, e AccountEvent) error {
	_, err := s.AddAccountEvent(context.Background(), Deed{Caller: caller, Owner: owner, About: merchantID}, e,
		func(e AccountEvent) (Answer, error) { return Answer{Body: []byte(e.ID)}, nil })
	return err
}

func testAccountEvents(t *testing.T, d door) {
	s := fresh(t, d)
	text := "called ✓"
	said := []AccountEvent{
		{ID: newID(), Type: "comment", Provider: "vipps", Visibility: "private", Body: &text, CreatedAt: noon, CreatedBy: partner.Client},
		{ID: newID(), Type: "statistics", Statistics: []byte(`{"n":1}`), CreatedAt: noon, CreatedBy: partner.Client},
		{ID: newID(), Type: "comment", Visibility: "private", Body: &text, CreatedAt: noon, CreatedBy: partner.Client},
	}
	for _, e := range said {
		must(t, note(s, partner, partnerID, e))
	}
	list := func(caller auth.Caller, owner account.ID, kind, after string, limit int) []AccountEvent {
		t.Helper()
		events, err := s.AccountEvents(context.Background(), caller, owner, merchantID, kind, after, limit)
		must(t, err)
		return events
	}
	for name, one := range map[string]struct{ want, got []AccountEvent }{
		"the owner":    {said, list(partner, partnerID, "", "", 10)},
		"the platform": {said, list(platform, platformID, "", "", 10)},
		"comments":     {[]AccountEvent{said[0], said[2]}, list(partner, partnerID, "comment", "", 10)},
		"one":          {said[:1], list(partner, partnerID, "", "", 1)},
		"the next":     {said[1:2], list(partner, partnerID, "", said[0].ID, 1)},
		"the end":      {nil, list(partner, partnerID, "", said[2].ID, 10)},
		"no id":        {nil, list(partner, partnerID, "", "x' OR '1'='1", 10)},
	} {
		if diff := cmp.Diff(one.want, one.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, one := range map[string]struct {
		caller auth.Caller
		owner  account.ID
	}{"another partner": {other, otherID}, "a partner in another's name": {other, partnerID}, "the merchant": {merchant, partnerID}} {
		_, err := s.AccountEvents(context.Background(), one.caller, one.owner, merchantID, "", "", 10)
		if f := new(fault.Fault); !errors.As(err, &f) || f.Kind != fault.NotFound {
			t.Errorf("%s reads them: %v", name, err)
		}
		err = note(s, one.caller, one.owner, AccountEvent{ID: newID(), Type: "comment", CreatedAt: noon})
		if f := new(fault.Fault); !errors.As(err, &f) || f.Kind != fault.NotFound {
			t.Errorf("%s writes one: %v", name, err)
		}
	}
}
