package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/store"
)

// The days before the end of a certificate at which an event is recorded, the
// earliest first.
var thresholds = []int{60, 30, 7}

// Reminder is an event to record because a certificate ends soon.
type Reminder struct {
	Expiry
	Due  time.Time // in the account's own time
	days int       // before the end
}

// reminders are those of a certificate: the last that is due, and those to
// come. What was due before the last is not made up for.
func (e Expiry) reminders() []Reminder {
	var all []Reminder
	for _, days := range thresholds {
		r := Reminder{e, e.NotAfter.Add(-time.Duration(days) * 24 * time.Hour), days}
		if !r.Due.After(e.Now) {
			all = nil
		}
		all = append(all, r)
	}
	return all
}

// name is what the event is recorded under, once.
func (r Reminder) name() string { return fmt.Sprintf("expiry/%d/%s/%d", r.Version, r.Member, r.days) }

// Reminders lists the reminders of an account, whose own time it is now, that
// were not recorded yet. Soonest first.
func (v *Vault) Reminders(ctx context.Context, id account.ID, now time.Time) ([]Reminder, error) {
	fields, err := v.store.Ending(ctx, id)
	if err != nil {
		return nil, err
	}
	var all []Reminder
	for _, f := range fields {
		for _, r := range expiryOf(f, now).reminders() {
			done, err := v.recorded(ctx, r)
			if err != nil {
				return nil, err
			}
			if !done {
				all = append(all, r)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Reminder) int { return a.Due.Compare(b.Due) })
	return all, nil
}

// recorded says whether a reminder was recorded. One to come was not.
func (v *Vault) recorded(ctx context.Context, r Reminder) (bool, error) {
	if r.Due.After(r.Now) {
		return false, nil
	}
	if v.reminded(r.Place, r.name()) {
		return true, nil
	}
	there, err := v.store.Recorded(ctx, r.Place, r.name())
	if there {
		v.remember(r.Place, r.name())
	}
	return there, err
}

// Remind records on the connections that the caller may see which certificates
// end soon: one event for each certificate and threshold, in the account's own
// time. When several thresholds have passed at once only the last is recorded.
func (v *Vault) Remind(ctx context.Context, caller auth.Caller) error {
	found, err := v.Expiring(ctx, caller, time.Duration(thresholds[0])*24*time.Hour)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range found {
		if _, err := v.Record(ctx, e.reminders()[0]); err != nil {
			errs = append(errs, fmt.Errorf("remind %s/%s: %w", e.Place.Account, e.Place.Provider, err))
		}
	}
	return errors.Join(errs...)
}

// Record records a reminder that is due, and says whether it did: not when it
// was recorded before, and not of a certificate that is not in force any more.
func (v *Vault) Record(ctx context.Context, r Reminder) (bool, error) {
	if v.reminded(r.Place, r.name()) {
		return false, nil
	}
	if r.Now.Before(r.Due) { // the clock was moved to it since
		r.Now = r.Due
	}
	metadata, err := json.Marshal(map[string]any{
		"member": r.Member, "not_after": r.NotAfter.UTC().Format(time.RFC3339), "days": r.Days(),
	})
	if err != nil {
		return false, err
	}
	recorded := false
	_, err = v.store.Change(ctx, store.Change{
		System: true, Account: r.Place.Account, Provider: r.Place.Provider, ExternalID: r.name(),
		Decide: func(f store.Found) (store.Decision, error) {
			recorded = false
			if f.Connection == nil || f.Duplicate != nil || f.Connection.ConfiguredSeq != r.Version {
				return store.Decision{}, nil
			}
			act := connection.Act{At: f.Account.Now(v.now()), By: remindedBy, NewID: v.newID}
			_, err := connection.Append(f.Connection, nil, connection.NewEvent{
				Status: f.Connection.Status, Name: connection.CredentialExpiring, Metadata: metadata, ExternalID: r.name(),
			}, act)
			recorded = err == nil
			return store.Decision{Connection: f.Connection}, err
		},
	})
	if err == nil || fault.From(err).Kind == fault.Invalid { // a history that is full stays so
		v.remember(r.Place, r.name())
	}
	return recorded && err == nil, err
}

// expiryOf is the certificate in a field, by the account's own time.
func expiryOf(f store.SealedField, now time.Time) Expiry {
	return Expiry{
		Place: store.Place{Account: f.Account, Provider: f.Provider}, Member: strings.TrimPrefix(f.Pointer, "/"),
		Version: f.Version, NotAfter: f.NotAfter, Now: now,
	}
}

// remindedBy is the author of the events: nobody but the service.
const remindedBy = "mooring"

// reminded says whether this process has recorded a reminder already; the
// connection itself knows in any case.
func (v *Vault) reminded(at store.Place, name string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.reminders[reminder{at, name}]
}

type reminder struct {
	at   store.Place
	name string
}

func (v *Vault) remember(at store.Place, name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.reminders == nil || len(v.reminders) >= maxExpiring {
		v.reminders = map[reminder]bool{}
	}
	v.reminders[reminder{at, name}] = true
}
