package api

import (
	"context"

	"github.com/go-json-experiment/json"

	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
)

type erasureBody struct {
	Reason string `json:"reason"`
}

type erasure struct {
	Signup   string `json:"signup_id"`
	ErasedAt string `json:"erased_at"`
}

// eraseSignup destroys what a signup tells of a person. The history stays, and
// says that it was done.
func (o operations) eraseSignup(ctx context.Context, call *gate.Call, in erasureBody) (gate.Reply, error) {
	p, err := o.provider(call.Path("connection"))
	if err != nil {
		return gate.Reply{}, err
	}
	id, by := call.Path("signup_id"), o.act(call)
	return o.change(ctx, call, store.Change{
		Account: call.Account("aid"), Provider: p.Slug, Whole: true,
		Decide: func(f store.Found) (store.Decision, error) {
			if f.Connection == nil {
				return store.Decision{}, fault.Missing()
			}
			erased, err := connection.Erase(f.Connection, p, id, by.in(f.Account))
			if err != nil {
				return store.Decision{}, err
			}
			var d store.Decision
			if erased {
				d.Connection, d.Erased = f.Connection, id
				d.Audit = []store.AuditRecord{o.audited(call, f.Account, "signup.erase", p.Slug+"/"+id, store.AuditDone, in.Reason)}
			}
			at := f.Connection.Find(id).ErasedAt
			d.Answer.Body, err = json.Marshal(erasure{id, onWire(at)}, json.Deterministic(true))
			return d, err
		},
	})
}
