package cli

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func TestACertificateIsRemindedOfOnTheWayAndListedAsEnded(t *testing.T) {
	startDev(t)
	server, err := remoteFlags{cacheFlags: cacheFlags{CacheDir: os.Getenv("MOORING_CACHE_DIR")}}.connect(t.Context(), "")
	must(t, err)
	account := accountPath("T11223352")
	var progress struct{ Signups []struct{ ID string } }
	must(t, server.call(t.Context(), http.MethodGet, account+"/connections/swish", nil, &progress))
	events := account + "/connections/swish/signups/" + progress.Signups[0].ID + "/events"
	must(t, server.call(t.Context(), http.MethodPost, events, map[string]any{"status": "enabled", "event": "e", "configuration": map[string]any{
		"swish_number": "1231181189", "cert": certificateUntil(t, time.Now().Add(100*24*time.Hour)),
	}}, nil))
	run := func(args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		if code := Run(context.Background(), args, Stdio{Out: &out, Err: &errs}); code != exitDone {
			t.Fatalf("%v: exit %d, %s", args, code, errs.String())
		}
		return out.String()
	}
	run("clock", "advance", "--account", "T11223352", "35d") // every scenario is over
	if said := run("clock", "show", "--account", "T11223352"); !strings.Contains(said, "credential_expiring") {
		t.Errorf("next is %s", said)
	}
	if said := run("clock", "advance", "--account", "T11223352", "165d"); strings.Count(said, "swish") != 3 || strings.Count(said, "credential_expiring    applied") != 3 {
		t.Errorf("on the way: %s", said)
	}
	lines := strings.Split(strings.TrimSpace(run("credentials", "expiring")), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[1], "  ended") {
		t.Errorf("%q", lines)
	}
}

// certificateUntil is a certificate that ends at a time, in PEM.
func certificateUntil(t *testing.T, end time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.AddDate(-2, 0, 0), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
