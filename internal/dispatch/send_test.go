package dispatch

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"mooring/internal/hook"
	"mooring/internal/outbound"
	"mooring/internal/secret"
)

// echo answers what it was sent, as the pages that people try hooks with do.
type echo struct{}

func (echo) Post(_ context.Context, m outbound.Message) (outbound.Answer, error) {
	return outbound.Answer{
		Status: http.StatusOK, Header: http.Header{"X-Seen": {m.Header.Get("Authorization")}},
		Body: []byte("Authorization: " + m.Header.Get("Authorization") + "\nWebhook-Signature: " + m.Header.Get("Webhook-Signature") + "\n"),
	}, nil
}

func TestAReceiverThatEchoesShowsNoSecret(t *testing.T) {
	l := Letter{
		Subscription: hook.Subscription{Account: "T11223351", ID: newID(), Kind: hook.KindHook, Target: "https://example.com/hook"},
		Secrets: hook.Secrets{
			Authorization: secret.NewPlain("Bearer TOPSECRETAUTH"), Standard: []secret.Plain{secret.NewPlain("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")},
		},
		Entries: []hook.Entry{{ID: newID(), Account: "T11223351", Type: hook.AccountUpdate, Body: []byte(`{"account":{}}`)}},
		At:      now(),
	}
	result, answer := NewHooks(echo{}).Send(t.Context(), l)
	if !result.OK() || strings.Contains(string(answer), "TOPSECRETAUTH") || !strings.Contains(string(answer), "Authorization: ***") ||
		!strings.Contains(string(answer), "Webhook-Signature: ***") {
		t.Errorf("%+v keeps %s", result, answer)
	}
}
