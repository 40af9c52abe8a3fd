package vault_test

import (
	"strings"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/store"
)

func TestAConnectionIsRemindedOncePerThresholdByItsOwnClock(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w world) {
		day := 24 * time.Hour
		platform := auth.Caller{Account: "T00000000", Kind: account.KindPlatform}
		at := store.Place{Account: accounts[0], Provider: "swish"}
		sealed := w.configuration(at, map[string]string{"/cert": `"c"`, "/key": `"k"`})
		sealed.Fields[0].NotAfter = now().Add(70 * day)
		w.sign(at, newID(), sealed)
		for _, step := range []struct {
			ahead time.Duration // of real time, in all
			days  []string      // of the reminders so far
		}{
			{0, nil},
			{9 * day, nil},
			{11 * day, []string{"58"}},
			{12 * day, []string{"58"}},
			{41 * day, []string{"58", "28"}},
			{64 * day, []string{"58", "28", "5"}},
			{80 * day, []string{"58", "28", "5"}},
		} {
			_, fence, err := w.store.LockClock(t.Context(), at.Account, now(), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.store.MoveClock(t.Context(), at.Account, fence, step.ahead, now()); err != nil {
				t.Fatal(err)
			}
			if err := w.store.UnlockClock(t.Context(), at.Account, fence); err != nil {
				t.Fatal(err)
			}
			for range 2 { // another node, which remembers nothing, reminds of nothing again
				if err := w.another().Remind(t.Context(), platform); err != nil {
					t.Fatal(err)
				}
			}
			events, err := w.store.Events(t.Context(), platform, at.Account, at.Provider, 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			var days []string
			for _, e := range events {
				if e.Name != connection.CredentialExpiring {
					continue
				}
				if e.Status != connection.Pending || !strings.Contains(string(e.Metadata), `"member":"cert"`) {
					t.Errorf("%s, %s", e.Status, e.Metadata)
				}
				_, rest, _ := strings.Cut(string(e.Metadata), `"days":`)
				days = append(days, rest[:strings.IndexAny(rest, ",}")])
			}
			if strings.Join(days, " ") != strings.Join(step.days, " ") {
				t.Errorf("%s ahead: reminded at %q, want %q", step.ahead, days, step.days)
			}
		}
		// Nobody else's are listed.
		other, err := w.vault.Expiring(t.Context(), auth.Caller{Account: accounts[1]}, 60*day)
		if err != nil || len(other) != 0 {
			t.Errorf("%v, %v", other, err)
		}
		own, err := w.vault.Expiring(t.Context(), auth.Caller{Account: accounts[0]}, 60*day)
		if err != nil || len(own) != 1 || own[0].Days() != -11 || own[0].Member != "cert" {
			t.Errorf("%v, %v", own, err)
		}
	})
}
