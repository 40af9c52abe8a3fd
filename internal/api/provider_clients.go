package api

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/wire"
)

// providerConnection is the shape of ProviderConnection.
type providerConnection struct {
	Account     account.ID        `json:"account_id"`
	Status      connection.Status `json:"status"`
	Event       string            `json:"event"`
	Turn        string            `json:"turn,omitempty"`
	Since       string            `json:"since"`
	Due         string            `json:"due,omitempty"`
	Overdue     bool              `json:"overdue"`
	Code        string            `json:"code,omitempty"`
	PagingToken string            `json:"paging_token,omitempty"`
}

// providerConnectionWhole is the shape of ProviderConnectionWhole.
type providerConnectionWhole struct {
	providerConnection
	CreatedAt string         `json:"created_at"`
	UpdatedAt string         `json:"updated_at"`
	Signups   jsontext.Value `json:"signups"`
	Events    jsontext.Value `json:"events"`
}

// ownProvider is the provider that the path names, if the caller may speak of
// it. A provider's client learns of no other whether it exists.
func (o operations) ownProvider(call *gate.Call) (*provider.Provider, error) {
	p, err := o.provider(call.Path("connection"))
	if own := call.Caller.Provider; own != "" && (err != nil || p.Slug != own) {
		return nil, fault.New(fault.Forbidden, fault.CodeForbidden, "the token is for another provider")
	}
	return p, err
}

// listProviderConnections pages through the connections to one provider.
func (o operations) listProviderConnections(ctx context.Context, call *gate.Call, _ struct{}) ([]providerConnection, error) {
	p, err := o.ownProvider(call)
	if err != nil {
		return nil, err
	}
	position, err := o.startingAfter(call)
	if err != nil {
		return nil, err
	}
	if err := o.ownerIsThere(ctx, call); err != nil {
		return nil, err
	}
	now := o.Now()
	rows, positions, err := o.providerRows(ctx, call, p, position, now)
	if err != nil {
		return nil, err
	}
	shown := make([]providerConnection, len(rows))
	for i, r := range rows {
		shown[i] = describeFor(p, r, now)
		shown[i].PagingToken = o.pagingToken(call, positions[i])
	}
	return shown, nil
}

// providerRows reads a page behind a position, and the position of each row:
// by age when the call asks for those who must act, else by account.
func (o operations) providerRows(
	ctx context.Context, call *gate.Call, p *provider.Provider, position string, now time.Time,
) (rows []store.QueueRow, positions []string, err error) {
	turns, statuses := call.Queries()["turn"], call.Queries()["status"]
	if len(turns) == 0 {
		var wanted []connection.Status
		for _, status := range statuses {
			wanted = append(wanted, connection.Status(status))
		}
		rows, err = o.Store.ProviderConnections(ctx, call.Caller, call.Account("oid"), p.Slug, wanted, account.ID(position), limitOf(call))
		for _, r := range rows {
			positions = append(positions, string(r.Account.ID))
		}
		return rows, positions, err
	}
	var after store.QueuePosition
	if position != "" {
		var ok bool
		if after, ok = store.ParseQueuePosition(position); !ok {
			return nil, nil, badCursor()
		}
	}
	f := store.QueueFilter{Providers: []string{p.Slug}, Statuses: statuses, Turns: turns, Snoozed: store.SnoozedShown, Now: now}
	rows, err = o.Store.Queue(ctx, call.Caller, call.Account("oid"), f, after, limitOf(call))
	for _, r := range rows {
		positions = append(positions, f.Position(r).String())
	}
	return rows, positions, err
}

// describeFor is how a connection stands, for its provider.
func describeFor(p *provider.Provider, r store.QueueRow, real time.Time) providerConnection {
	now := r.Account.Now(real)
	t := connection.TurnAt(r.Status, r.Stand, p, r.LinkEnds, now)
	return providerConnection{
		Account: r.Account.ID, Status: r.Status, Event: t.Event, Turn: t.Who, Since: onWire(t.Since), Due: onWire(t.Due),
		Overdue: !t.Due.IsZero() && now.After(t.Due), Code: t.Code,
	}
}

// readProviderConnection reads one connection to a provider.
func (o operations) readProviderConnection(ctx context.Context, call *gate.Call, _ struct{}) (providerConnectionWhole, error) {
	p, err := o.ownProvider(call)
	if err != nil {
		return providerConnectionWhole{}, err
	}
	c, ahead, err := o.Store.ProviderConnection(ctx, call.Caller, call.Account("oid"), call.Account("aid"), p.Slug)
	if err != nil {
		return providerConnectionWhole{}, err
	}
	row := store.QueueRow{
		Account: account.Account{ID: c.Account, Ahead: ahead}, Provider: p.Slug, Status: c.Status, Stand: c.Stand,
		LinkEnds: c.Signups[len(c.Signups)-1].ExpiresAt,
	}
	return providerConnectionWhole{
		providerConnection: describeFor(p, row, o.Now()), CreatedAt: onWire(c.CreatedAt), UpdatedAt: onWire(c.UpdatedAt),
		Signups: wire.Signups(c, p), Events: wire.Events(c.Events),
	}, nil
}

// addProviderEvent is the call of a provider about one of its connections.
func (o operations) addProviderEvent(ctx context.Context, call *gate.Call, in eventBody) (gate.Reply, error) {
	if _, err := o.ownProvider(call); err != nil {
		return gate.Reply{}, err
	}
	return o.addEvent(ctx, call, call.Account("oid"), in, wire.Event)
}
