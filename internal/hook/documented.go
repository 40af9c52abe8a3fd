package hook

import (
	"encoding/json"
	"fmt"
	"slices"
)

// The public API has no event of a connection: it tells of an update of the
// account. A subscription that names account_update, and not our own event of
// connections, is told so of each new status, with nothing but that.

// movedConnection is what an entry of a connection's event says of the
// connection.
type movedConnection struct {
	Connection struct {
		Status    string `json:"status"`
		UpdatedAt string `json:"updated_at"`
		Before    *struct {
			Status string `json:"status"`
		} `json:"before"`
	} `json:"connection"`
}

// asUpdate says whether an entry is told to the subscription as an update of the
// account.
func (s Subscription) asUpdate(e Entry) bool {
	if e.Type != ConnectionUpdate || !slices.Contains(s.Events, AccountUpdate) || slices.Contains(s.Events, ConnectionUpdate) {
		return false
	}
	var c movedConnection
	if e.Body == nil || json.Unmarshal(e.Body, &c) != nil {
		return e.Body == nil
	}
	return c.Connection.Before == nil || c.Connection.Before.Status != c.Connection.Status
}

// as is an entry as the subscription is told of it.
func (s Subscription) as(e Entry) (Entry, error) {
	if !s.asUpdate(e) {
		return e.SeenBy(s.Account)
	}
	e.Type = AccountUpdate
	if e.Body == nil {
		return e, nil
	}
	var c movedConnection
	if err := json.Unmarshal(e.Body, &c); err != nil {
		return Entry{}, err
	}
	e.Body = fmt.Appendf(nil, `{"account":{"account_id":%q,"partner_id":%q,"connections":{%q:{"status":%q,"updated_at":%q}}}}`,
		e.Account, e.Owner.PartnerID(), e.Provider, c.Connection.Status, c.Connection.UpdatedAt)
	return e, nil
}
