package intake

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/vault"
)

// names is the space of the ids that imported things get which have none.
var names = uuid.MustParse("c0a4c0de-7f6b-4a55-9d63-2f7b0f9f6c11")

// restored is a connection of a row, before what it holds is sealed.
type restored struct {
	connection *connection.Connection
	references map[string]string
	signups    map[string][]provider.Part // by id
	configured []provider.Part
}

// connection is what is to be written of one connection: nil when it is there.
func (p *plan) connection(ctx context.Context, acc account.Account, of *provider.Provider, c Connection) (*store.ImportedConnection, error) {
	at := store.Place{Account: p.row.ID, Provider: of.Slug}
	r, err := p.restore(at, of, c)
	if err != nil {
		return nil, err
	}
	if p.known != nil {
		if is := p.known.Connections[of.Slug]; is != nil {
			return nil, p.sameAs(ctx, at, is, r)
		}
	}
	if acc.Owner == "" && p.known == nil || len(p.problems) > 0 {
		return nil, nil // nothing of the row is taken; it need not be sealed
	}
	made := &store.ImportedConnection{Connection: r.connection, References: r.references}
	for _, s := range r.connection.Signups {
		sealed, err := p.Vault.Signup(ctx, at, s.ID, r.signups[s.ID])
		if err != nil {
			return nil, err
		}
		made.Keys, made.Fields = append(made.Keys, sealed.Keys...), append(made.Fields, sealed.Fields...)
	}
	sealed, err := p.configuration(ctx, at, of, r)
	made.Keys, made.Fields = append(made.Keys, sealed.Keys...), append(made.Fields, sealed.At(r.connection.ConfiguredSeq)...)
	return made, err
}

// configuration seals what a configuration holds under the account's own key.
func (p *plan) configuration(ctx context.Context, at store.Place, of *provider.Provider, r restored) (vault.Sealed, error) {
	if len(r.configured) == 0 {
		return vault.Sealed{}, nil
	}
	if p.own == nil {
		own, err := p.Vault.Own(ctx, at.Account)
		if err != nil {
			return vault.Sealed{}, err
		}
		p.own = own
	}
	return p.own.Configuration(at, r.configured, of.Certificates)
}

// sameAs refuses a connection that is there but not the one of the row.
func (p *plan) sameAs(ctx context.Context, at store.Place, is *connection.Connection, r restored) error {
	differs := func(path, message string) error {
		return fault.Refused(problem(path, fault.CodeConflict, message))
	}
	if !is.Continues(r.connection) {
		return differs("/", "is here already, with another history")
	}
	for reference, signup := range r.references {
		if p.known.References[at.Provider][reference] != signup {
			return differs("/signups", "are here already, without this callback_reference")
		}
	}
	if is.ConfiguredSeq != r.connection.ConfiguredSeq {
		return nil // it has got another configuration since
	}
	renewed, err := p.Vault.Renews(ctx, at, is.ConfiguredSeq, r.configured)
	if err == nil && renewed {
		err = differs("/configuration", "is here already, with other secrets")
	}
	return err
}

// restore makes the connection of what the row says.
func (p *plan) restore(at store.Place, of *provider.Provider, c Connection) (restored, error) {
	r := restored{references: map[string]string{}, signups: map[string][]provider.Part{}}
	past := connection.Past{
		Status: c.Status, CreatedAt: c.CreatedAt, CreatedBy: c.CreatedBy, UpdatedAt: c.UpdatedAt, Metadata: emptied(c.Metadata),
	}
	var problems []fault.Problem
	add := func(err error, at string) {
		for _, one := range problemsOf(fault.From(err)) {
			one.Path = at + one.Path
			problems = append(problems, one)
		}
	}
	for i, s := range c.Signups {
		one, err := p.signup(at, of, i, s, &r)
		if err != nil {
			add(err, fmt.Sprintf("/signups/%d", i))
		}
		past.Signups = append(past.Signups, one)
	}
	for i, e := range c.Events {
		one := e.past()
		if len(of.SecretsIn(one.Metadata)) > 0 {
			problems = append(problems, problem(fmt.Sprintf("/events/%d/metadata", i), "SECRET_NOT_ALLOWED", "holds what must not be kept in clear"))
		}
		past.Events = append(past.Events, one)
	}
	if len(of.SecretsIn(past.Metadata)) > 0 {
		problems = append(problems, problem("/metadata", "SECRET_NOT_ALLOWED", "holds what must not be kept in clear"))
	}
	if configuration := emptied(c.Configuration); configuration != nil {
		if err := of.CheckKept(configuration); err != nil {
			problems = append(problems, problem("/configuration", fault.CodeInvalidParameter, err.Error()))
		}
		past.Configuration, r.configured = of.SplitConfiguration(configuration)
	}
	made, err := connection.Restore(p.row.ID, of, past, p.idOf(of.Slug), connection.Act{At: p.now, By: p.by.Client, NewToken: p.NewToken})
	if err != nil && fault.From(err).Kind != fault.Invalid {
		return r, err
	}
	if err != nil {
		add(err, "")
	}
	if len(problems) > 0 {
		return r, fault.Refused(problems...)
	}
	r.connection = made
	return r, nil
}

// idOf names what has no id of its own: the same thing always the same.
func (p *plan) idOf(slug string) func(int64) string {
	return func(n int64) string {
		return uuid.NewSHA1(names, fmt.Appendf(nil, "%s/%s/%d", p.row.ID, slug, n)).String()
	}
}

// signup makes one application ready to be restored.
func (p *plan) signup(at store.Place, of *provider.Provider, i int, s Signup, r *restored) (connection.PastSignup, error) {
	if len(s.Shown) > 0 {
		if len(s.Data) > 0 {
			return connection.PastSignup{}, fault.Refused(problem("/data", fault.CodeInvalidParameter, "stands beside as_shown, which has the data in it; give one of them"))
		}
		var err error
		if s, err = s.unshown(of); err != nil {
			return connection.PastSignup{}, err
		}
	}
	if s.Reference != "" && s.ID == "" && isUUID(s.Reference) {
		s.ID, s.Reference = s.Reference, ""
	}
	id := cmp.Or(s.ID, p.idOf(at.Provider)(-int64(i+1)))
	data, err := canonicalObject(s.Data)
	if err != nil {
		return connection.PastSignup{}, fault.Refused(problem("/data", fault.CodeInvalidParameter, "must be an object"))
	}
	if unknown := of.Undeclared(data); len(unknown) > 0 {
		return connection.PastSignup{}, undeclared(of, unknown)
	}
	past := connection.PastSignup{
		Application: connection.Application{ID: id, Key: of.SignupKey(data)},
		CreatedAt:   s.CreatedAt, CallbackAt: s.CallbackAt, ExpiresAt: s.ExpiresAt,
	}
	kept, parts := of.SplitSignup(data)
	if past.Data = kept; len(parts) > 0 {
		past.Digest = p.Vault.Digest("signup", data)
		r.signups[id] = parts
	}
	if other, taken := r.references[s.Reference]; taken && s.Reference != "" && other != id {
		return past, fault.Refused(problem("/callback_reference", "DUPLICATE", "is that of another signup of this connection"))
	}
	if s.Reference != "" && s.Reference != id {
		r.references[s.Reference] = id
	}
	return past, nil
}

// undeclared refuses what the provider's file has no member for: nothing says
// whether it may rest in clear.
func undeclared(of *provider.Provider, pointers []string) error {
	problems := make([]fault.Problem, len(pointers))
	for i, pointer := range pointers {
		problems[i] = problem("/data"+pointer, "UNKNOWN_MEMBER", "is not a member that a signup for "+of.Title+" knows")
	}
	return fault.Refused(problems...)
}

// unshown takes a signup apart that is as an answer shows it: what the service
// made of its own, and the request.
func (s Signup) unshown(of *provider.Provider) (Signup, error) {
	made, data, err := of.Unshow(s.Shown)
	if err != nil {
		return s, fault.Refused(problem("/as_shown", fault.CodeInvalidParameter, err.Error()))
	}
	var times Signup
	if err := json.Unmarshal(made, &times); err != nil {
		return s, fault.Refused(problem("/as_shown", fault.CodeInvalidParameter, "has a member of another kind than answers have"))
	}
	s.Data, s.CreatedAt, s.CallbackAt, s.ExpiresAt = of.Declared(data), kept(times.CreatedAt), kept(times.CallbackAt), kept(times.ExpiresAt)
	if s.Reference == "" {
		s.Reference = times.ID
	}
	return s, nil
}

func (e Event) past() connection.PastEvent {
	return connection.PastEvent{
		ID: e.ID, By: e.CreatedBy, At: e.CreatedAt,
		NewEvent: connection.NewEvent{
			Status: e.Status, Name: e.Name, Description: e.Description, Metadata: emptied(e.Metadata), ExternalID: e.ExternalID,
			OccurredAt: e.OccurredAt, Signup: e.Signup, Code: e.Code, ProviderCode: e.ProviderCode,
		},
	}
}

// emptied is an object in its one spelling; nil when it says nothing.
func emptied(raw json.RawMessage) []byte {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil
	}
	text, err := provider.Canonical(raw)
	if err != nil || bytes.Equal(text, []byte(`{}`)) {
		return nil
	}
	return text
}

func isUUID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}
