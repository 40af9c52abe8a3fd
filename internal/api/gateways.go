package api

import (
	"context"
	"strings"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/deliver"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/store"
)

type syncOutcome struct {
	Account      string            `json:"account_id"`
	Connection   string            `json:"connection"`
	Outcome      string            `json:"outcome"`
	Status       connection.Status `json:"status"`
	LastAskedAt  string            `json:"last_asked_at,omitempty"`
	LastSyncedAt string            `json:"last_synced_at,omitempty"`
	LastError    string            `json:"last_sync_error,omitempty"`
}

// syncConnection asks a provider for the platform.
func (o operations) syncConnection(ctx context.Context, call *gate.Call, _ struct{}) (syncOutcome, error) {
	p, err := o.provider(call.Path("connection"))
	if err != nil {
		return syncOutcome{}, err
	}
	word, err := o.ask(ctx, call, p)
	if err != nil {
		return syncOutcome{}, err
	}
	at := place(call, p)
	c, err := o.Store.Connection(ctx, call.Caller, at.Account, at.Provider)
	if err != nil {
		return syncOutcome{}, err
	}
	state, err := o.Store.Sync(ctx, at)
	if err != nil {
		return syncOutcome{}, err
	}
	return syncOutcome{
		Account: string(at.Account), Connection: at.Provider, Outcome: word, Status: c.Status,
		LastAskedAt: onWire(state.LastAskedAt), LastSyncedAt: onWire(state.LastSyncedAt), LastError: state.LastError,
	}, nil
}

type drift struct {
	Account      string `json:"account_id"`
	Connection   string `json:"connection"`
	Status       string `json:"provider_status"`
	Since        string `json:"since"`
	LastSyncedAt string `json:"last_synced_at,omitempty"`
}

// listDrift lists what providers see otherwise.
func (o operations) listDrift(ctx context.Context, call *gate.Call, _ struct{}) ([]drift, error) {
	var after store.Place
	if s, ok := call.Query("starting_after"); ok {
		id, slug, _ := strings.Cut(s, "/") // the contract has its form
		after = store.Place{Account: account.ID(id), Provider: slug}
	}
	states, err := o.Store.Drifting(ctx, call.Caller, after, limitOf(call))
	if err != nil {
		return nil, err
	}
	found := make([]drift, len(states))
	for i, s := range states {
		found[i] = drift{string(s.Account), s.Provider, s.Drift, onWire(s.DriftSince), onWire(s.LastSyncedAt)}
	}
	return found, nil
}

type batchRequest struct {
	After string `json:"after"`
	Limit int    `json:"limit"`
}

type batch struct {
	Connection string `json:"connection"`
	Rows       int    `json:"rows"`
	Last       string `json:"last,omitempty"`
	Text       string `json:"text"`
}

// maxRows is how many rows a file has, unless it is to have fewer.
const maxRows = 500

// writeBatch writes a file of signups. Before sealed members leave in it, the
// audit says so.
func (o operations) writeBatch(ctx context.Context, call *gate.Call, in batchRequest) (batch, error) {
	p, err := o.batchProvider(call)
	if err != nil {
		return batch{}, err
	}
	if in.Limit == 0 {
		in.Limit = maxRows
	}
	b, err := o.Deliver.WriteBatch(ctx, call.Caller.Account.World(), p, in.After, in.Limit)
	if err != nil {
		return batch{}, err
	}
	var records []store.AuditRecord
	for _, row := range b.Opened {
		records = append(records, o.audited(call, row.Account, "batch.open", p.Slug+"/"+row.Signup, store.AuditDone, ""))
	}
	if len(records) > 0 {
		if err := o.Store.Audit(ctx, records...); err != nil {
			return batch{}, err
		}
	}
	return batch{p.Slug, b.Rows, b.Last, b.Text}, nil
}

type batchAnswers struct {
	Lines []string `json:"lines"`
}

type batchResults struct {
	Applied   int           `json:"applied"`
	Duplicate int           `json:"duplicate"`
	Stale     int           `json:"stale"`
	Refused   int           `json:"refused"`
	Rows      []batchResult `json:"rows"`
}

type batchResult struct {
	Row       int    `json:"row"`
	Reference string `json:"reference,omitempty"`
	Effect    string `json:"effect"`
	Reason    string `json:"reason,omitempty"`
}

// readBatch takes an answer file in.
func (o operations) readBatch(ctx context.Context, call *gate.Call, in batchAnswers) (batchResults, error) {
	p, err := o.batchProvider(call)
	if err != nil {
		return batchResults{}, err
	}
	results, err := o.Deliver.ReadBatch(ctx, call.Caller.Account.World(), p, in.Lines, call.Caller.Client)
	if err != nil {
		return batchResults{}, err
	}
	told := batchResults{Rows: make([]batchResult, len(results))}
	for i, r := range results {
		told.Rows[i] = batchResult{r.Row, r.Reference, r.Effect, r.Reason}
		switch r.Effect {
		case string(connection.Applied):
			told.Applied++
		case string(connection.Duplicate):
			told.Duplicate++
		case string(connection.Stale):
			told.Stale++
		case deliver.Refused:
			told.Refused++
		}
	}
	return told, nil
}

// batchProvider is the provider that a path names, when it takes files.
func (o operations) batchProvider(call *gate.Call) (*provider.Provider, error) {
	p, err := o.provider(call.Path("connection"))
	if err == nil && p.Batch == nil {
		err = fault.Missing()
	}
	return p, err
}
