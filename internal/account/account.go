// Package account owns accounts and the ids that name them.
//
// It promises that an ID exists only when its text was well-formed, and that
// an owner's two spellings become one. It must never decide ownership from
// digits: the owner of a merchant is what its record says.
package account

import (
	"regexp"
	"time"

	"mooring/internal/fault"
)

// World is production or test. The two never mix.
type World byte

// The two worlds, as the first letter of every id shows them.
const (
	Production World = 'P'
	Test       World = 'T'
)

// ID names one account: P or T and eight digits. The zero ID names none.
type ID string

var (
	idPattern    = regexp.MustCompile(`^[PT][0-9]{8}\z`)
	ownerPattern = regexp.MustCompile(`^[PT](?:[0-9]{3}|[0-9]{8})\z`)
)

// ParseID reads an account id, such as "T11223351".
func ParseID(s string) (ID, error) {
	if !idPattern.MatchString(s) {
		return "", fault.New(fault.Invalid, fault.CodeInvalidParameter, "an account id is P or T and eight digits")
	}
	return ID(s), nil
}

// ParseOwner reads an owner in either spelling, partner id ("T112") or
// account id ("T11200000"), and returns the account id.
func ParseOwner(s string) (ID, error) {
	if !ownerPattern.MatchString(s) {
		return "", fault.New(fault.Invalid, fault.CodeInvalidParameter, "an owner id is P or T and three or eight digits")
	}
	if len(s) == 4 {
		s += "00000"
	}
	return ID(s), nil
}

// Platform is the root account of a world.
func Platform(w World) ID { return ID(string(rune(w)) + "00000000") }

// World is the world that the id belongs to; 0 for the zero ID.
func (id ID) World() World {
	if id == "" {
		return 0
	}
	return World(id[0])
}

// IsPlatform says whether the id names the root account of its world.
func (id ID) IsPlatform() bool { return id != "" && id[1:] == "00000000" }

// PartnerID is the short spelling of a partner's account id: "T112".
func (id ID) PartnerID() string { return string(id[:4]) }

// Kind is what an account is, stored with it.
type Kind string

// The kinds of account.
const (
	KindPlatform Kind = "platform"
	KindPartner  Kind = "partner"
	KindMerchant Kind = "merchant"
)

// Account is a merchant, a partner or the platform of a world.
type Account struct {
	ID        ID
	Kind      Kind
	Owner     ID // who owns it: the partner of a merchant, the platform of a partner; zero for a platform
	Company   Company
	CreatedAt time.Time
	CreatedBy string

	// Ahead is how far the clock of a test account was moved ahead of real
	// time. It only grows; for a production account it is always 0.
	Ahead time.Duration

	// OwnedSince is the real time at which Owner got it from another, by a whole
	// millisecond; zero when it was made as Owner's. What is older is none of Owner's.
	OwnedSince time.Time

	UpdatedAt time.Time // of the profile; zero when it was never changed
	DeletedAt time.Time // when access to it ended; zero while it is there
	DeletedBy string
}

// Deleted says whether access to the account has ended. What stands for it
// stays for as long as the law wants it.
func (a Account) Deleted() bool { return !a.DeletedAt.IsZero() }

// Now is the account's own time at a real time.
func (a Account) Now(real time.Time) time.Time { return real.Add(a.Ahead) }

// Company is what is known of the business behind an account.
type Company struct {
	BusinessName       string `json:"business_name"`
	OrganizationNumber string `json:"organization_number,omitempty"`
}
