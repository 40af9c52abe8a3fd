package api

import (
	"mooring/internal/account"
	"mooring/internal/gate"
	"mooring/internal/store"
)

// Outcomes of what is audited.
const (
	auditDone    = "done"
	auditRefused = "refused"
)

// audited is what is to be remembered of a call: who did what to whose data.
func (o operations) audited(call *gate.Call, acc account.Account, action, target, outcome, reason string) store.AuditRecord {
	now := o.Now()
	return store.AuditRecord{
		ID: NewID(), Account: acc.ID, At: now, AccountAt: acc.Now(now),
		By: call.Caller.Client, Token: call.Caller.Token, Remote: remote(call.Remote),
		Action: action, Target: target, Outcome: outcome, Reason: reason,
	}
}
