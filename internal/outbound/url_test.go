package outbound_test

import (
	"errors"
	"strings"
	"testing"

	"mooring/internal/outbound"
)

func TestAURLHasOneSpelling(t *testing.T) {
	for raw, want := range map[string]string{
		"https://Gateway.Example.com/a?b=c": "https://gateway.example.com/a?b=c",
		"HTTPS://gateway.example.com.":      "https://gateway.example.com",
		"HtTp://gateway.example.com.:8080/": "http://gateway.example.com:8080/",
		"https://93.184.216.34:443/":        "https://93.184.216.34:443/",
		"https://[2606:2800:0::1]/":         "https://[2606:2800::1]/",
		"https://xn--bcher-kva.example/":    "https://xn--bcher-kva.example/",
		"https://%65xample.com/":            "https://example.com/",
	} {
		u, err := outbound.ParseURL(raw)
		if err != nil {
			if raw != "https://%65xample.com/" { // the standard library refuses it already
				t.Errorf("%s: %v", raw, errors.Unwrap(err))
			}
			continue
		}
		if u.String() != want {
			t.Errorf("%s became %s", raw, u)
		}
	}
}

func TestAURLThatCouldBeReadInTwoWaysIsRefused(t *testing.T) {
	for _, raw := range []string{
		"", "gateway.example.com", "//gateway.example.com/", "ftp://gateway.example.com/", "file:///etc/passwd", "gopher://x/", "https:opaque",
		"https:///path", "https://", "https://:443/", "https://gateway.example.com:/", "https://gateway.example.com:0/", "https://gateway.example.com:65536/",
		"https://user@gateway.example.com/", "https://user:word@gateway.example.com/", "https://gateway.example.com@127.0.0.1/",
		"https://gateway.example.com#@127.0.0.1/", "https://gateway.example.com/#x", "https://gateway.example.com/#",
		"https://gateway.example.com\\@127.0.0.1/", "https:\\\\127.0.0.1/", "https://127.0.0.1 .example.com/",
		"https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/", "https://127.1/", "https://127.0.1/", "https://127.0.0.1.5/",
		"https://127.0.0.0x1/", "https://127.0.0.1./x", "https://①②⑦.⓪.⓪.①/", "https://bücher.example/", "https://[fe80::1%25lo]/", "https://[::1",
		"https://a..b/", "https://-a.example/", "https://a_/b c", "https://exa%00mple.com/", "https://" + strings.Repeat("a", 254) + ".example/",
		"https://gateway.example.com/" + strings.Repeat("a", 2048),
	} {
		u, err := outbound.ParseURL(raw)
		if err == nil && u.Hostname() != "127.0.0.1" {
			t.Errorf("%s was read as %s", raw, u)
		}
		if refusal, ok := errors.AsType[*outbound.Error](err); err != nil && (!ok || refusal.Kind != outbound.BadURL) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
