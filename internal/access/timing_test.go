package access_test

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
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
		Grants: []auth.Grant{
			{ID: uuid.NewString(), Audience: partner, Scopes: allScopes},
			{ID: uuid.NewString(), Audience: merchant, Scopes: auth.Scopes{auth.ScopeReadAccounts}},
		},
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

// BenchmarkRefusedLogins is S13: time must not tell why a login was refused. The
// kinds take turns, so that what else the machine does meets all alike; their
// medians, and the gap between the fastest and the slowest in percent, are what
// is looked at. That the work is the same is for the tests to say.
func BenchmarkRefusedLogins(b *testing.B) {
	s, err := store.Open(b.Context(), store.Config{DataDir: b.TempDir() + "/data", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	a := open(b, config(b, s))
	all := refusals(b, s, populate(b, s))
	took := map[string][]time.Duration{}
	for i := 0; b.Loop(); i++ {
		for name, q := range all {
			q.Remote = netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
			begun := time.Now()
			_, err := a.Issue(b.Context(), q)
			took[name] = append(took[name], time.Since(begun))
			if fault.From(err).Kind != fault.Unauthenticated {
				b.Fatalf("%s: %v", name, err)
			}
		}
	}
	var medians []time.Duration
	for name, one := range took {
		slices.Sort(one)
		medians = append(medians, one[len(one)/2])
		b.ReportMetric(float64(one[len(one)/2].Microseconds()), strings.ReplaceAll(name, " ", "_")+"_us")
	}
	fastest, slowest := slices.Min(medians), slices.Max(medians)
	b.ReportMetric(100*float64(slowest-fastest)/float64(fastest), "gap_%")
}
