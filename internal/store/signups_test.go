package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/connection"
	"mooring/internal/fault"
)

// hearing is a change that alters the nth signup of the merchant's connection
// and records that it did.
func hearing(n int, alter func(*connection.Signup)) Change {
	return Change{
		Caller: merchant, Account: merchantID, Provider: vipps.Slug, Whole: true,
		Decide: func(f Found) (Decision, error) {
			alter(&f.Connection.Signups[n-1])
			if _, err := connection.Append(f.Connection, vipps, enabled("heard"), act(merchant)); err != nil {
				return Decision{}, err
			}
			return Decision{Connection: f.Connection}, nil
		},
	}
}

func testChangedSignup(t *testing.T, d door) {
	s := signed(t, d)
	mustChange(t, s, signing(merchant))
	want := whole(t, s)

	called := func(at time.Time) func(*connection.Signup) {
		return func(s *connection.Signup) {
			s.Data, s.Digest, s.Scenario, s.CallbackAt = []byte(`{"called":true}`), []byte{0, 255}, "happy", at
		}
	}
	erased := func(s *connection.Signup) { s.Data, s.Digest, s.ErasedAt = []byte(`{}`), nil, noon.Add(time.Hour) }
	// The stored ones, one of them twice, and one that the batch itself adds.
	_, errs := together(t, s, hearing(1, called(noon)), signing(merchant), hearing(3, called(noon)),
		hearing(2, called(noon.Add(time.Minute))), hearing(2, erased))
	allWell(t, errs)

	got := whole(t, s)
	called(noon)(&want.Signups[0])
	called(noon.Add(time.Minute))(&want.Signups[1])
	erased(&want.Signups[1])
	want.Signups = append(want.Signups, got.Signups[2])
	called(noon)(&want.Signups[2])
	if diff := cmp.Diff(want.Signups, got.Signups); diff != "" {
		t.Errorf("the signups (-want +got):\n%s", diff)
	}

	for name, spoil := range map[string]func(*connection.Signup){
		"id":         func(s *connection.Signup) { s.ID = newID() },
		"token":      func(s *connection.Signup) { s.Token = newID() },
		"key":        func(s *connection.Signup) { s.Key = "other" },
		"number":     func(s *connection.Signup) { s.Seq = 2 },
		"created_at": func(s *connection.Signup) { s.CreatedAt = noon.Add(time.Hour) },
	} {
		_, errs := together(t, s, hearing(1, spoil))
		if errs[0] == nil || fault.From(errs[0]).Kind != fault.Internal {
			t.Errorf("a decision rewrote the %s of a signup: %v", name, errs[0])
		}
	}
	if diff := cmp.Diff(want.Signups, whole(t, s).Signups); diff != "" {
		t.Errorf("the signups after refused decisions (-want +got):\n%s", diff)
	}
}
