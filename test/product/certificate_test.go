package product

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math"
	"strings"
	"testing"
)

// hostile makes certificates that cost who reads them, out of a good one in
// base64 of PKCS 12.
func hostile(t *testing.T, good string) map[string]string {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	block := func(der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return map[string]string{
		"not base64":                   "%%%",
		"base64 of noise":              encode(bytes.Repeat([]byte{0x30, 0x82, 0xff, 0xff}, 1000)),
		"cut off":                      encode(der[:len(der)/2]),
		"a length that is not there":   encode([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}),
		"sequences without an end":     encode(bytes.Repeat([]byte{0x30, 0x80}, 20000)),
		"two thousand million rounds":  encode(withRounds(t, der, math.MaxInt32)),
		"PEM of noise":                 encode([]byte(block(bytes.Repeat([]byte{0x30, 0x03, 0x02, 0x01}, 50)))),
		"PEM without an end":           "-----BEGIN CERTIFICATE-----\n" + strings.Repeat("A", 60000),
		"thousands of PEM blocks":      strings.Repeat(block([]byte{0x30, 0}), 900),
		"PEM with a header of its own": "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n" + encode(der) + "\n-----END CERTIFICATE-----\n",
		"zero bytes":                   strings.Repeat("A", 60000),
	}
}

// withRounds asks whoever checks the MAC of a PKCS 12 file for many rounds.
func withRounds(t *testing.T, der []byte, rounds int) []byte {
	t.Helper()
	var file struct {
		Version  int
		AuthSafe asn1.RawValue
		MAC      struct {
			Digest asn1.RawValue
			Salt   []byte
			Rounds int
		}
	}
	if rest, err := asn1.Unmarshal(der, &file); err != nil || len(rest) > 0 {
		t.Fatalf("the good certificate can't be read: %v", err)
	}
	file.MAC.Rounds = rounds
	changed, err := asn1.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}
