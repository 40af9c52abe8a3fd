package api

import (
	"cmp"
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
)

// reasonHeader is where a caller says why it does what it does.
const reasonHeader = "Mooring-Reason"

// audited is what is to be remembered of a call: who did what to whose data. A
// reason that the body has no word for is that of the header.
func (o operations) audited(call *gate.Call, acc account.Account, action, target, outcome, reason string) store.AuditRecord {
	r := o.recordOf(call)
	r.Account, r.AccountAt, r.Action, r.Target, r.Outcome = acc.ID, acc.Now(r.At), action, target, outcome
	r.Reason = cmp.Or(reason, r.Reason)
	return r
}

// recordOf is what a call says of itself.
func (o operations) recordOf(call *gate.Call) store.AuditRecord {
	return store.AuditRecord{
		ID: NewID(), At: o.Now(),
		By: call.Caller.Client, Caller: home(call.Caller), Token: call.Caller.Token,
		Remote: remote(call.Remote), Request: call.RequestID,
		Action: call.Operation.Action, Reason: reasonOf(call),
	}
}

// reasonOf is the reason of a call whose operation takes one, and has checked it.
func reasonOf(call *gate.Call) string {
	for _, p := range call.Operation.Parameters {
		if p.In == "header" && p.Name == reasonHeader {
			return call.RequestHeader(reasonHeader)
		}
	}
	return ""
}

// home is the account that acts: that of the token, or that of the partner who
// exchanged its own for it.
func home(c auth.Caller) account.ID {
	if c.Actor != "" {
		return c.Actor
	}
	return c.Account
}

// auditEntry is the shape of AuditRecord.
type auditEntry struct {
	ID          string         `json:"id"`
	Account     account.ID     `json:"account_id"`
	At          string         `json:"at"`
	AccountAt   string         `json:"account_at,omitempty"`
	By          string         `json:"by,omitempty"`
	Caller      account.ID     `json:"by_account,omitempty"`
	Token       string         `json:"token,omitempty"`
	Remote      string         `json:"remote,omitempty"`
	Request     string         `json:"request_id,omitempty"`
	Action      string         `json:"action"`
	Target      string         `json:"target,omitempty"`
	Outcome     string         `json:"outcome"`
	Reason      string         `json:"reason,omitempty"`
	Detail      jsontext.Value `json:"detail,omitempty"`
	PagingToken string         `json:"paging_token"`
}

// listAudit pages through what was done to an account, newest first.
func (o operations) listAudit(ctx context.Context, call *gate.Call, _ struct{}) ([]auditEntry, error) {
	q, err := o.auditQuery(call)
	if err != nil {
		return nil, err
	}
	o.Denials.Flush(ctx) // who looks for what was denied a moment ago finds it
	records, err := o.Store.AuditOf(ctx, call.Caller, call.Account("oid"), q)
	if err != nil {
		return nil, err
	}
	entries := make([]auditEntry, len(records))
	for i, r := range records {
		entries[i] = auditEntry{
			ID: r.ID, Account: r.Account, At: onWire(r.At), By: r.By, Caller: r.Caller, Token: r.Token, Remote: r.Remote, Request: r.Request,
			Action: r.Action, Target: r.Target, Outcome: r.Outcome, Reason: r.Reason, Detail: r.Detail, PagingToken: o.pagingToken(call, r.ID),
		}
		if !r.AccountAt.Equal(r.At) { // of a test account whose clock was moved
			entries[i].AccountAt = onWire(r.AccountAt)
		}
	}
	return entries, nil
}

func (o operations) auditQuery(call *gate.Call) (store.AuditQuery, error) {
	q := store.AuditQuery{Account: call.Account("oid"), Limit: limitOf(call)}
	if id, ok := call.Query("account"); ok {
		q.Account = account.ID(id) // the contract has its form
	}
	q.Action, _ = call.Query("action")
	q.Outcome, _ = call.Query("outcome")
	q.By, _ = call.Query("client")
	var err error
	if q.Since, err = queryTime(call, "since"); err != nil {
		return q, err
	}
	if q.Until, err = queryTime(call, "until"); err != nil {
		return q, err
	}
	q.Before, err = o.startingAfter(call)
	return q, err
}

// queryTime reads a time of the query; the zero time when there is none.
func queryTime(call *gate.Call, name string) (time.Time, error) {
	text, _ := call.Query(name)
	at, err := parseTime(name, text)
	if err != nil {
		return at, fault.Refused(fault.Problem{In: "query", Name: name, Path: "#/" + name, Code: "INVALID_FORMAT", Message: name + " must be an RFC 3339 time"})
	}
	return at, nil
}
