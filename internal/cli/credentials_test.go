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

func TestACertificateThatIsOverIsListedAsEnded(t *testing.T) {
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
	must(t, server.call(t.Context(), http.MethodPost, account+"/clock", map[string]any{"advance": "200d"}, nil))
	var out, errs strings.Builder
	if code := Run(context.Background(), []string{"credentials", "expiring"}, Stdio{Out: &out, Err: &errs}); code != exitDone {
		t.Fatalf("exit %d, %s", code, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
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
