package hook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // documented: event-signature is HMAC-SHA1
	"crypto/sha256"
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
	if signatures := standardSignatures(k, e.ID, stamp, body); signatures != "" {
		set("Webhook-Signature", signatures)
	}
	if key := k.Contract.Reveal(); key != "" {
		set("Event-Signature", contractSignature(key, body))
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

func contractSignature(key string, body []byte) string {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// standardSignatures signs as https://www.standardwebhooks.com says, once with
// each secret and with each pair.
func standardSignatures(k Secrets, id, stamp string, body []byte) string {
	signed := make([]byte, 0, len(id)+len(stamp)+len(body)+2)
	signed = append(append(signed, id...), '.')
	signed = append(append(signed, stamp...), '.')
	signed = append(signed, body...)
	var all []byte
	add := func(version string, signature []byte) {
		if len(all) > 0 {
			all = append(all, ' ')
		}
		all = base64.StdEncoding.AppendEncode(append(all, version...), signature)
	}
	for _, shared := range k.Standard {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(shared.Reveal(), standardPrefix))
		if err == nil && len(key) > 0 {
			mac := hmac.New(sha256.New, key)
			mac.Write(signed)
			add("v1,", mac.Sum(nil))
		}
	}
	for _, private := range k.Asymmetric {
		if key := privateKey(private); key != nil {
			add("v1a,", ed25519.Sign(key, signed))
		}
	}
	return string(all)
}

func privateKey(private secret.Plain) ed25519.PrivateKey {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(private.Reveal(), privatePrefix))
	if err != nil || len(key) != ed25519.PrivateKeySize {
		return nil
	}
	return key
}
