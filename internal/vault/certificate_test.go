package vault_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"mooring/internal/fault"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/vault"
)

// pair makes a certificate that ends at a time, and its key.
func pair(t *testing.T, ends time.Time) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "1231181189"}, NotBefore: ends.AddDate(-1, 0, 0), NotAfter: ends,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

func pkcs12File(t *testing.T, how *pkcs12.Encoder, ends time.Time, passphrase string) []byte {
	t.Helper()
	certificate, key := pair(t, ends)
	data, err := how.Encode(key, certificate, nil, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestACertificateSaysWhenItEnds(t *testing.T) {
	ends := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	certificate, _ := pair(t, ends)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
	other := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("k")}))
	encode := base64.StdEncoding.EncodeToString
	for name, one := range map[string][2]string{
		"PEM":                     {text, ""},
		"PEM behind its key":      {other + text, ""},
		"PEM in base64":           {encode([]byte(text)), ""},
		"PKCS 12":                 {encode(pkcs12File(t, pkcs12.Modern2023, ends, "swish")), "swish"},
		"PKCS 12 of old":          {encode(pkcs12File(t, pkcs12.LegacyRC2, ends, "swish")), "swish"},
		"PKCS 12 in lines":        {strings.Join(strings.SplitAfterN(encode(pkcs12File(t, pkcs12.LegacyDES, ends, "")), "M", 9), "\r\n"), ""},
		"PKCS 12 for web":         {base64.RawURLEncoding.EncodeToString(pkcs12File(t, pkcs12.Modern2023, ends, "swish")), "swish"},
		"PKCS 12 without secrets": {encode(pkcs12File(t, pkcs12.Passwordless, ends, "")), ""},
	} {
		if got, err := vault.NotAfter(one[0], one[1]); err != nil || !got.Equal(ends) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestWhatIsNoCertificateIsRefused(t *testing.T) {
	good := pkcs12File(t, pkcs12.Modern2023, time.Now().AddDate(1, 0, 0), "swish")
	encode := base64.StdEncoding.EncodeToString
	deep := bytes.Repeat([]byte{0x30, 0x80}, 40_000)
	for name, one := range map[string][2]string{
		"nothing":           {"", ""},
		"no base64":         {"cert!", ""},
		"text":              {encode([]byte("a certificate")), ""},
		"PEM of something":  {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), ""},
		"PEM of none":       {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", ""},
		"wrong passphrase":  {encode(good), "switsh"},
		"no passphrase":     {encode(good), ""},
		"half":              {encode(good[:len(good)/2]), "swish"},
		"more behind it":    {encode(append(bytes.Clone(good), 0)), "swish"},
		"too large":         {strings.Repeat("A", 300<<10), ""},
		"too deep":          {encode(deep), ""},
		"many certificates": {strings.Repeat(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), 100), ""},
	} {
		if got, err := vault.NotAfter(one[0], one[1]); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A file that asks for endless work is refused before any is done, wherever it
// asks for that.
func TestACertificateThatAsksForEndlessWorkIsRefused(t *testing.T) {
	type parameters struct {
		Salt       []byte
		Iterations int64
	}
	marshal := func(v any) []byte {
		der, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for _, count := range []int64{0, -1, 1 << 31, 1 << 62} {
		asked := parameters{[]byte("salt"), count}
		wrapped := struct{ Data []byte }{marshal(asked)}
		for name, der := range map[string][]byte{"outside": marshal(asked), "inside": marshal(wrapped), "deep inside": marshal(struct{ Data []byte }{marshal(wrapped)})} {
			if err := vault.Affordable(der); err == nil {
				t.Errorf("%d iterations %s were taken", count, name)
			}
		}
	}
	if err := vault.Affordable(marshal(parameters{[]byte("salt"), 600_000})); err != nil {
		t.Error(err)
	}
}

func TestNoBytesMakeTheReaderPanicOrLinger(t *testing.T) {
	good := pkcs12File(t, pkcs12.Modern2023, time.Now(), "swish")
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for range 2_000 {
		hostile := bytes.Clone(good)
		for range 1 + random.IntN(4) {
			hostile[random.IntN(len(hostile))] = byte(random.IntN(256))
		}
		begun := time.Now()
		_, _ = vault.NotAfter(base64.StdEncoding.EncodeToString(hostile), "swish")
		if took := time.Since(begun); took > 4*time.Second {
			t.Fatalf("%s for %x", took, hostile)
		}
	}
}

func TestAnUnreadableCertificateIsRefusedByTheNameOfItsMember(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w world) {
		at := store.Place{Account: accounts[0], Provider: "swish"}
		certificates := []provider.Certificate{{Member: "cert", Passphrase: "passphrase"}}
		ends := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
		file := base64.StdEncoding.EncodeToString(pkcs12File(t, pkcs12.Modern2023, ends, "swish"))
		sealed, err := w.vault.Configuration(t.Context(), at, parts(false, map[string]string{
			"/cert": asText(file), "/passphrase": asText("swish"), "/other": "1",
		}), certificates)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range sealed.Fields {
			if want := f.Pointer == "/cert"; f.NotAfter.Equal(ends) != want {
				t.Errorf("%s ends %v", f.Pointer, f.NotAfter)
			}
		}
		_, err = w.vault.Configuration(t.Context(), at, parts(false, map[string]string{"/cert": asText(file)}), certificates)
		f := fault.From(err)
		if f.Kind != fault.Invalid || len(f.Problems) != 1 || f.Problems[0].Path != "#/cert" || strings.Contains(f.Error(), file) {
			t.Errorf("%+v", f)
		}
	})
}

func asText(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// Who did nothing wrong is told to come again, and not that its file is bad.
func TestACertificateThatWaitedForOthersIsNotRefused(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w world) {
		at := store.Place{Account: accounts[0], Provider: "swish"}
		file := base64.StdEncoding.EncodeToString(pkcs12File(t, pkcs12.Modern2023, time.Now().AddDate(1, 0, 0), "swish"))
		seal := func() error {
			_, err := w.vault.Configuration(t.Context(), at, parts(false, map[string]string{
				"/cert": asText(file), "/passphrase": asText("swish"),
			}), []provider.Certificate{{Member: "cert", Passphrase: "passphrase"}})
			return err
		}
		release := vault.Occupy()
		err := seal()
		release()
		if fault.From(err).Kind != fault.Unavailable {
			t.Errorf("%v", err)
		}
		if err := seal(); err != nil {
			t.Error(err)
		}
	})
}

func TestACertificateAndItsKeyMustBelongTogether(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w world) {
		at := store.Place{Account: accounts[0], Provider: "swish"}
		certificate, key := pair(t, time.Now().AddDate(1, 0, 0))
		_, other := pair(t, time.Now().AddDate(1, 0, 0))
		own := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
		pkcs8 := func(key *ecdsa.PrivateKey) string {
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		}
		sec1, err := x509.MarshalECPrivateKey(other)
		if err != nil {
			t.Fatal(err)
		}
		encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
		for name, one := range map[string]struct {
			cert, key string
			refused   bool
		}{
			"its own":             {own, pkcs8(key), false},
			"its own, in base64":  {encode(own), encode(pkcs8(key)), false},
			"another":             {own, pkcs8(other), true},
			"another, in base64":  {encode(own), encode(pkcs8(other)), true},
			"another, of old":     {own, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})), true},
			"one that is sealed":  {own, string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})), false},
			"one that is no PEM":  {own, "a key", false},
			"PKCS 12 and another": {encode(string(pkcs12File(t, pkcs12.Passwordless, time.Now().AddDate(1, 0, 0), ""))), pkcs8(other), false},
		} {
			_, err := w.vault.Configuration(t.Context(), at, parts(false, map[string]string{"/cert": asText(one.cert), "/key": asText(one.key)}),
				[]provider.Certificate{{Member: "cert", Key: "key"}})
			if !one.refused {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			f := fault.From(err)
			if f.Kind != fault.Invalid || len(f.Problems) != 1 || f.Problems[0].Path != "#/key" {
				t.Errorf("%s: %+v", name, f)
			}
		}
	})
}
