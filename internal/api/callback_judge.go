package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/vault"
)

// hearing is one received call on its way to a verdict.
type hearing struct {
	store.Received
	provider *provider.Provider
	body     []byte      // as it came
	caller   auth.Caller // who sent it, to be checked once more in the transaction; not looked at when system
	system   bool        // the service judges by itself what was let in before

	// replayed is what is remembered of who asked for it to be judged again, and
	// what it came to; nil when nobody did.
	replayed func(acc account.Account, state string) store.AuditRecord
}

// said is what a call comes to, before the connection is looked at.
type said struct {
	message connection.Message
	sealed  vault.Sealed
}

// judge decides on a received call and writes the verdict in one transaction
// with its effect. A fault that refuses it is written as its verdict; any other
// error leaves the call as it is, to be judged again.
func (o operations) judge(ctx context.Context, h hearing) (connection.Effect, error) {
	what, err := o.understand(ctx, h)
	if err != nil {
		return "", o.refuse(ctx, h, err)
	}
	now := o.Now()
	act := actor{by: h.By, at: now}
	var effect connection.Effect
	var refused error
	record := h.record(now)
	_, err = o.Store.Change(ctx, store.Change{
		Audit: &record, Caller: h.caller, System: h.system, Account: h.Account, Provider: h.Provider, Whole: true,
		ExternalID: what.message.Event.ExternalID,
		Inbox:      &store.Inbox{ID: h.ID, Signup: h.Signup, Digest: h.Digest},
		Decide: func(f store.Found) (d store.Decision, err error) {
			if d, refused, err = h.decide(f, what, act); err == nil {
				effect = connection.Effect(d.Verdict.Effect)
			}
			return d, err
		},
	})
	if err != nil { // also when the sender may not write any more
		return "", o.refuse(ctx, h, err)
	}
	return effect, refused
}

// record is what is remembered of the call, also when it is judged later by
// the service itself.
func (h hearing) record(now time.Time) store.AuditRecord {
	var kept header
	_ = json.Unmarshal(h.Header, &kept) // understand has read it before
	return store.AuditRecord{
		ID: NewID(), At: now, By: h.By, Caller: home(h.caller), Token: h.caller.Token, Remote: h.Remote, Request: kept.RequestID,
		Action: "connection.callback", Reason: kept.Reason,
	}
}

// decide is the pure part of judging. refused is what the sender is told when
// the decision is to refuse; an error ends the change.
func (h hearing) decide(f store.Found, what said, act actor) (d store.Decision, refused, err error) {
	switch {
	case f.Connection == nil:
		return h.verdict(f, verdictOf(fault.Missing())), fault.Missing(), nil
	case f.Replayed:
		return h.verdict(f, store.Verdict{State: store.VerdictApplied, Effect: string(connection.Duplicate)}), nil, nil
	case f.Duplicate != nil:
		return h.verdict(f, store.Verdict{State: store.VerdictApplied, Effect: string(connection.Duplicate), Event: f.Duplicate.Seq}), nil, nil
	}
	e, err := connection.Hear(f.Connection, h.provider, what.message, act.in(f.Account))
	switch {
	case err != nil && refuses(err):
		return h.verdict(f, verdictOf(err)), err, nil
	case err != nil:
		return store.Decision{}, nil, err
	}
	d = h.verdict(f, store.Verdict{State: store.VerdictApplied, Effect: string(connection.EffectOf(e)), Event: e.Seq})
	d.Connection = f.Connection
	if f.Connection.ConfiguredSeq == e.Seq {
		d.Keys, d.Fields = what.sealed.Keys, what.sealed.At(e.Seq)
	}
	return d, nil, nil
}

// verdict is a decision that changes nothing but the call.
func (h hearing) verdict(f store.Found, v store.Verdict) store.Decision {
	d := store.Decision{Verdict: &v}
	if h.replayed != nil {
		d.Audit = []store.AuditRecord{h.replayed(f.Account, v.State)}
	}
	return d
}

// refuse writes that a call is refused, and returns why. An error that is no
// refusal is returned and nothing written.
func (o operations) refuse(ctx context.Context, h hearing, cause error) error {
	if !refuses(cause) {
		return cause
	}
	_, err := o.Store.Change(ctx, store.Change{
		System: true, Account: h.Account, Provider: h.Provider, Inbox: &store.Inbox{ID: h.ID, Signup: h.Signup, Digest: h.Digest},
		Decide: func(f store.Found) (store.Decision, error) { return h.verdict(f, verdictOf(cause)), nil },
	})
	if err != nil {
		return err
	}
	return cause
}

// refuses says whether an error is a word about the call, and not about us.
func refuses(err error) bool {
	switch fault.From(err).Kind {
	case fault.Internal, fault.Unavailable, fault.TooMany:
		return false
	}
	return true
}

// maxReason bounds the sentences that are kept of a refusal.
const maxReason = 1024

// verdictOf is what is kept of a refusal: sentences, which never quote a value.
func verdictOf(err error) store.Verdict {
	f := fault.From(err)
	sentences := []string{f.Message}
	if len(f.Problems) > 0 {
		sentences = nil
		for _, p := range f.Problems {
			sentences = append(sentences, p.Message)
		}
	}
	reason := strings.Join(sentences, "; ")
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason-3], "") + "..."
	}
	code := f.Code
	if code == "" && f.Kind == fault.Unauthenticated {
		code = codeUnauthorized
	}
	return store.Verdict{State: store.VerdictRefused, Code: code, Reason: reason}
}

// codeUnauthorized is kept of a call whose sender could no longer write when it
// was judged; the answer to it has no code.
const codeUnauthorized = "UNAUTHORIZED"

// understand reads a body by the rules of the operation that it came in by.
func (o operations) understand(ctx context.Context, h hearing) (said, error) {
	var kept header
	if err := json.Unmarshal(h.Header, &kept); err != nil {
		return said{}, err
	}
	p := h.provider
	switch {
	case p.Callback != nil && h.Operation == p.Callback.Operation:
		body, err := o.readAs(p.CallbackSchema(), h.body, kept.Strict)
		if err != nil {
			return said{}, err
		}
		return o.understandCallback(ctx, h, body)
	case h.Operation == eventsCallback:
		body, err := o.readAs(p.EventSchema(), h.body, kept.Strict)
		if err != nil {
			return said{}, err
		}
		return o.understandEvent(ctx, h, body)
	}
	return said{}, fault.New(fault.NotFound, fault.CodeNotFound, "the operation that the call came in by is not there any more")
}

// readers are the readers of bodies by the schemas of one document, made when
// they are first needed.
type readers struct {
	document *gate.Document
	made     sync.Map // by schema
}

func (r *readers) get(schema string) (*gate.Reader, error) {
	if known, ok := r.made.Load(schema); ok {
		return known.(*gate.Reader), nil
	}
	made, err := r.document.Reader(schema)
	if err == nil {
		r.made.Store(schema, made)
	}
	return made, err
}

// readAs reads a body by a schema of the contract as it is now.
func (o operations) readAs(schema string, body []byte, strict bool) ([]byte, error) {
	reader, err := o.readers.get(schema)
	if err != nil {
		return nil, err
	}
	return reader.Read(body, strict)
}

// understandCallback makes a configuration of the documented body, and of what
// the file takes over from the signup.
func (o operations) understandCallback(ctx context.Context, h hearing, body []byte) (said, error) {
	p := h.provider
	c, err := o.Store.Connection(ctx, auth.Caller{Account: h.Account}, h.Account, h.Provider)
	if err != nil {
		return said{}, err
	}
	s := c.Find(h.Signup)
	if s == nil {
		return said{}, fault.Missing()
	}
	m := connection.Message{
		Signup: h.Signup, Final: true,
		Event: connection.NewEvent{Status: connection.Status(p.Callback.To), Name: p.Callback.Event},
	}
	return o.seal(ctx, h, m, p.Configure(body, s.Data))
}

// callbackEventBody is the shape of the body of the events callback.
type callbackEventBody struct {
	eventBody
	Configuration jsontext.Value `json:"configuration"`
}

func (o operations) understandEvent(ctx context.Context, h hearing, body []byte) (said, error) {
	var in callbackEventBody
	if err := json.Unmarshal(body, &in); err != nil {
		return said{}, err
	}
	event, err := in.event(h.provider)
	if err != nil {
		return said{}, err
	}
	m := connection.Message{Signup: h.Signup, Event: event}
	if in.Configuration == nil {
		return said{message: m}, nil
	}
	configuration, err := canonical(in.Configuration)
	if err != nil {
		return said{}, err
	}
	return o.seal(ctx, h, m, configuration)
}

// seal takes what must not rest in clear out of a configuration.
func (o operations) seal(ctx context.Context, h hearing, m connection.Message, configuration []byte) (said, error) {
	kept, parts := h.provider.SplitConfiguration(configuration)
	m.Configuration = kept
	m.Secret = slices.ContainsFunc(parts, func(part provider.Part) bool { return part.Class == provider.Secret })
	if m.Secret {
		var err error
		if m.Bare, err = o.bare(ctx, store.Place{Account: h.Account, Provider: h.Provider}); err != nil {
			return said{}, err
		}
	}
	sealed, err := o.Vault.Configuration(ctx, store.Place{Account: h.Account, Provider: h.Provider}, parts, h.provider.Certificates)
	return said{m, sealed}, err
}

// bare is the number of the event that brought the configuration in force, when
// that has no secret; else 0.
func (o operations) bare(ctx context.Context, at store.Place) (int64, error) {
	c, err := o.Store.Connection(ctx, auth.Caller{Account: at.Account}, at.Account, at.Provider)
	if err != nil || c.ConfiguredSeq == 0 {
		return 0, err
	}
	fields, err := o.Store.SealedFields(ctx, at, "")
	if slices.ContainsFunc(fields, func(f store.SealedField) bool {
		return f.Version == c.ConfiguredSeq && f.Class == string(provider.Secret)
	}) {
		return 0, err
	}
	return c.ConfiguredSeq, err
}

// Inbox judges the calls that were received and not judged, because the
// process ended between the two.
type Inbox struct{ operations }

// NewInbox makes one over the current files of the providers.
func NewInbox(d Deps) *Inbox { return &Inbox{newOperations(d)} }

// judgedAfter is how old a call is before it is taken for one that was left.
const judgedAfter = 30 * time.Second

// Catch judges at most limit calls that were left, and says how many it found.
// One that can't be judged now is left for the next time.
func (i *Inbox) Catch(ctx context.Context, limit int) (int, error) {
	left, err := i.Store.Unjudged(ctx, i.Now().Add(-judgedAfter), limit)
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, r := range left {
		if !i.Serves(r.Account) {
			continue
		}
		if _, err := i.judgeStored(ctx, hearing{Received: r, system: true}); err != nil && !refuses(err) {
			failed = append(failed, err)
		}
	}
	return len(left), errors.Join(failed...)
}

// judgeStored judges a call whose body is in the inbox.
func (o operations) judgeStored(ctx context.Context, h hearing) (connection.Effect, error) {
	p, err := o.provider(h.Provider)
	if err != nil {
		return "", o.refuse(ctx, h, err)
	}
	h.provider = p
	if h.body, err = o.Vault.OpenBody(ctx, h.Received); err != nil {
		return "", o.refuse(ctx, h, err)
	}
	return o.judge(ctx, h)
}
