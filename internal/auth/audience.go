package auth

import (
	"strings"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// CodeInvalidTarget is the code for an audience that names no account of this
// service (RFC 8707, section 2).
const CodeInvalidTarget = "INVALID_TARGET"

// documentedBase is where the documented API lives. Published shop plug-ins
// send audiences with this host whatever service they are pointed at.
const documentedBase = "https://api.dintero.com"

const accountsPath = "/v1/accounts/"

// Audiences turns account ids into the audiences of tokens and back.
type Audiences struct {
	issuer string
	bases  []string // without user info: the issuer, then the documented host when it is allowed
}

// NewAudiences knows the service by its public URL: scheme, host, perhaps port
// and path, no slash at the end, checked by the caller. documentedHost also accepts audiences that
// name the documented host.
func NewAudiences(publicURL string, documentedHost bool) Audiences {
	a := Audiences{issuer: publicURL}
	a.bases = []string{a.issuer}
	if documentedHost {
		a.bases = append(a.bases, documentedBase)
	}
	return a
}

// Issuer is the "iss" of our tokens: the public URL.
func (a Audiences) Issuer() string { return a.issuer }

// Format is the "aud" of a token for an account. It carries the account as
// user info, as tokens of the documented API were seen to do:
// "https://T12345678@host/v1/accounts/T12345678".
func (a Audiences) Format(id account.ID) string {
	scheme, rest, _ := strings.Cut(a.issuer, "://")
	return scheme + "://" + string(id) + "@" + rest + accountsPath + string(id)
}

// Address is the audience of an account as the documentation writes it, without
// user info.
func (a Audiences) Address(id account.ID) string { return a.issuer + accountsPath + string(id) }

// Parse reads what a client asks a token for: a base, "/v1/accounts/" and the
// account, with or without the account as user info. An owner may be in either
// spelling. It compares text, never a decoded URL, so there is one way to write
// each spelling; anything else is refused as a problem of the body's audience.
func (a Audiences) Parse(audience string) (account.ID, error) {
	for _, base := range a.bases {
		if id, ok := parseUnder(base, audience); ok {
			return id, nil
		}
	}
	refusal := fault.Refused(fault.Problem{
		In: "body", Name: "audience", Path: "#/audience", Code: CodeInvalidTarget,
		Message: "audience must be " + a.issuer + accountsPath + "{account id}",
	})
	refusal.Code = CodeInvalidTarget
	return "", refusal
}

// parseUnder reads an audience whose base, apart from user info, must be
// exactly base.
func parseUnder(base, audience string) (account.ID, bool) {
	scheme, host, _ := strings.Cut(base, "://")
	rest, ok := strings.CutPrefix(audience, scheme+"://")
	if !ok {
		return "", false
	}
	user, rest, hasUser := cutUser(rest)
	text, ok := strings.CutPrefix(rest, host+accountsPath)
	if !ok {
		return "", false
	}
	id, err := account.ParseOwner(text)
	if err != nil {
		return "", false
	}
	if hasUser {
		named, err := account.ParseOwner(user)
		if err != nil || named != id {
			return "", false
		}
	}
	return id, true
}

func cutUser(rest string) (user, after string, found bool) {
	if user, after, found = strings.Cut(rest, "@"); found {
		return user, after, true
	}
	return "", rest, false
}
