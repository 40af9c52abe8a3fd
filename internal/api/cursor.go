package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/url"

	"mooring/internal/fault"
	"mooring/internal/gate"
)

// Paging tokens say where a list goes on. They are a position in clear and a
// MAC over it and over what it belongs to: the caller's account, the operation,
// its path and its filters. One that was made up, or made for another caller or
// for other filters, is refused.

// pagingMAC is how many bytes of the MAC a paging token carries.
const pagingMAC = 16

// pagingToken names a position in the list that a call asks for. Positions
// are told to the client: they must hold nothing that the items do not show.
func (o operations) pagingToken(call *gate.Call, position string) string {
	return o.pagingTokens(call)(position)
}

// pagingTokens is pagingToken for the items of one page.
func (o operations) pagingTokens(call *gate.Call) func(position string) string {
	mac := o.pagingMAC(call)
	return func(position string) string { return tokenAt(position, mac(position)) }
}

func tokenAt(position string, mac []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(mac, position...))
}

// startingAfter is the position after which the call wants a list to go on; ""
// for its beginning.
func (o operations) startingAfter(call *gate.Call) (string, error) {
	token, given := call.Query("starting_after")
	if !given {
		return "", nil
	}
	position, ok := positionIn(token, o.pagingMAC(call))
	if !ok {
		return "", badCursor()
	}
	return position, nil
}

// positionIn is the position that a token carries, when its MAC is that of
// the position. Decoding skips line breaks, hence the comparison of lengths.
func positionIn(token string, mac func(position string) []byte) (string, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < pagingMAC || base64.RawURLEncoding.EncodedLen(len(raw)) != len(token) {
		return "", false
	}
	position := string(raw[pagingMAC:])
	return position, subtle.ConstantTimeCompare(raw[:pagingMAC], mac(position)) == 1
}

func badCursor() error {
	return fault.Refused(fault.Problem{
		In: "query", Name: "starting_after", Path: "#/starting_after", Code: "INVALID_CURSOR",
		Message: "starting_after must be the paging_token of an item of this very list, with the same filters",
	})
}

// pagingMAC makes the MACs of positions in the list that a call asks for.
func (o operations) pagingMAC(call *gate.Call) func(position string) []byte {
	filters := url.Values{}
	for name, values := range call.Queries() {
		if name != "limit" && name != "starting_after" {
			filters[name] = values
		}
	}
	var list []byte
	for _, part := range []string{
		"paging", string(call.Caller.Account), call.Caller.Provider, call.Operation.ID, call.CanonicalPath(), filters.Encode(),
	} {
		list = fmt.Appendf(list, "%d:%s", len(part), part)
	}
	mac := hmac.New(sha256.New, o.Access.FingerprintKey())
	return func(position string) []byte {
		mac.Reset()
		mac.Write(list)
		fmt.Fprintf(mac, "%d:%s", len(position), position)
		return mac.Sum(nil)[:pagingMAC]
	}
}
