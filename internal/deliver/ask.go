package deliver

import (
	"context"
	"errors"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gateway"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/vault"
)

// How connections are asked about that nobody asks about: a few at a time, each
// at most once in askAgain.
const (
	askEvery = time.Minute
	askAgain = 6 * time.Hour
	askBatch = 20
)

// The words of the header Mooring-Sync for an answer that was taken in; the
// others are the desk's outcomes.
const (
	Changed   = "changed"
	Unchanged = "unchanged"
)

// Ask asks the provider how a connection stands, takes in what changed, and
// keeps how it went. by is the author of what is recorded. The word that it
// returns is for the header Mooring-Sync; that the provider could not be asked
// is no error.
func (d *Deliverer) Ask(ctx context.Context, c *connection.Connection, p *provider.Provider, by string) (string, error) {
	return d.ask(ctx, c, p, by, true)
}

// ask does so. Where nobody asked for it, an enabled connection is not changed:
// that its provider says something else is kept, for a person to look at.
func (d *Deliverer) ask(ctx context.Context, c *connection.Connection, p *provider.Provider, by string, wanted bool) (string, error) {
	asked := d.Now()
	report, outcome, trouble := d.Desk.Ask(ctx, gateway.Question{Account: c.Account, Provider: p, Connection: c})
	switch outcome {
	case gateway.Done:
	case gateway.Failed:
		d.Metrics.CounterOf("mooring_syncs_failed_total", "Questions that a provider did not answer.", "provider", p.Slug).Inc()
		d.Log.Warn("asking a provider failed", "account", c.Account, "provider", p.Slug, "cause", trouble)
		return string(outcome), d.keep(ctx, c, asked, plain(trouble), "")
	case gateway.Unavailable:
		if wanted {
			return string(outcome), nil
		}
		// Kept, so that the next round asks about others.
		return string(outcome), d.keep(ctx, c, asked, "the provider's gateway does not say how connections stand", "")
	default:
		return string(outcome), nil
	}
	d.Metrics.CounterOf("mooring_syncs_total", "Questions that a provider answered.", "provider", p.Slug).Inc()
	if c.Status == connection.Enabled && !wanted {
		return Unchanged, d.keep(ctx, c, asked, "", driftOf(report))
	}
	word, err := d.take(ctx, c, p, report, by)
	if err != nil {
		return string(gateway.Failed), errors.Join(err, d.keep(ctx, c, asked, untaken(err), ""))
	}
	return word, d.keep(ctx, c, asked, "", "")
}

// driftOf is what a provider has of a connection that is enabled here; "" when
// it agrees.
func driftOf(r provider.Report) string {
	if r.Status == string(connection.Enabled) {
		return ""
	}
	return r.Status
}

// take stores what a provider said of a connection, unless the connection has
// moved since it was asked.
func (d *Deliverer) take(ctx context.Context, c *connection.Connection, p *provider.Provider, report provider.Report, by string) (string, error) {
	at := store.Place{Account: c.Account, Provider: c.Provider}
	kept, parts := p.SplitConfiguration(report.Configuration)
	sealed, err := d.Vault.Configuration(ctx, at, parts, p.Certificates)
	if err != nil {
		return "", err
	}
	report.Configuration = kept
	if report.Renewed, err = d.Vault.Renews(ctx, at, c.ConfiguredSeq, parts); err != nil {
		return "", err
	}
	word := Unchanged
	_, err = d.Store.Change(ctx, store.Change{
		System: true, Account: at.Account, Provider: at.Provider, Whole: true,
		Decide: func(f store.Found) (store.Decision, error) {
			decision, err := takeReport(f.Connection, p, c.LastSeq, report, sealed, d.act(f.Account, by))
			if word = Unchanged; decision.Connection != nil {
				word = Changed
			}
			return decision, err
		},
	})
	return word, err
}

// takeReport stores what a provider said of a connection whose newest event
// was number asked, unless the connection has moved since.
func takeReport(
	c *connection.Connection, p *provider.Provider, asked int64, report provider.Report, sealed vault.Sealed, act connection.Act,
) (store.Decision, error) {
	if c == nil {
		return store.Decision{}, fault.Missing()
	}
	if c.LastSeq != asked {
		return store.Decision{}, nil
	}
	before := c.ConfiguredSeq
	if changed, err := connection.ApplyReport(c, p, report, act); err != nil || !changed {
		return store.Decision{}, err
	}
	return configured(c, before, sealed), nil
}

// configured is the decision to store a connection, with the sealed members of
// its configuration when an event has brought one.
func configured(c *connection.Connection, before int64, sealed vault.Sealed) store.Decision {
	if c.ConfiguredSeq == before {
		return store.Decision{Connection: c}
	}
	return store.Decision{Connection: c, Keys: sealed.Keys, Fields: sealed.At(c.ConfiguredSeq)}
}

// keep writes how a question went.
func (d *Deliverer) keep(ctx context.Context, c *connection.Connection, asked time.Time, trouble, drift string) error {
	at := store.Place{Account: c.Account, Provider: c.Provider}
	known, err := d.Store.Sync(ctx, at)
	if err != nil {
		return err
	}
	state := store.SyncState{
		Account: at.Account, Provider: at.Provider, LastAskedAt: asked, LastSyncedAt: known.LastSyncedAt,
		LastError: trouble, Drift: known.Drift, DriftSince: known.DriftSince,
	}
	if trouble == "" {
		state.LastSyncedAt = asked
		if state.Drift = drift; drift == "" {
			state.DriftSince = time.Time{}
		} else if known.Drift == "" {
			state.DriftSince = asked
		}
	}
	return d.Store.SaveSync(ctx, state)
}

// untaken is what operators are told when an answer could not be taken in: with
// the reason where it is one about the answer, which never quotes a value.
func untaken(err error) string {
	const told = "what the provider said could not be taken in"
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind == fault.Invalid {
		return told + ": " + f.Message
	}
	return told
}

// plain is what of an error may be shown to operators.
func plain(err error) string {
	if f, ok := errors.AsType[*gateway.Failure](err); ok {
		return f.Reason
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "the provider did not answer in time"
	}
	return "the provider could not be asked, or its answer made no sense"
}

// keepAsking asks about connections of production that nobody asked about for a
// while: those that are pending, and a sample of those that are enabled.
func (d *Deliverer) keepAsking(ctx context.Context) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := d.AskAround(ctx); err != nil && ctx.Err() == nil {
			d.Log.Warn("asking providers about connections failed", "error", err)
		}
	}
}

// AskAround asks once about a few connections.
func (d *Deliverer) AskAround(ctx context.Context) error {
	catalogue := d.Catalogue()
	places, err := d.Store.DueForSync(ctx, account.Production, d.askable(catalogue), d.Now().Add(-askAgain), askBatch)
	if err != nil {
		return err
	}
	for _, at := range places {
		p, ok := catalogue.Resolve(at.Provider)
		if !ok || !d.Serves(at.Account) {
			continue
		}
		c, err := d.Store.Connection(ctx, platform(at.Account), at.Account, at.Provider)
		if err != nil {
			return err
		}
		if _, err := d.ask(ctx, c, p, c.Signups[len(c.Signups)-1].ID, false); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// askable lists the providers that have a gateway.
func (d *Deliverer) askable(catalogue *provider.Catalogue) []string {
	var slugs []string
	for _, p := range catalogue.All() {
		if d.Takes(p.Slug) {
			slugs = append(slugs, p.Slug)
		}
	}
	return slugs // by slug, as the catalogue is
}
