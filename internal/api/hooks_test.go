package api

import (
	"testing"
	"time"

	"mooring/internal/hook"
	"mooring/internal/store"
)

func TestOnlyAnEndpointThatWasSwitchedOffIsTakenForMended(t *testing.T) {
	noon := time.Date(2026, 5, 12, 12, 0, 0, 0, time.UTC)
	failing := store.Subscription{Subscription: hook.Subscription{Active: true}}
	failing.Progress = store.Progress{Failures: 3, FailingSince: noon, SucceededAt: noon.Add(-time.Hour)}
	off := failing
	off.DisabledAt, off.DisabledWhy = noon, hook.WhyFailing

	switchOn(&failing)
	if h := healthOf(failing); h.State != "failing" || h.Failures != 3 {
		t.Errorf("one that fails is shown as %+v", h)
	}
	switchOn(&off)
	if h := healthOf(off); h.State != "healthy" || h.Failures != 0 || h.SucceededAt == "" {
		t.Errorf("one that was switched off is shown as %+v", h)
	}
}
