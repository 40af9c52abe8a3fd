package notice

import (
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"mooring/internal/account"
	"mooring/internal/hook"
)

// Digest is a keyed digest of something of a kind.
type Digest func(kind string, data []byte) []byte

// Lengths in the token of a link: an account, a UUID without its dashes, and
// half of a digest.
const (
	accountLen = 9
	idLen      = 32
	proofLen   = 32
	tokenLen   = accountLen + idLen + proofLen
)

// Token is the secret part of the reader's link of a rule: it names the rule,
// and proves that a letter to its very address brought it.
func Token(digest Digest, s hook.Subscription) string {
	return string(s.Account) + strings.ReplaceAll(s.ID, "-", "") + proof(digest, s)
}

// RuleOf reads which rule a token names; whether it does so rightly is for
// Proves to say.
func RuleOf(token string) (id account.ID, rule string, ok bool) {
	if len(token) != tokenLen {
		return "", "", false
	}
	id, err := account.ParseID(token[:accountLen])
	hexed := token[accountLen : accountLen+idLen]
	if _, bad := hex.DecodeString(hexed); err != nil || bad != nil {
		return "", "", false
	}
	return id, hexed[:8] + "-" + hexed[8:12] + "-" + hexed[12:16] + "-" + hexed[16:20] + "-" + hexed[20:], true
}

// Proves says whether a token is the one of a rule.
func Proves(digest Digest, token string, s hook.Subscription) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(Token(digest, s))) == 1
}

func proof(digest Digest, s hook.Subscription) string {
	return hex.EncodeToString(digest("notice", []byte(string(s.Account)+"/"+s.ID+"/"+s.Target)))[:proofLen]
}

// Masked is as much of the URL of an incoming webhook as may be shown: whoever
// has all of it may write there.
func Masked(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, path, _ := strings.Cut(rest, "/")
	const shown = 4
	if len(path) < 4*shown {
		return scheme + "://" + host + "/..."
	}
	return scheme + "://" + host + "/..." + path[len(path)-shown:]
}
