package gate

import (
	"net/http"
	"slices"
	"strings"

	"mooring/internal/fault"
)

// oauthCodes are the fault codes that stand for the error names of RFC 6749
// section 5.2 and RFC 8707. In an OAuth answer they appear in lower case; in
// the documented shape, which has no such codes, as the usual code of the
// fault's kind.
var oauthCodes = []string{
	"INVALID_REQUEST", "INVALID_CLIENT", "INVALID_GRANT", "UNAUTHORIZED_CLIENT",
	"UNSUPPORTED_GRANT_TYPE", "INVALID_SCOPE", "INVALID_TARGET",
}

// oauthAnswer is the error body of RFC 6749 section 5.2.
type oauthAnswer struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// speaksOAuth says whether errors of this request have the form that OAuth
// libraries read: those to form-encoded requests of operations that say so.
func (x *exchange) speaksOAuth() bool {
	if x.plan == nil || !x.plan.operation.OAuthErrors {
		return false
	}
	mediaType, _, _ := strings.Cut(x.r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(mediaType), typeForm)
}

// oauthReply answers a fault by RFC 6749: everything that the client did
// wrong is 400, but for a failed login.
func oauthReply(f *fault.Fault) Reply {
	name, status := "invalid_request", http.StatusBadRequest
	switch f.Kind {
	case fault.Internal:
		name, status = "server_error", http.StatusInternalServerError
	case fault.Unauthenticated:
		name, status = "invalid_client", http.StatusUnauthorized
	case fault.Forbidden:
		name = "unauthorized_client"
	case fault.TooMany:
		name, status = "temporarily_unavailable", http.StatusTooManyRequests
	case fault.Unavailable:
		name, status = "temporarily_unavailable", http.StatusServiceUnavailable
	}
	if slices.Contains(oauthCodes, f.Code) {
		name = strings.ToLower(f.Code)
	}
	description := f.Message
	if f.Kind == fault.Unauthenticated {
		description = "the client id or its secret is wrong"
	}
	return encodeAnswer(status, oauthAnswer{name, description})
}
