package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestTheAuditIsShownPageByPage(t *testing.T) {
	startDev(t)
	server, err := remoteFlags{cacheFlags: cacheFlags{CacheDir: os.Getenv("MOORING_CACHE_DIR")}}.connect(t.Context(), "")
	must(t, err)
	for range 120 {
		must(t, server.call(t.Context(), http.MethodPost, operatorPath("T11223352")+"/connections/vipps/events",
			map[string]any{"status": "pending", "event": "step", "reason": "by hand"}, nil))
	}
	shown := func(want int, args ...string) []string {
		t.Helper()
		code, out, errs := run(t, append([]string{"audit"}, args...)...)
		if code != want {
			t.Fatalf("%v: exit %d, %s", args, code, errs)
		}
		return strings.Split(strings.TrimSpace(out+errs), "\n")
	}
	if lines := shown(exitDone, "T11223352"); len(lines) != 26 || !strings.Contains(lines[1], "connection.event") || !strings.HasSuffix(lines[1], "by hand") {
		t.Errorf("by default: %d lines, %q", len(lines), lines[:2])
	}
	if lines := shown(exitDone, "T11223352", "--limit", "0", "--action", "connection.event", "--since", "1h", "--owner", "T00000000"); len(lines) != 121 {
		t.Errorf("all: %d lines", len(lines))
	}
	if lines := shown(exitDone, "T11223352", "--until", "1h"); len(lines) != 1 {
		t.Errorf("nothing: %q", lines)
	}
	lines := shown(exitDone, "T11223352", "--limit", "101", "--json", "--outcome", "done")
	var last struct {
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal([]byte(lines[100]), &last); err != nil || len(lines) != 101 || last.Reason != "by hand" {
		t.Errorf("as JSON: %d lines, %v, %+v", len(lines), err, last)
	}
	if lines := shown(exitFailed, "T11299999", "--owner", "T00000000"); !strings.HasPrefix(lines[0], "mooring: there is no account T11299999 that this client can see") {
		t.Errorf("an account that is not there: %q", lines)
	}
	if lines := shown(exitFailed, "T11223352", "--limit=-1"); lines[0] != "mooring: --limit must be 0 or more" {
		t.Errorf("a negative limit: %q", lines)
	}
}
