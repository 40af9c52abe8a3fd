package wire

import (
	"bytes"
	"crypto/sha1"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"mooring/internal/account"
)

// accountSpace is the name space of the UUIDs that the documented "id" of
// accounts is made in.
var accountSpace = uuid.MustParse("5b1ff2a1-6f2c-5d86-9a0b-7e1f0f6c2d43")

// Account encodes an account as its owner and the platform see it, or, when
// private is false, as it sees itself. The connections are its map, encoded,
// nil when they are not shown; the paging token is that of an item of a list, "" of what is none.
func Account(w account.Whole, connections []byte, pagingToken string, private bool) ([]byte, error) {
	profile := w.Profile
	if !private {
		profile = profile.Public()
	}
	said, err := profile.Encode()
	if err != nil {
		return nil, err
	}
	b := append([]byte(`{"id":"`), uuid.NewHash(sha1.New(), accountSpace, []byte(w.ID), 5).String()...)
	b = append(b, '"')
	b = appendMember(b, "account_id", string(w.ID))
	b = appendMember(b, "partner_id", partnerOf(w.Account).PartnerID())
	b = appendName(b, "active")
	b = strconv.AppendBool(b, !w.Deleted())
	b = appendName(b, "livemode")
	b = strconv.AppendBool(b, w.ID.World() == account.Production)
	b = appendTime(b, "created_at", w.CreatedAt)
	b = appendMember(b, "created_by", w.CreatedBy)
	if !w.UpdatedAt.IsZero() {
		b = appendTime(b, "updated_at", w.UpdatedAt)
	}
	if w.Deleted() {
		b = appendTime(b, "deleted_at", w.DeletedAt)
		b = appendMember(b, "deleted_by", w.DeletedBy)
	}
	if len(said) > len(`{}`) {
		b = append(b, ',')
		b = append(b, said[1:len(said)-1]...)
	}
	if connections != nil {
		b = appendName(b, "connections")
		b = append(b, connections...)
	}
	if pagingToken != "" {
		b = appendMember(b, "paging_token", pagingToken)
	}
	return append(b, '}'), nil
}

// partnerOf is whose partner id an account shows: its owner's, and its own when
// it is no merchant.
func partnerOf(a account.Account) account.ID {
	if a.Kind == account.KindMerchant {
		return a.Owner
	}
	return a.ID
}

// WithoutPrivate is what is told of an account as the account itself may see
// it.
func WithoutPrivate(told []byte) ([]byte, error) {
	return members(told, func(b []byte, name string, value jsontext.Value) ([]byte, error) {
		if name == "account" {
			public, err := members(value, func(b []byte, name string, value jsontext.Value) ([]byte, error) {
				if account.IsPrivate(name) {
					return b, nil
				}
				return appendAny(b, name, value)
			})
			if err != nil {
				return nil, err
			}
			value = public
		}
		return appendAny(b, name, value)
	})
}

// members makes a new object of one: what put appends for each of its members.
func members(object []byte, put func(b []byte, name string, value jsontext.Value) ([]byte, error)) ([]byte, error) {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	b := []byte{'{'}
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		if b, err = put(b, name, value); err != nil {
			return nil, err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

func appendAny(b []byte, name string, value jsontext.Value) ([]byte, error) {
	if len(b) > 1 {
		b = append(b, ',')
	}
	b, err := jsontext.AppendQuote(b, name)
	return append(append(b, ':'), value...), err
}
