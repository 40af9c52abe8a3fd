package vault

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"mooring/internal/fault"
	"mooring/internal/provider"
	"mooring/internal/store"
)

// What is read of a certificate, which somebody else made and may be hostile.
const (
	maxCertificate  = 256 << 10 // bytes
	maxCertificates = 32        // in one PEM text
	maxNesting      = 32        // of a PKCS #12 file
	maxIterations   = 2_000_000 // of the derivation of a key from a passphrase
	maxDecoding     = 2         // PKCS #12 files that are opened at once
	decodingLimit   = 5 * time.Second
)

var (
	errUnreadable = errors.New("neither a PEM certificate nor a PKCS #12 file that its passphrase opens")
	errDemanding  = errors.New("opening the file would take too much work")
	errBusy       = errors.New("others' files are being opened")

	decoding = make(chan struct{}, maxDecoding)
)

// readCertificates notes on the fields that hold a certificate when it ends.
// One that can't be read is refused with the name of its member. Unavailable
// means that others kept it from being read.
func readCertificates(fields []store.SealedField, parts []provider.Part, certificates []provider.Certificate) error {
	var problems []fault.Problem
	for _, c := range certificates {
		i := slices.IndexFunc(parts, func(p provider.Part) bool { return p.Pointer == memberPointer(c.Member) })
		if i < 0 {
			continue
		}
		end, err := notAfter(textOf(parts, c.Member), textOf(parts, c.Passphrase))
		if errors.Is(err, errBusy) {
			return fault.New(fault.Unavailable, fault.CodeUnavailable, "too many certificates are being read; try again").Because(err)
		}
		if err != nil {
			problems = append(problems, fault.Problem{
				In: "body", Name: c.Member, Path: "#" + memberPointer(c.Member), Code: "INVALID_FORMAT",
				Message: c.Member + " holds no certificate that can be read: " + err.Error(),
			})
			continue
		}
		fields[i].NotAfter = end
		if belongTogether(textOf(parts, c.Member), textOf(parts, c.Key)) {
			continue
		}
		problems = append(problems, fault.Problem{
			In: "body", Name: c.Key, Path: "#" + memberPointer(c.Key), Code: "KEY_MISMATCH",
			Message: c.Key + " is not the private key of the certificate in " + c.Member,
		})
	}
	if len(problems) > 0 {
		return fault.Refused(problems...)
	}
	return nil
}

// belongTogether says whether a private key is that of a certificate. Where
// either is not there, or is no PEM that can be read without a passphrase, it
// can't be known, and is taken for granted.
func belongTogether(certificate, key string) bool {
	of, private := leafOf(pemCertificates(pemText(certificate))), pemKey(pemText(key))
	if of == nil || private == nil {
		return true
	}
	public, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool })
	return !ok || public.Equal(of.PublicKey)
}

// pemText is a PEM text, as it is or in base64; nil when there is none.
func pemText(text string) []byte {
	if data := []byte(text); bytes.Contains(data, pemBegin) {
		return data
	}
	if data, err := fromBase64(text); err == nil && bytes.Contains(data, pemBegin) {
		return data
	}
	return nil
}

var pemBegin = []byte("-----BEGIN ")

// pemKey is the first private key of a PEM text; nil when none can be read.
func pemKey(data []byte) crypto.Signer {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default:
			continue
		}
		if signer, ok := key.(crypto.Signer); err == nil && ok {
			return signer
		}
		return nil
	}
	return nil
}

func memberPointer(member string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(member)
}

// textOf is the text of a member; "" when it is not there or no text.
func textOf(parts []provider.Part, member string) string {
	for _, p := range parts {
		if member != "" && p.Pointer == memberPointer(member) {
			var text string
			_ = json.Unmarshal([]byte(p.Value.Reveal()), &text)
			return text
		}
	}
	return ""
}

// notAfter is when a certificate ends: PEM, as it is or in base64, or PKCS #12
// in base64.
func notAfter(text, passphrase string) (time.Time, error) {
	if len(text) > maxCertificate {
		return time.Time{}, errDemanding
	}
	if data := pemText(text); data != nil {
		return leafEnd(pemCertificates(data))
	}
	data, err := fromBase64(text)
	if err != nil {
		return time.Time{}, errUnreadable
	}
	return pkcs12End(data, passphrase)
}

// fromBase64 reads either alphabet, in lines or not, padded or not.
func fromBase64(text string) ([]byte, error) {
	text = strings.NewReplacer("\r", "", "\n", "", " ", "", "\t", "", "-", "+", "_", "/", "=", "").Replace(text)
	return base64.RawStdEncoding.DecodeString(text)
}

// pemCertificates are the certificates of a PEM text; none when one of them
// can't be read, or they are too many.
func pemCertificates(data []byte) []*x509.Certificate {
	var found []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil || len(found) == maxCertificates {
			return nil
		}
		found = append(found, certificate)
	}
	return found
}

// pkcs12End opens a PKCS #12 file where it can't hold anybody up for long: the
// file itself says how much work that is.
func pkcs12End(data []byte, passphrase string) (time.Time, error) {
	if err := affordable(data, maxNesting); err != nil {
		return time.Time{}, err
	}
	type result struct {
		found []*x509.Certificate
		err   error
	}
	limit := time.NewTimer(decodingLimit)
	defer limit.Stop()
	select {
	case decoding <- struct{}{}:
	case <-limit.C:
		return time.Time{}, errBusy
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-decoding }()
		r := result{err: errUnreadable}
		defer func() {
			_ = recover() // a reader of hostile bytes must not end the process
			done <- r
		}()
		_, leaf, chain, err := pkcs12.DecodeChain(data, passphrase)
		if err == nil {
			r = result{found: append([]*x509.Certificate{leaf}, chain...)}
		}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return time.Time{}, r.err
		}
		return leafEnd(r.found)
	case <-limit.C:
		return time.Time{}, errDemanding
	}
}

// leafEnd is when the merchant's own certificate ends.
func leafEnd(found []*x509.Certificate) (time.Time, error) {
	leaf := leafOf(found)
	if leaf == nil {
		return time.Time{}, errUnreadable
	}
	return leaf.NotAfter.UTC(), nil
}

// leafOf is the merchant's own certificate, which in a chain is the one that is
// no authority's; nil when there is none.
func leafOf(found []*x509.Certificate) *x509.Certificate {
	if len(found) == 0 {
		return nil
	}
	if i := slices.IndexFunc(found, func(c *x509.Certificate) bool { return !c.IsCA }); i >= 0 {
		return found[i]
	}
	return found[0]
}

// affordable refuses DER in which a number after a salt, which is a count of
// iterations or the length of a key, is too large.
func affordable(data []byte, depth int) error {
	afterSalt := false
	for len(data) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(data, &v)
		if err != nil || depth == 0 {
			return errUnreadable
		}
		data = rest
		switch {
		case v.Class == asn1.ClassUniversal && v.Tag == asn1.TagInteger:
			var n int64
			if _, err := asn1.Unmarshal(v.FullBytes, &n); afterSalt && (err != nil || n < 1 || n > maxIterations) {
				return errDemanding
			}
			continue
		case v.IsCompound:
			err = affordable(v.Bytes, depth-1)
		case v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString && looksNested(v.Bytes):
			err = affordable(v.Bytes, depth-1)
		}
		if errors.Is(err, errDemanding) || v.IsCompound && err != nil {
			return err
		}
		afterSalt = v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString
	}
	return nil
}

// looksNested says whether the bytes of an octet string are DER themselves.
func looksNested(b []byte) bool { return len(b) > 1 && b[0] == 0x30 }
