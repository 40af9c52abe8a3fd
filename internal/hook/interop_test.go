package hook_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
	svix "github.com/svix/svix-webhooks/go"

	"mooring/internal/hook"
	"mooring/internal/hook/hooktest"
	"mooring/internal/secret"
)

// payloads is how many random bodies are signed, verified and spoilt.
const payloads = 10_000

// The key pair is verified for one in pairEach of them.
const (
	pair     = "the public key"
	pairEach = 20
)

// receiver is somebody else's idea of how a message is verified.
type receiver func(body []byte, h http.Header) error

func receivers(t *testing.T, shared string) map[string]receiver {
	t.Helper()
	one, err := standard.NewWebhook(shared)
	if err != nil {
		t.Fatal(err)
	}
	two, err := svix.NewWebhook(shared)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]receiver{"standard-webhooks": one.Verify, "svix": two.Verify}
}

func TestOthersVerifyWhatWeSignAndNothingElse(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 2))
	old, current := hook.NewStandard(), hook.NewStandard()
	private, public := hook.NewPair()
	shared := hook.Secrets{Standard: []secret.Plain{current, old}}
	paired := shared
	paired.Asymmetric = []secret.Plain{private}
	verifiers := receivers(t, current.Reveal())
	for name, verify := range receivers(t, old.Reveal()) {
		verifiers[name+" with the old secret"] = verify
	}
	verifiers[pair] = pairReceiver(t, public)
	stranger := receivers(t, hook.NewStandard().Reveal())["svix"]

	for i := range payloads {
		s, e := subscription(), entry(hook.AccountUpdate, hooktest.Members(draw))
		body, err := hook.Message(s, e)
		if err != nil {
			t.Fatal(err)
		}
		k := shared
		if i%pairEach == 0 {
			k = paired
		}
		h := hook.Headers(s, k, e, body, time.Now())
		spoiltBody, spoiltHeader := flip(draw, body), flipHeader(draw, h)
		for name, verify := range verifiers {
			if name == pair && i%pairEach != 0 {
				continue // slow, and of the same bytes
			}
			if err := verify(body, h); err != nil {
				t.Fatalf("%d, %s: %v\n%s\n%v", i, name, err, body, h)
			}
			if verify(spoiltBody, h) == nil {
				t.Fatalf("%d, %s takes another body: %q", i, name, spoiltBody)
			}
			if verify(body, spoiltHeader) == nil {
				t.Fatalf("%d, %s takes other headers: %v", i, name, spoiltHeader)
			}
		}
		if stranger(body, h) == nil {
			t.Fatalf("%d: a secret of another takes it", i)
		}
	}
}

// pairReceiver verifies v1a as the specification says; neither module can.
func pairReceiver(t *testing.T, public string) receiver {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	if err != nil {
		t.Fatal(err)
	}
	return func(body []byte, h http.Header) error {
		signed := h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "." + string(body)
		for one := range strings.FieldsSeq(h.Get("webhook-signature")) {
			text, ok := strings.CutPrefix(one, "v1a,")
			signature, err := base64.StdEncoding.Strict().DecodeString(text)
			if ok && err == nil && ed25519.Verify(key, []byte(signed), signature) {
				return nil
			}
		}
		return http.ErrNoCookie // any will do
	}
}

// flip changes one bit.
func flip(draw *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	b[draw.IntN(len(b))] ^= 1 << draw.IntN(8)
	return b
}

// flipHeader changes one bit of what a signature covers beside the body, or one of each signature.
func flipHeader(draw *rand.Rand, h http.Header) http.Header {
	h = h.Clone()
	if name := []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"}[draw.IntN(3)]; name != "Webhook-Signature" {
		h.Set(name, string(flip(draw, []byte(h.Get(name)))))
		return h
	}
	all := strings.Fields(h.Get("Webhook-Signature"))
	for i, one := range all {
		version, signature, _ := strings.Cut(one, ",")
		raw, err := base64.StdEncoding.DecodeString(signature)
		if err == nil {
			all[i] = version + "," + base64.StdEncoding.EncodeToString(flip(draw, raw))
		}
	}
	h.Set("Webhook-Signature", strings.Join(all, " "))
	return h
}
