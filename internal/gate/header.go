package gate

import (
	"net/http"
	"strings"
)

// requestID is the client's own request id when it is one that can be echoed
// without thought, else a new one.
func requestID(given []string, newID func() string) string {
	if len(given) == 1 && isRequestID(given[0]) {
		return given[0]
	}
	return newID()
}

func isRequestID(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._:+=/", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// idempotencyKey reads the Idempotency-Key header: 1 to 255 visible ASCII
// characters, bare or as a quoted string of RFC 8941, which mean the same.
func idempotencyKey(values []string) (key string, given, ok bool) {
	if len(values) == 0 {
		return "", false, true
	}
	key = values[0]
	if len(values) > 1 {
		return "", true, false
	}
	if strings.HasPrefix(key, `"`) {
		if key, ok = unquote(key); !ok {
			return "", true, false
		}
	}
	if len(key) < 1 || len(key) > 255 {
		return "", true, false
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return "", true, false
		}
	}
	return key, true, true
}

// unquote reads a quoted string, in which only the quote and the backslash
// may be escaped (RFC 8941 section 3.3.3).
func unquote(quoted string) (string, bool) {
	if len(quoted) < 2 || !strings.HasSuffix(quoted, `"`) {
		return "", false
	}
	inner := quoted[1 : len(quoted)-1]
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		c := inner[i]
		if c == '"' {
			return "", false
		}
		if c == '\\' {
			i++
			if i == len(inner) || inner[i] != '"' && inner[i] != '\\' {
				return "", false
			}
			c = inner[i]
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

// prefersStrict says whether the client asks for unknown members to be
// refused (RFC 7240 section 4.4). The first handling preference counts.
func prefersStrict(values []string) bool {
	for _, value := range values {
		for preference := range strings.SplitSeq(value, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, how, _ := strings.Cut(preference, "=")
			if strings.EqualFold(strings.TrimSpace(name), "handling") {
				return strings.EqualFold(strings.Trim(strings.TrimSpace(how), `"`), "strict")
			}
		}
	}
	return false
}

// isPreflight recognises the question that browsers ask before a request to
// another origin. It is answered alike for every path, so that a page can
// read the 404 that follows.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// preflightReply allows what pages need. Credentials are never allowed, so
// any origin may ask; "*" does not cover authorization, hence the list.
var preflightReply = Reply{
	Status: http.StatusNoContent,
	Header: map[string]string{
		"Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
		"Access-Control-Allow-Headers": "origin,content-type,accept,authorization,total-count,page-count," +
			"dintero-system-name,dintero-system-version,dintero-system-plugin-name,dintero-system-plugin-version," +
			"idempotency-key,prefer,mooring-reason,x-request-id,*",
		"Access-Control-Max-Age": "86400",
		"Vary":                   "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
	},
}

// exposed are the headers that pages of other origins may read.
const exposed = "X-Request-Id, Mooring-Effect, Mooring-Sync, Idempotent-Replayed, Retry-After, WWW-Authenticate, Preference-Applied"
