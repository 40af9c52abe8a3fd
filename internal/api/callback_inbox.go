package api

import (
	"context"
	"encoding/hex"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
)

// receivedCallback is the shape of ReceivedCallback.
type receivedCallback struct {
	ID         string `json:"id"`
	State      string `json:"state"`
	Effect     string `json:"effect,omitempty"`
	Event      int64  `json:"event,omitzero"`
	Code       string `json:"code,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Operation  string `json:"operation"`
	Signup     string `json:"signup_id"`
	ReceivedAt string `json:"received_at"`
	ReceivedBy string `json:"received_by"`
	Remote     string `json:"remote,omitempty"`
	JudgedAt   string `json:"judged_at,omitempty"`
	Attempts   int64  `json:"attempts"`
	Digest     string `json:"digest"`
	BodyKept   bool   `json:"body_kept"`
}

// digestShown is how many bytes of a digest are shown.
const digestShown = 6

func showReceived(r store.Received) receivedCallback {
	return receivedCallback{
		ID: r.ID, State: r.Verdict.State, Effect: r.Verdict.Effect, Event: r.Verdict.Event,
		Code: r.Verdict.Code, Reason: r.Verdict.Reason, Operation: r.Operation, Signup: r.Signup,
		ReceivedAt: onWire(r.ReceivedAt), ReceivedBy: r.By, Remote: r.Remote, JudgedAt: onWire(r.JudgedAt),
		Attempts: r.Attempts, Digest: hex.EncodeToString(r.Digest[:min(len(r.Digest), digestShown)]), BodyKept: len(r.Body) > 0,
	}
}

// listInbox pages through the calls about a connection, newest first.
func (o operations) listInbox(ctx context.Context, call *gate.Call, _ struct{}) ([]receivedCallback, error) {
	at, err := o.inboxOf(ctx, call)
	if err != nil {
		return nil, err
	}
	after, _ := call.Query("starting_after")
	rows, err := o.Store.Inbox(ctx, call.Caller, at, after, limitOf(call))
	if err != nil {
		return nil, err
	}
	shown := make([]receivedCallback, len(rows))
	for i, r := range rows {
		shown[i] = showReceived(r)
	}
	return shown, nil
}

// readInbox shows one call about a connection.
func (o operations) readInbox(ctx context.Context, call *gate.Call, _ struct{}) (receivedCallback, error) {
	at, err := o.inboxOf(ctx, call)
	if err != nil {
		return receivedCallback{}, err
	}
	r, err := o.Store.ReceivedByID(ctx, at, call.Path("callback_id"))
	return showReceived(r), err
}

// replay judges a call again that was refused, or left.
func (o operations) replay(ctx context.Context, call *gate.Call, _ struct{}) (receivedCallback, error) {
	at, err := o.inboxOf(ctx, call)
	if err != nil {
		return receivedCallback{}, err
	}
	r, err := o.Store.ReceivedByID(ctx, at, call.Path("callback_id"))
	if err != nil || r.Verdict.State == store.VerdictApplied {
		return showReceived(r), err
	}
	if len(r.Body) == 0 {
		return receivedCallback{}, fault.New(fault.Conflict, fault.CodeConflict, "the body of the call was removed after 30 days; it can't be judged again")
	}
	target := r.Provider + "/" + r.ID
	again := func(acc account.Account, state string) store.AuditRecord {
		return o.audited(call, acc, "callback.replay", target, store.AuditDone, state)
	}
	if _, err := o.judgeStored(ctx, hearing{Received: r, system: true, replayed: again}); err != nil && !refuses(err) {
		return receivedCallback{}, err
	}
	r, err = o.Store.ReceivedByID(ctx, at, r.ID)
	return showReceived(r), err
}

// inboxOf is the connection that the path names, when the caller may see it:
// the platform, and the partner that owns the merchant.
func (o operations) inboxOf(ctx context.Context, call *gate.Call) (store.Place, error) {
	p, err := o.provider(call.Path("connection"))
	if err != nil {
		return store.Place{}, err
	}
	at := place(call, p)
	acc, err := o.Store.Account(ctx, call.Caller, at.Account)
	if err != nil {
		return store.Place{}, err
	}
	if owner := call.Account("oid"); owner != "" && acc.Owner != owner && !owner.IsPlatform() {
		return store.Place{}, fault.Missing()
	}
	return at, nil
}
