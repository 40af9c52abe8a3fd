package api

import (
	"context"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
)

// keptAccount is the shape of OperatorAccount.
type keptAccount struct {
	Account       account.ID   `json:"account_id"`
	Kind          account.Kind `json:"kind"`
	Owner         account.ID   `json:"owner,omitempty"`
	BusinessName  string       `json:"business_name,omitempty"`
	CreatedAt     string       `json:"created_at"`
	CreatedBy     string       `json:"created_by"`
	UpdatedAt     string       `json:"updated_at,omitempty"`
	DeletedAt     string       `json:"deleted_at,omitempty"`
	DeletedBy     string       `json:"deleted_by,omitempty"`
	RetentionDays int64        `json:"retention_days,omitzero"`
	EraseAt       string       `json:"erase_at,omitempty"`
	ErasedAt      string       `json:"erased_at,omitempty"`
	Hold          *hold        `json:"hold,omitempty"`
	Ranges        []idRange    `json:"ranges,omitempty"`
	Disabled      []string     `json:"disabled_clients,omitempty"`
	KeysDropped   string       `json:"dropped_jwks,omitempty"`
}

type hold struct {
	Reason string `json:"reason"`
}

// idRange is the shape of IDRange.
type idRange struct {
	Block     string `json:"block"`
	Left      int    `json:"left"`
	CreatedAt string `json:"created_at"`
	CreatedBy string `json:"created_by"`
}

func showKept(k store.Kept) (store.Answer, error) {
	if k.Deleted() { // the answer may be kept for longer than the account
		k.Company.BusinessName = ""
	}
	body, err := encode(keptOf(k))
	return store.Answer{Body: body}, err
}

func keptOf(k store.Kept) keptAccount {
	shown := keptAccount{
		Account: k.ID, Kind: k.Kind, Owner: k.Owner, BusinessName: k.Company.BusinessName,
		CreatedAt: onWire(k.CreatedAt), CreatedBy: k.CreatedBy, UpdatedAt: onWire(k.UpdatedAt),
		DeletedAt: onWire(k.DeletedAt), DeletedBy: k.DeletedBy,
		RetentionDays: k.RetentionDays, EraseAt: onWire(k.EraseAt), ErasedAt: onWire(k.ErasedAt), Ranges: rangesOf(k),
		Disabled: k.Parted.Clients, KeysDropped: k.Parted.KeysAt,
	}
	if k.Hold != "" {
		shown.Hold = &hold{k.Hold}
	}
	return shown
}

func rangesOf(k store.Kept) []idRange {
	all := make([]idRange, 0, len(k.Blocks))
	for _, b := range k.Blocks {
		all = append(all, idRange{b.Block, b.Left(), onWire(b.CreatedAt), b.CreatedBy})
	}
	return all
}

// readKept answers an account as the platform looks after it, deleted or not.
func (o operations) readKept(ctx context.Context, call *gate.Call, _ struct{}) (keptAccount, error) {
	k, err := o.Store.Kept(ctx, call.Caller, call.Account("aid"))
	return keptOf(k), err
}

// listRanges lists the ranges of ids that a partner's accounts get.
func (o operations) listRanges(ctx context.Context, call *gate.Call, _ struct{}) ([]idRange, error) {
	k, err := o.Store.Kept(ctx, call.Caller, call.Account("aid"))
	if err == nil && k.Kind != account.KindPartner {
		err = fault.Missing()
	}
	return rangesOf(k), err
}

type rangeBody struct {
	Block string `json:"block"`
}

// addRange gives a partner one more range.
func (o operations) addRange(ctx context.Context, call *gate.Call, in rangeBody) (gate.Reply, error) {
	id := call.Account("aid")
	if in.Block != "" && (in.Block[0] != id[0] || in.Block[1:] == "000") {
		return gate.Reply{}, fault.Refused(fault.Problem{
			In: "body", Name: "block", Path: "#/block", Code: "INVALID_RANGE", Message: "block must be of the partner's world, and not the platform's own",
		})
	}
	answer, err := o.Store.AddBlock(ctx, o.about(call, in.Block, ""), in.Block, func(k store.Kept) (store.Answer, error) {
		body, err := encode(rangesOf(k))
		return store.Answer{Body: body}, err
	})
	return replyWith(call, answer, err)
}

type ownerBody struct {
	Owner string `json:"owner"`
}

// moveAccount gives a merchant to another partner.
func (o operations) moveAccount(ctx context.Context, call *gate.Call, in ownerBody) (gate.Reply, error) {
	to, err := account.ParseOwner(in.Owner)
	if err != nil {
		return gate.Reply{}, err
	}
	answer, err := o.Store.MoveAccount(ctx, o.about(call, string(to), ""), to, showKept)
	return replyWith(call, answer, err)
}

// holdAccount keeps an account from being erased.
func (o operations) holdAccount(ctx context.Context, call *gate.Call, in hold) (gate.Reply, error) {
	answer, err := o.Store.Hold(ctx, o.about(call, "", in.Reason), in.Reason, showKept)
	return replyWith(call, answer, err)
}

// endHold lets it be erased again.
func (o operations) endHold(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	answer, err := o.Store.Hold(ctx, o.about(call, "", ""), "", showKept)
	return replyWith(call, answer, err)
}

type retentionBody struct {
	Days int64 `json:"days"`
}

// retainAccount says for how long an account is kept.
func (o operations) retainAccount(ctx context.Context, call *gate.Call, in retentionBody) (gate.Reply, error) {
	answer, err := o.Store.Retain(ctx, o.about(call, "", ""), in.Days, o.Retention, showKept)
	return replyWith(call, answer, err)
}

// about is a deed of the platform about the account that the path names alone.
func (o operations) about(call *gate.Call, target, reason string) store.Deed {
	id := call.Account("aid")
	return deed(call, "", id, o.audited(call, account.Account{ID: id}, call.Operation.Action, target, store.AuditDone, reason))
}
