package hook

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mooring/internal/secret"
)

// The types of a secret that a subscriber gives.
const (
	SecretHMAC          = "HMAC-SHA1"     // signs the body: event-signature
	SecretAuthorization = "Authorization" // is sent as that header
)

// How keys of Standard Webhooks start.
const (
	standardPrefix = "whsec_" // a shared secret
	privatePrefix  = "whsk_"  // the private half of a pair
	publicPrefix   = "whpk_"  // the public half
)

const standardBytes = 32

// Secrets is what the messages of a subscription are signed or opened with. A
// zero Plain is one that it has not.
type Secrets struct {
	Contract      secret.Plain   // of SecretHMAC
	Authorization secret.Plain   // of SecretAuthorization
	Standard      []secret.Plain // newest first: "whsec_..."
	Asymmetric    []secret.Plain // newest first, private: "whsk_..."
	URL           secret.Plain   // where to, for people whose address is itself a secret

	Ends time.Time // when the first of them ends; zero when none does by itself
	Then *Secrets  // what there is from then on

	signers *signers // what Ready made of them
}

// At is what there is of them at a time.
func (k Secrets) At(at time.Time) Secrets {
	for k.Then != nil && !at.Before(k.Ends) {
		k = *k.Then
	}
	return k
}

// NewStandard draws a shared secret of 256 bits.
func NewStandard() secret.Plain {
	random := make([]byte, standardBytes)
	_, _ = rand.Read(random) // never fails; it would end the program
	return secret.NewPlain(standardPrefix + base64.StdEncoding.EncodeToString(random))
}

// NewPair draws a key pair (Ed25519): what signs, and the text that may be shown
// to everybody.
func NewPair() (private secret.Plain, public string) {
	_, key, _ := ed25519.GenerateKey(nil) // never fails; it would end the program
	private = secret.NewPlain(privatePrefix + base64.StdEncoding.EncodeToString(key))
	return private, PublicOf(private)
}

// PublicOf is the public half of a pair, "whpk_..."; "" when private is none.
func PublicOf(private secret.Plain) string {
	key := privateKey(private)
	if key == nil {
		return ""
	}
	return publicPrefix + base64.StdEncoding.EncodeToString(key[ed25519.SeedSize:])
}

// Headers are those of one attempt at a time, with a body that Message made.
func Headers(s Subscription, k Secrets, e Entry, body []byte, at time.Time) http.Header {
	const most = 9
	h, values := make(http.Header, most), make([]string, 0, most)
	set := func(name, value string) {
		values = append(values, value) // one array for all of them
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	set("Content-Type", contentType(s))
	set("User-Agent", agentOf(s))
	if s.asUpdate(e) {
		e.Type = AccountUpdate
	}
	set("Event", e.Type)
	set("Event-Delivery", DeliveryID(s.ID, e.ID))
	set("Webhook-Id", e.ID)
	set("Webhook-Timestamp", stamp)
	sign := k.signers
	if sign == nil {
		sign = k.read()
	}
	if signatures := sign.standardSignatures(e.ID, stamp, body); signatures != "" {
		set("Webhook-Signature", signatures)
	}
	if sign.contract != nil {
		set("Event-Signature", hex.EncodeToString(sign.contract.sum(body)))
	}
	if value := k.Authorization.Reveal(); value != "" {
		set("Authorization", value)
	}
	return h
}

func contentType(s Subscription) string {
	if s.Settings.ContentType == "" {
		return "application/json"
	}
	return s.Settings.ContentType
}

// agentOf is documented as a name and hex digits; ours are the last ones of the
// subscription's id.
func agentOf(s Subscription) string {
	const digits = 12
	return "Mooring-Hook/" + s.ID[max(0, len(s.ID)-digits):]
}

func privateKey(private secret.Plain) ed25519.PrivateKey {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(private.Reveal(), privatePrefix))
	if err != nil || len(key) != ed25519.PrivateKeySize {
		return nil
	}
	return key
}
