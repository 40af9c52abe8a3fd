package wire

import (
	"crypto/sha1"
	"strconv"

	"github.com/google/uuid"

	"mooring/internal/account"
)

// accountSpace is the name space of the UUIDs that the documented "id" of
// accounts is made in.
var accountSpace = uuid.MustParse("5b1ff2a1-6f2c-5d86-9a0b-7e1f0f6c2d43")

// Account encodes an account as its owner and the platform see it, or, when
// private is false, as it sees itself. The connections are its map, encoded;
// the paging token is that of an item of a list, "" of what is none.
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
	b = appendName(b, "connections")
	b = append(b, connections...)
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
