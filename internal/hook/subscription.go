package hook

import (
	"slices"
	"time"

	"mooring/internal/account"
)

// Subscription is who wants to be told of what, and where.
type Subscription struct {
	Account  account.ID
	ID       string
	Kind     Kind
	Target   string // URL or address
	Events   []string
	Active   bool
	Settings Settings

	CreatedAt   time.Time
	CreatedBy   string
	UpdatedAt   time.Time
	DeletedAt   time.Time
	DeletedBy   string
	DisabledAt  time.Time // when it was switched off, for DisabledWhy; zero while it is not
	DisabledWhy string
}

// Settings is what a subscription says of its messages. It is stored as JSON.
type Settings struct {
	ContentType   string   `json:",omitempty"`
	SecretType    string   `json:",omitempty"` // SecretHMAC or SecretAuthorization; "" without a secret of the subscriber's
	Fields        string   `json:",omitempty"` // mask of what a body has; "" for everything
	ExcludeFields []string `json:",omitempty"` // masks of what it has not
	InsecureSSL   bool     `json:",omitempty"`
	Asymmetric    bool     `json:",omitempty"` // signed with a key pair too

	// Through is the partner that subscribed for the account, as the owner that
	// it was then; zero when the account did so itself, or the platform. When
	// the account has another owner it is told nothing more.
	Through account.ID `json:",omitempty"`

	Notice *NoticeSettings `json:",omitempty"`
}

// Told says whether the subscription is one that messages are sent for.
func (s Subscription) Told() bool {
	return s.Active && s.DeletedAt.IsZero() && s.DisabledAt.IsZero()
}

// Wants says whether an entry is for the subscription: a type that it named, or
// a cause that its rule names, about an account that the subscriber is, or
// owned when it happened. A platform hears of its world, and nobody that it was
// made itself.
func (s Subscription) Wants(e Entry) bool {
	switch {
	case !s.hears(e):
		return false
	case s.Settings.Notice != nil:
		return s.Settings.Notice.wants(s.Kind, e)
	}
	return slices.Contains(s.Events, e.Type) && (e.Type != AccountAdd || e.Account != s.Account) || s.asUpdate(e)
}

func (s Subscription) hears(e Entry) bool {
	if s.Account.IsPlatform() {
		return e.Account.World() == s.Account.World()
	}
	return e.Account == s.Account || e.Owner == s.Account
}

// May says whether the subscription may be told an entry that it wants, with the account
// that the entry is about as it is now: who lost a merchant is told nothing of
// it any more, whatever waited, and who got it nothing of what was before.
func (s Subscription) May(e Entry, acc account.Account) bool {
	switch {
	case !s.Told() || acc.ID != e.Account:
		return false
	case s.Account.IsPlatform():
		return acc.ID.World() == s.Account.World()
	case s.Account == acc.ID:
		return !acc.Deleted() && (s.Settings.Through == "" || s.Settings.Through == acc.Owner)
	default:
		return e.Owner == s.Account && acc.Owner == s.Account && !e.ToldAt.Before(acc.OwnedSince)
	}
}

// Lane is the row in which an entry waits: messages of one lane arrive in
// order, and those of different lanes do not wait for each other.
func Lane(e Entry) string {
	if e.Provider == "" {
		return string(e.Account)
	}
	return string(e.Account) + "/" + e.Provider
}
