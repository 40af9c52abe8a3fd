package outbound

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const maxURL = 2048

// hostPattern is a name in ASCII.
var hostPattern = regexp.MustCompile(`^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\z`)

// ParseURL reads a URL that a client may be given, and returns the one spelling
// of it: lower-case scheme and host, no dot at the end. It takes http and https
// with a name or an ordinary address, and neither user info nor fragment. An
// address in decimal, octal, hexadecimal or short form, or with a zone, is not
// ordinary.
func ParseURL(raw string) (*url.URL, error) {
	if len(raw) > maxURL || strings.ContainsAny(raw, "\\ ") {
		return nil, badURL("it is too long, or has a space or a backslash in it")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, badURL("it can't be read")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, badURL("it must begin with https:// or http://")
	case u.User != nil:
		return nil, badURL("it must not have a user name or a password in it")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, badURL("it must not have a fragment")
	case u.Opaque != "" || u.Host == "":
		return nil, badURL("it names no host")
	}
	host, err := canonicalHost(u.Hostname())
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return nil, badURL("its port is not one")
	}
	if strings.HasSuffix(u.Host, ":") {
		return nil, badURL("its port is missing")
	}
	u.Host = joinHost(host, port)
	return u, nil
}

// canonicalHost is a name in lower case or an address in its shortest form.
func canonicalHost(host string) (string, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		if address.Zone() != "" {
			return "", badURL("its address has a zone")
		}
		return address.String(), nil
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if len(host) > 253 || !hostPattern.MatchString(host) {
		return "", badURL("its host must be a name in ASCII or an IP address")
	}
	if looksLikeNumber(host[strings.LastIndexByte(host, '.')+1:]) {
		return "", badURL("its host is a number that is no IP address")
	}
	return host, nil
}

// looksLikeNumber says whether a resolver may take a host that ends in this
// label for an address.
func looksLikeNumber(label string) bool {
	digits, base := label, 10
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		digits, base = hex, 16
	}
	if digits == "" {
		return true
	}
	for _, c := range digits {
		if _, err := strconv.ParseUint(string(c), base, 8); err != nil {
			return false
		}
	}
	return true
}

func joinHost(host, port string) string {
	switch {
	case port != "":
		return net.JoinHostPort(host, port)
	case strings.Contains(host, ":"):
		return "[" + host + "]"
	}
	return host
}

func badURL(why string) *Error { return &Error{BadURL, errors.New(why)} }
