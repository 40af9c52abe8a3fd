package hook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // documented: event-signature is HMAC-SHA1
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strings"
	"sync"
)

// signers are secrets as they sign.
type signers struct {
	contract   *mac // nil when there is none
	standard   []*mac
	asymmetric []ed25519.PrivateKey
}

// Ready is the same secrets, read once for many messages: reading them costs
// more than signing.
func (k Secrets) Ready() Secrets {
	k.signers = k.read()
	if k.Then != nil {
		then := k.Then.Ready()
		k.Then = &then
	}
	return k
}

func (k Secrets) read() *signers {
	s := &signers{}
	if key := k.Contract.Reveal(); key != "" {
		s.contract = newMAC(sha1.New, []byte(key))
	}
	for _, shared := range k.Standard {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(shared.Reveal(), standardPrefix))
		if err == nil && len(key) > 0 {
			s.standard = append(s.standard, newMAC(sha256.New, key))
		}
	}
	for _, private := range k.Asymmetric {
		if key := privateKey(private); key != nil {
			s.asymmetric = append(s.asymmetric, key)
		}
	}
	return s
}

// standardSignatures signs as https://www.standardwebhooks.com says, once with
// each secret and with each pair.
func (s *signers) standardSignatures(id, stamp string, body []byte) string {
	if len(s.standard)+len(s.asymmetric) == 0 {
		return ""
	}
	const most = 96 // bytes of a signature as text
	head := append(append(append(append(make([]byte, 0, 128), id...), '.'), stamp...), '.')
	all := make([]byte, 0, most*(len(s.standard)+len(s.asymmetric)))
	add := func(version string, signature []byte) {
		if len(all) > 0 {
			all = append(all, ' ')
		}
		all = base64.StdEncoding.AppendEncode(append(all, version...), signature)
	}
	for _, key := range s.standard {
		add("v1,", key.sum(head, body))
	}
	if len(s.asymmetric) > 0 {
		signed := append(head, body...)
		for _, key := range s.asymmetric {
			add("v1a,", ed25519.Sign(key, signed))
		}
	}
	return string(all)
}

// mac is a key of HMAC. Many may sign with it at once.
type mac struct{ ready sync.Pool }

func newMAC(digest func() hash.Hash, key []byte) *mac {
	return &mac{sync.Pool{New: func() any { return hmac.New(digest, key) }}}
}

func (m *mac) sum(parts ...[]byte) []byte {
	h := m.ready.Get().(hash.Hash)
	defer m.ready.Put(h)
	h.Reset()
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}
