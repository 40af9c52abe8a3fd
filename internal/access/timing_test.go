package access_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"mooring/internal/access"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/store"
)

// refusals are logins that must be refused alike, against a real database.
func refusals(t testing.TB, s *store.Store, good login) map[string]access.Ask {
	t.Helper()
	plain, hash := auth.NewSecret(time.Now(), uuid.NewString)
	off := auth.Client{
		ID: uuid.NewString(), Account: partner, Disabled: true, Secrets: []auth.SecretHash{hash}, CreatedAt: time.Now(), CreatedBy: "test",
		Grants: []auth.Grant{{ID: uuid.NewString(), Audience: partner, Scopes: allScopes}},
	}
	if err := s.CreateClient(t.Context(), off); err != nil {
		t.Fatal(err)
	}
	guess, _ := auth.NewSecret(time.Now(), uuid.NewString)
	return map[string]access.Ask{
		"an unknown client":         ask(login{uuid.NewString(), guess.Reveal()}, partner),
		"a wrong secret":            ask(login{good.id, guess.Reveal()}, partner),
		"a disabled client":         ask(login{off.ID, plain.Reveal()}, partner),
		"a client of another place": ask(good, merchant),
	}
}

// TestRefusedLoginsTakeEquallyLong is S13: time must not tell why a login was
// refused. The kinds take turns, so that what else the machine does meets all
// alike, and medians are compared. A round that was disturbed is repeated; a
// difference that is there is there in every round.
func TestRefusedLoginsTakeEquallyLong(t *testing.T) {
	const samples, rounds = 300, 6
	onBothEngines(t, func(t *testing.T, s *store.Store) {
		a := open(t, config(t, s))
		all := refusals(t, s, populate(t, s))
		var medians map[string]time.Duration
		for range rounds {
			took := map[string][]time.Duration{}
			for i := range samples {
				for name, q := range all {
					q.Remote = netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
					begun := time.Now()
					_, err := a.Issue(t.Context(), q)
					took[name] = append(took[name], time.Since(begun))
					if fault.From(err).Kind != fault.Unauthenticated {
						t.Fatalf("%s: %v", name, err)
					}
				}
			}
			medians = map[string]time.Duration{}
			var fastest, slowest time.Duration
			for name, one := range took {
				slices.Sort(one)
				medians[name] = one[samples/2]
				if fastest == 0 || medians[name] < fastest {
					fastest = medians[name]
				}
				slowest = max(slowest, medians[name])
			}
			if gap := slowest - fastest; gap < 50*time.Microsecond || gap < fastest/20 {
				t.Logf("medians of %d each: %v", samples, medians)
				return
			}
		}
		t.Errorf("time tells why a login was refused, in each of %d rounds; the last medians: %v", rounds, medians)
	})
}
