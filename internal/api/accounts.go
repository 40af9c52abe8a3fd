package api

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/account"
	"mooring/internal/gate"
	"mooring/internal/store"
	"mooring/internal/wire"
)

// createAccount makes an account that the owner of the path owns.
func (o operations) createAccount(ctx context.Context, call *gate.Call, in jsontext.Value) (gate.Reply, error) {
	profile, err := account.ParseProfile(in)
	if err != nil {
		return gate.Reply{}, err
	}
	if err := profile.Check(); err != nil {
		return gate.Reply{}, err
	}
	owner := call.Account("oid")
	d := deed(call, "", owner, o.audited(call, account.Account{ID: owner}, call.Operation.Action, "", store.AuditDone, ""))
	answer, err := o.Store.MakeAccount(ctx, d, profile, o.shows(true))
	return replyWith(call, answer, err)
}

// readAccount answers an account to its owner.
func (o operations) readAccount(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	return o.readShown(ctx, call, call.Account("oid"), true)
}

// readSettings answers an account to itself.
func (o operations) readSettings(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	return o.readShown(ctx, call, "", false)
}

func (o operations) readShown(ctx context.Context, call *gate.Call, owner account.ID, private bool) (gate.Reply, error) {
	shown, err := o.Store.Shown(ctx, call.Caller, owner, call.Account("aid"))
	if err != nil {
		return gate.Reply{}, err
	}
	answer, err := o.shows(private)(shown)
	return gate.Reply{Body: answer.Body}, err
}

// updateAccount is the owner's way to write to an account.
func (o operations) updateAccount(ctx context.Context, call *gate.Call, in jsontext.Value) (gate.Reply, error) {
	return o.update(ctx, call, call.Account("oid"), in, true)
}

// updateSettings is the account's own.
func (o operations) updateSettings(ctx context.Context, call *gate.Call, in jsontext.Value) (gate.Reply, error) {
	return o.update(ctx, call, "", in, false)
}

func (o operations) update(ctx context.Context, call *gate.Call, owner account.ID, in jsontext.Value, private bool) (gate.Reply, error) {
	update, err := account.ParseProfile(in)
	if err != nil {
		return gate.Reply{}, err
	}
	about := account.Account{ID: call.Account("aid")}
	d := deed(call, owner, about.ID, o.audited(call, about, call.Operation.Action, "", store.AuditDone, ""))
	answer, err := o.Store.UpdateAccount(ctx, d, func(w account.Whole) (account.Profile, error) {
		profile := w.Profile.Merge(update)
		return profile, profile.Check()
	}, o.shows(private))
	return replyWith(call, answer, err)
}

// deleteAccount ends an account: nobody gets at it any more.
func (o operations) deleteAccount(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	about := account.Account{ID: call.Account("aid")}
	d := deed(call, call.Account("oid"), about.ID, o.audited(call, about, call.Operation.Action, "", store.AuditDone, ""))
	answer, err := o.Store.DeleteAccount(ctx, d, store.Leaving{Retention: o.Retention, NewID: NewID}, o.shows(true))
	return replyWith(call, answer, err)
}

// maxKept is how large an answer about an account is that is kept whole: small
// writes must not fill the disk with what the account shows.
const maxKept = 64 << 10

// shows answers an account as its owner, or only itself, sees it. What is
// kept of a large answer under a key is the account without its connections.
func (o operations) shows(private bool) func(store.Profiled) (store.Answer, error) {
	return func(shown store.Profiled) (store.Answer, error) {
		body, err := wire.Account(shown.Whole, wire.Connections(shown.Connections, o.Catalogue.Get, o.PublicURL), "", private)
		if err != nil || len(body) <= maxKept {
			return store.Answer{Body: body}, err
		}
		kept, err := wire.Account(shown.Whole, wire.Connections(nil, o.Catalogue.Get, o.PublicURL), "", private)
		return store.Answer{Body: body, Kept: kept}, err
	}
}

// deed is a write of a call to an account, as the store takes it.
func deed(call *gate.Call, owner, about account.ID, records ...store.AuditRecord) store.Deed {
	return store.Deed{Caller: call.Caller, Owner: owner, About: about, Key: keyOf(call), Audit: records}
}
