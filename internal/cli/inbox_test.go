package cli

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestTheInboxIsListedShownAndReplayed(t *testing.T) {
	startDev(t)
	server, err := remoteFlags{cacheFlags: cacheFlags{CacheDir: os.Getenv("MOORING_CACHE_DIR")}}.connect(t.Context(), "")
	must(t, err)
	run := func(want int, args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		args = append([]string{"inbox", args[0], "--account", "T11223352", "--connection", "vipps"}, args[1:]...)
		if code := Run(context.Background(), args, Stdio{Out: &out, Err: &errs}); code != want {
			t.Fatalf("%v: exit %d, %s", args, code, errs.String())
		}
		return out.String() + errs.String()
	}
	if said := run(exitDone, "list"); said != "no calls\n" {
		t.Errorf("an empty inbox: %s", said)
	}
	var progress struct{ Signups []struct{ ID string } }
	must(t, server.call(t.Context(), http.MethodGet, accountPath("T11223352")+"/connections/vipps", nil, &progress))
	events := accountPath("T11223352") + "/connections/vipps/signups/" + progress.Signups[0].ID + "/events"
	must(t, server.call(t.Context(), http.MethodPost, events, map[string]any{"status": "enabled", "event": "e", "configuration": map[string]any{"merchant_serial_number": "1"}}, nil))
	if err := server.call(t.Context(), http.MethodPost, events, map[string]any{"status": "enabled", "event": "e", "configuration": map[string]any{"merchant_serial_number": "2"}}, nil); err == nil {
		t.Fatal("an enabled connection was pointed elsewhere")
	}
	listed := strings.Split(strings.TrimSpace(run(exitDone, "list", "--limit", "2")), "\n")
	if len(listed) != 2 || !strings.Contains(listed[0], "refused (CONNECTION_ENABLED)") || !strings.Contains(listed[1], "applied") {
		t.Fatalf("listed: %q", listed)
	}
	refused, applied := strings.Fields(listed[0])[1], strings.Fields(listed[1])[1]
	if rest := run(exitDone, "list", "--after", refused); strings.Contains(rest, refused) || !strings.Contains(rest, applied) {
		t.Errorf("after the first: %s", rest)
	}
	if said := run(exitDone, "show", applied); !strings.Contains(said, "verdict    applied\n") || !strings.Contains(said, "body       kept, sealed\n") {
		t.Errorf("shown: %s", said)
	}
	if said := run(exitFailed, "replay", refused); !strings.Contains(said, "attempts   2\n") || !strings.Contains(said, "the call is refused again") {
		t.Errorf("replayed: %s", said)
	}
	must(t, server.call(t.Context(), http.MethodPost, operatorPath("T11223352")+"/connections/vipps/events", map[string]any{"status": "failed", "event": "e", "reason": "test"}, nil))
	if said := run(exitDone, "replay", refused); !strings.Contains(said, "verdict    applied\n") {
		t.Errorf("replayed: %s", said)
	}
	if said := run(exitFailed, "show", "01990f33-7a10-7b42-8a3e-5d1c0e9f4a10"); !strings.Contains(said, "mooring: there is no call 01990f33-7a10-7b42-8a3e-5d1c0e9f4a10 in the inbox of the connection vipps of T11223352 that this client can see (404 NOT FOUND, ") {
		t.Errorf("one that is not there: %s", said)
	}
}
