package hook

import (
	"bytes"
	"encoding/json"
	"time"

	"mooring/internal/account"
	"mooring/internal/cdd"
	"mooring/internal/connection"
	"mooring/internal/wire"
)

// OfAccount is the entry that an account was added or changed, told with the
// account as its owner sees it, without its connections.
func OfAccount(id, kind string, w account.Whole, now time.Time) (Entry, error) {
	return ofAccount(id, kind, w, now, nil)
}

// caseSummary is what is told of a case: how it stands, and nothing that was
// said in it.
type caseSummary struct {
	ID        string     `json:"id"`
	Account   account.ID `json:"account_id"`
	Status    cdd.Status `json:"case_status"`
	CreatedAt string     `json:"created_at"`
	UpdatedAt string     `json:"updated_at"`
	Error     string     `json:"error,omitempty"`
}

// OfCase is the entry that a case of an account was opened or moved. All cases
// are about where money is paid out to.
func OfCase(id string, w account.Whole, c cdd.Case, now time.Time) (Entry, error) {
	newest := c.Events[len(c.Events)-1]
	summary, err := json.Marshal(caseSummary{
		ID: c.ID, Account: c.Account, Status: newest.Status, Error: newest.Error,
		CreatedAt: c.CreatedAt.UTC().Format(time.RFC3339), UpdatedAt: c.UpdatedAt.UTC().Format(time.RFC3339),
	})
	if err != nil {
		return Entry{}, err
	}
	return ofAccount(id, CaseUpdate, w, now, append([]byte(`,"payout_destination_case":`), summary...))
}

func ofAccount(id, kind string, w account.Whole, now time.Time, more []byte) (Entry, error) {
	told, err := wire.Account(w, nil, "", true)
	if err != nil {
		return Entry{}, err
	}
	return Entry{
		ID: id, Owner: FeedOwner(w.Account), Account: w.ID, Type: kind, At: w.Now(now), ToldAt: now,
		Body: bytes.Join([][]byte{[]byte(`{"account":`), told, more, {'}'}}, nil),
	}, nil
}

// OfStall is the entry that the time for which a connection was to wait is
// over, and nothing came.
func OfStall(id string, acc account.Account, c *connection.Connection, now time.Time) Entry {
	return Entry{
		ID: id, Owner: FeedOwner(acc), Account: c.Account, Type: ConnectionStalled, Provider: c.Provider,
		Status: string(c.Status), At: acc.Now(now), ToldAt: now, Body: wire.ToldStanding(c),
	}
}

// FeedOwner is in whose feed the entries about an account are.
func FeedOwner(a account.Account) account.ID {
	if a.Kind == account.KindMerchant {
		return a.Owner
	}
	return a.ID
}

// SeenBy is the entry as an account is to see it: about itself, without what is
// between its owner and the platform.
func (e Entry) SeenBy(viewer account.ID) (Entry, error) {
	if viewer != e.Account || e.Body == nil || e.Type != AccountAdd && e.Type != AccountUpdate && e.Type != CaseUpdate {
		return e, nil
	}
	var err error
	e.Body, err = wire.WithoutPrivate(e.Body)
	return e, err
}
