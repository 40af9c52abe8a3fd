package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/vault"
)

type recipientBody struct {
	Name      string `json:"name"`
	PublicKey string `json:"public_key"`
}

type recipient struct {
	Name      string `json:"name"`
	PublicKey string `json:"public_key"`
	CreatedAt string `json:"created_at"`
	CreatedBy string `json:"created_by"`
	EndedAt   string `json:"ended_at,omitempty"`
}

func recipientOf(r store.Recipient) recipient {
	return recipient{r.Name, r.PublicKey, onWire(r.CreatedAt), r.CreatedBy, onWire(r.EndedAt)}
}

// addRecipient registers a public key of the platform. Doing so twice is doing
// so once.
func (o operations) addRecipient(ctx context.Context, call *gate.Call, in recipientBody) (gate.Reply, error) {
	if err := vault.CheckRecipient(in.PublicKey); err != nil {
		return gate.Reply{}, fault.Refused(fault.Problem{
			In: "body", Name: "public_key", Path: "#/public_key", Code: "INVALID_FORMAT",
			Message: "public_key is no recipient of age: give what age-keygen prints as the public key",
		})
	}
	platform := account.Account{ID: call.Caller.Account}
	r := store.Recipient{
		Platform: platform.ID, Name: in.Name, PublicKey: in.PublicKey, CreatedAt: o.Now(), CreatedBy: call.Caller.Client,
	}
	reply, err := o.once(ctx, call, recipientOf(r))
	if err != nil {
		return gate.Reply{}, err
	}
	record := o.audited(call, platform, "recipient.add", in.Name, store.AuditDone, "")
	err = o.Store.AddRecipient(ctx, r, record)
	if f := fault.From(err); err != nil && f.Kind == fault.Conflict {
		there, findErr := o.recipient(ctx, platform.ID, in.Name)
		if findErr == nil && there.PublicKey == in.PublicKey && there.EndedAt.IsZero() {
			reply.Body, err = encode(recipientOf(there))
		}
	}
	return reply, err
}

// once answers a write that the store knows no decision for: it is done after
// its answer is kept, and doing it again changes nothing.
func (o operations) once(ctx context.Context, call *gate.Call, answer any) (gate.Reply, error) {
	body, err := encode(answer)
	if err != nil || call.IdempotencyKey == "" {
		return gate.Reply{Body: body}, err
	}
	return o.change(ctx, call, store.Change{
		Account: call.Caller.Account,
		Decide: func(store.Found) (store.Decision, error) {
			return store.Decision{Answer: store.Answer{Body: body}}, nil
		},
	})
}

func encode(answer any) ([]byte, error) { return json.Marshal(answer, json.Deterministic(true)) }

// listRecipients lists what the platform registered.
func (o operations) listRecipients(ctx context.Context, call *gate.Call, _ struct{}) ([]recipient, error) {
	found, err := o.Store.Recipients(ctx, call.Caller.Account)
	all := make([]recipient, 0, len(found))
	for _, r := range found {
		all = append(all, recipientOf(r))
	}
	return all, err
}

// endRecipient ends one; one that has ended stays as it is.
func (o operations) endRecipient(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	platform := account.Account{ID: call.Caller.Account}
	name := call.Path("recipient")
	r, err := o.recipient(ctx, platform.ID, name)
	if err != nil {
		return gate.Reply{}, err
	}
	if r.EndedAt.IsZero() {
		r.EndedAt = o.Now()
	}
	reply, err := o.once(ctx, call, recipientOf(r))
	if err != nil {
		return reply, err
	}
	record := o.audited(call, platform, "recipient.end", name, store.AuditDone, "")
	return reply, o.Store.EndRecipient(ctx, platform.ID, name, r.EndedAt, record)
}

func (o operations) recipient(ctx context.Context, platform account.ID, name string) (store.Recipient, error) {
	all, err := o.Store.Recipients(ctx, platform)
	if err != nil {
		return store.Recipient{}, err
	}
	i := slices.IndexFunc(all, func(r store.Recipient) bool { return r.Name == name })
	if i < 0 {
		return store.Recipient{}, fault.Missing()
	}
	return all[i], nil
}

type releaseBody struct {
	Recipients []string `json:"recipients"`
	Reason     string   `json:"reason"`
}

type released struct {
	Account     account.ID `json:"account_id"`
	Connection  string     `json:"connection"`
	Version     int64      `json:"version"`
	Recipients  []string   `json:"recipients"`
	Credentials string     `json:"credentials"`
}

// release hands out what a provider gave back, to those alone who hold the
// private keys. That it is remembered comes before that it is given.
func (o operations) release(ctx context.Context, call *gate.Call, in releaseBody) (gate.Reply, error) {
	p, err := o.provider(call.Operation.Argument)
	if err != nil {
		return gate.Reply{}, err
	}
	acc, err := o.Store.Account(ctx, call.Caller, call.Account("aid"))
	if err != nil {
		return gate.Reply{}, err
	}
	reply, err := o.releaseWithin(ctx, call, p, in)
	if err == nil {
		return reply, nil
	}
	if f := fault.From(err); f.Kind != fault.Internal && f.Kind != fault.Unavailable {
		o.Denials.Refused(o.audited(call, acc, "credentials.release", p.Slug, store.AuditRefused, in.Reason), f.Code)
	}
	return gate.Reply{}, err
}

// releaseWithin releases within the limit, of which what came to nothing uses
// up nothing.
func (o operations) releaseWithin(ctx context.Context, call *gate.Call, p *provider.Provider, in releaseBody) (gate.Reply, error) {
	wait, giveBack := o.Vault.Limits.Take(call.Caller.Client, place(call, p), o.Now())
	if wait > 0 {
		slow := fault.New(fault.TooMany, fault.CodeTooMany, "too many releases of these credentials; wait")
		slow.RetryAfter = wait
		return gate.Reply{}, slow
	}
	reply, err := o.releaseTo(ctx, call, p, in)
	if err != nil {
		giveBack()
	}
	return reply, err
}

func (o operations) releaseTo(ctx context.Context, call *gate.Call, p *provider.Provider, in releaseBody) (gate.Reply, error) {
	at := place(call, p)
	recipients, err := o.recipientsNamed(ctx, call.Caller.Account, in.Recipients)
	if err != nil {
		return gate.Reply{}, err
	}
	c, err := o.Store.Connection(ctx, call.Caller, at.Account, p.Slug)
	if err != nil {
		return gate.Reply{}, err
	}
	sealed, err := o.Vault.Release(ctx, at, c.ConfiguredSeq, recipients)
	if err != nil {
		return gate.Reply{}, err
	}
	if sealed == nil {
		return gate.Reply{}, fault.Missing()
	}
	body, err := encode(released{at.Account, p.Slug, c.ConfiguredSeq, in.Recipients, string(sealed)})
	if err != nil {
		return gate.Reply{}, err
	}
	// The record, and the client's right at this moment, are one transaction.
	return o.change(ctx, call, store.Change{
		Account: at.Account, Provider: p.Slug,
		Decide: func(f store.Found) (store.Decision, error) {
			if f.Connection == nil || f.Connection.ConfiguredSeq != c.ConfiguredSeq {
				return store.Decision{}, fault.New(fault.Unavailable, fault.CodeUnavailable, "the configuration has just changed; ask again")
			}
			record := o.audited(call, f.Account, "credentials.release", p.Slug, store.AuditDone, in.Reason)
			record.Detail, err = encode(map[string]any{"recipients": in.Recipients, "version": c.ConfiguredSeq})
			return store.Decision{Audit: []store.AuditRecord{record}, Answer: store.Answer{Body: body}}, err
		},
	})
}

// recipientsNamed finds the recipients that are named and have not ended.
func (o operations) recipientsNamed(ctx context.Context, platform account.ID, names []string) ([]store.Recipient, error) {
	all, err := o.Store.Recipients(ctx, platform)
	if err != nil {
		return nil, err
	}
	var found []store.Recipient
	var problems []fault.Problem
	for n, name := range names {
		i := slices.IndexFunc(all, func(r store.Recipient) bool { return r.Name == name && r.EndedAt.IsZero() })
		if i < 0 {
			problems = append(problems, fault.Problem{
				In: "body", Name: "recipients", Path: fmt.Sprintf("#/recipients/%d", n), Code: "UNKNOWN_RECIPIENT",
				Message: "there is no recipient of this name, or it has ended",
			})
			continue
		}
		found = append(found, all[i])
	}
	if len(problems) > 0 {
		return nil, fault.Refused(problems...)
	}
	return found, nil
}
