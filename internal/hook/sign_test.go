package hook_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/hook"
	"mooring/internal/secret"
)

func TestTheHeadersOfAnAttempt(t *testing.T) {
	k := hook.Secrets{
		Contract: secret.NewPlain("key"), Authorization: secret.NewPlain("Bearer of news"),
		Standard: []secret.Plain{secret.NewPlain("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")},
	}
	e := entry(hook.AccountUpdate, "{}")
	got := hook.Headers(subscription(), k, e, []byte("The quick brown fox jumps over the lazy dog"), noon)
	want := http.Header{
		"Content-Type":      {"application/json"},
		"User-Agent":        {"Mooring-Hook/6f1f0f6f7b01"},
		"Event":             {"account_update"},
		"Event-Delivery":    {"611ea289-de8d-815e-8462-1b943bd9f66e"},
		"Event-Signature":   {"de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9"}, // known to everybody
		"Authorization":     {"Bearer of news"},
		"Webhook-Id":        {e.ID},
		"Webhook-Timestamp": {"1788264000"},
		"Webhook-Signature": got["Webhook-Signature"],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name := range got {
		if name != http.CanonicalHeaderKey(name) {
			t.Errorf("%s can't be found by Get", name)
		}
	}
}

func TestWithoutSecretsNothingIsSigned(t *testing.T) {
	h := hook.Headers(subscription(), hook.Secrets{}, entry(hook.Ping, "{}"), []byte("{}"), noon)
	for _, name := range []string{"Event-Signature", "Authorization", "Webhook-Signature"} {
		if h[name] != nil {
			t.Errorf("%s: %s", name, h[name])
		}
	}
}

// TestTheContractsSignatureIsHMAC checks vectors of RFC 2202.
func TestTheContractsSignatureIsHMAC(t *testing.T) {
	for _, c := range []struct{ key, data, want string }{
		{strings.Repeat("\x0b", 20), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"},
		{"Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
		{strings.Repeat("\xaa", 80), "Test Using Larger Than Block-Size Key - Hash Key First", "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
	} {
		h := hook.Headers(subscription(), hook.Secrets{Contract: secret.NewPlain(c.key)}, entry(hook.Ping, "{}"), []byte(c.data), noon)
		if got := h.Get("event-signature"); got != c.want {
			t.Errorf("%q: %s", c.data, got)
		}
	}
}

// TestStandardSignaturesAreThoseOfTheSpecification checks its own vector.
func TestStandardSignaturesAreThoseOfTheSpecification(t *testing.T) {
	e := hook.Entry{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek"}
	k := hook.Secrets{Standard: []secret.Plain{secret.NewPlain("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}}
	h := hook.Headers(subscription(), k, e, []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0))
	if got := h.Get("webhook-signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Error(got)
	}
}

func TestKeysAreAsTheSpecificationWantsThem(t *testing.T) {
	shared := hook.NewStandard().Reveal()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(shared, "whsec_"))
	if err != nil || len(key) != 32 || !strings.HasPrefix(shared, "whsec_") || shared == hook.NewStandard().Reveal() {
		t.Errorf("%d bytes, %v", len(key), err)
	}
	private, public := hook.NewPair()
	halves := strings.TrimPrefix(public, "whpk_")
	raw, err := base64.StdEncoding.DecodeString(halves)
	if err != nil || len(raw) != ed25519.PublicKeySize || halves == public || !strings.HasPrefix(private.Reveal(), "whsk_") {
		t.Errorf("%s, %v", public, err)
	}
	if hook.PublicOf(private) != public {
		t.Error("the public half of a pair changes")
	}
	if got := hook.PublicOf(secret.NewPlain("whsk_bm8=")); got != "" {
		t.Errorf("what is no key has a public half: %s", got)
	}
}

// Secrets that were read once sign like those that were not, however many
// messages do at once, and so do those that come after them.
func TestReadySecretsSignTheSame(t *testing.T) {
	private, _ := hook.NewPair()
	k := hook.Secrets{
		Contract: secret.NewPlain("key"), Authorization: secret.NewPlain("Bearer of news"),
		Standard: []secret.Plain{hook.NewStandard(), hook.NewStandard()}, Asymmetric: []secret.Plain{private},
		Ends: noon.Add(time.Hour), Then: &hook.Secrets{Standard: []secret.Plain{hook.NewStandard()}},
	}
	ready := k.Ready()
	var signing sync.WaitGroup
	for i := range 8 {
		signing.Go(func() {
			for _, at := range []time.Time{noon, noon.Add(time.Hour)} {
				e, body := entry(hook.Ping, "{}"), []byte(strings.Repeat("x", 100*i))
				if diff := cmp.Diff(hook.Headers(subscription(), k.At(at), e, body, at), hook.Headers(subscription(), ready.At(at), e, body, at)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	signing.Wait()
}
