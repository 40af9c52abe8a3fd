package deliver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gateway"
	"mooring/internal/provider"
	"mooring/internal/store"
)

// The timetable of a submission: the first retry after RetryMin, each further
// one after twice the time, at most RetryMax, each give or take a quarter. A
// gateway may ask for more. After GiveUpAfter, and at least giveUpAttempts
// attempts, a person is asked instead.
const (
	RetryMin       = 5 * time.Second
	RetryMax       = time.Hour
	GiveUpAfter    = 72 * time.Hour
	giveUpAttempts = 10
)

// SubmissionFailed is the event of a signup that no gateway took.
const SubmissionFailed = "submission_failed"

// reasonFailed is its reason code: it is the operator's turn.
const reasonFailed = "gateway_failed"

// settleTime is how long settling may take when the process is stopping.
const settleTime = 5 * time.Second

// deliver hands over one signup and settles how it went.
func (d *Deliverer) deliver(ctx context.Context, task store.Task) {
	trouble := d.attempt(ctx, task)
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if ctx.Err() != nil && trouble != nil {
		trouble = &gateway.Failure{Reason: "the service was stopped while it was under way", RetryAfter: time.Second, Cause: trouble}
	}
	settled, err := d.outcome(settling, task, trouble)
	if err == nil {
		err = d.Store.Settle(settling, settled)
	}
	log := d.Log.With("account", task.Account, "provider", task.Provider, "signup", task.Signup, "attempt", task.Attempts)
	switch {
	case err != nil:
		log.Warn("a submission could not be settled; it will be handed over again", "error", err)
	case trouble != nil:
		d.count("mooring_submissions_failed_total", "Attempts to hand a signup to a gateway that failed.")
		log.Warn("a signup could not be handed over", "reason", settled.LastError, "cause", errors.Unwrap(trouble), "state", settled.State)
	default:
		d.count("mooring_submissions_total", "Signups that a gateway has taken.")
		log.Info("a signup was handed over")
	}
}

// moot is a submission that has nothing to hand over any more.
type moot string

func (m moot) Error() string { return string(m) }

// attempt hands a signup over and takes in what is said to it at once.
func (d *Deliverer) attempt(ctx context.Context, task store.Task) error {
	p, ok := d.Catalogue().Resolve(task.Provider)
	if !ok {
		return errors.New("the provider is not known here")
	}
	submission, err := d.submission(ctx, task, p)
	if err != nil {
		return err
	}
	message, err := d.Gateway.Submit(ctx, submission)
	if err != nil || message == nil {
		return err
	}
	_, err = d.hear(ctx, store.Place{Account: task.Account, Provider: task.Provider}, p, *message, message.Signup)
	return err
}

// standing finds the signup of a task as it is now, unless there is nothing to
// hand over any more.
func (d *Deliverer) standing(ctx context.Context, task store.Task, p *provider.Provider) (connection.Signup, account.Account, error) {
	var s *connection.Signup
	c, err := d.Store.Connection(ctx, platform(task.Account), task.Account, task.Provider)
	if err == nil {
		s = c.Find(task.Signup)
	}
	switch {
	case err != nil:
		err = mootIfMissing(err, "the connection is gone")
	case s == nil:
		err = moot("the signup is gone")
	case !s.ErasedAt.IsZero():
		err = moot("the signup was erased")
	case !p.Signup.Many && s.Seq != c.LastSignup:
		err = moot("the signup was replaced by a newer one")
	}
	if err != nil {
		return connection.Signup{}, account.Account{}, err
	}
	acc, err := d.Store.Account(ctx, platform(task.Account), task.Account)
	return *s, acc, err
}

// submission puts together what the gateway is given.
func (d *Deliverer) submission(ctx context.Context, task store.Task, p *provider.Provider) (gateway.Submission, error) {
	none := gateway.Submission{}
	s, acc, err := d.standing(ctx, task, p)
	if err != nil {
		return none, err
	}
	parts, err := d.sealed(ctx, task, func(string) bool { return true })
	if err != nil {
		return none, err
	}
	data, err := gateway.Whole(s.Data, parts)
	if err != nil {
		return none, err
	}
	token, err := d.CallbackToken(ctx, task.Account, p.Slug, s.ID, s.ExpiresAt)
	if err != nil {
		return none, err
	}
	callback := gateway.Callback{Events: d.CallbackURL(task.Account, p.Slug, s.ID) + "/events", Token: token}
	if path := p.CallbackPath(task.Account, s.ID); path != "" {
		callback.Documented = d.PublicURL + path
	}
	return gateway.Submission{ID: task.ID, Account: acc, Provider: p, Signup: s, Data: data, Callback: callback}, nil
}

// sealed opens what was sealed of a task's signup, if any of it is wanted.
func (d *Deliverer) sealed(ctx context.Context, task store.Task, wanted func(pointer string) bool) ([]provider.Part, error) {
	at := store.Place{Account: task.Account, Provider: task.Provider}
	fields, err := d.Store.SealedFields(ctx, at, task.Signup)
	if err != nil || !slices.ContainsFunc(fields, func(f store.SealedField) bool { return wanted(f.Pointer) }) {
		return nil, err
	}
	return d.Vault.OpenSignup(ctx, at, task.Signup)
}

// hear takes in what a provider said of a signup, the way its callbacks are. What
// is refused is moot.
func (d *Deliverer) hear(ctx context.Context, at store.Place, p *provider.Provider, m connection.Message, by string) (connection.Effect, error) {
	kept, parts := p.SplitConfiguration(m.Configuration)
	sealed, err := d.Vault.Configuration(ctx, at, parts, p.Certificates)
	if err != nil {
		return "", err
	}
	m.Configuration = kept
	effect := connection.Duplicate
	_, err = d.Store.Change(ctx, store.Change{
		System: true, Account: at.Account, Provider: at.Provider, Whole: true, ExternalID: m.Event.ExternalID,
		Decide: func(f store.Found) (store.Decision, error) {
			effect = connection.Duplicate
			switch {
			case f.Duplicate != nil:
				return store.Decision{}, nil
			case f.Connection == nil:
				return store.Decision{}, fault.Missing()
			}
			before := f.Connection.ConfiguredSeq
			e, err := connection.Hear(f.Connection, p, m, d.act(f.Account, by))
			if err != nil {
				return store.Decision{}, err
			}
			effect = connection.EffectOf(e)
			return configured(f.Connection, before, sealed), nil
		},
	})
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind == fault.Invalid {
		return "", moot("what the provider said was refused: " + f.Message)
	}
	return effect, err
}

// act speaks for whoever a reference was given to.
func (d *Deliverer) act(acc account.Account, reference string) connection.Act {
	return connection.Act{At: acc.Now(d.Now()), By: reference, NewID: d.NewID, NewToken: d.NewToken}
}

// outcome is how a submission stands after an attempt.
func (d *Deliverer) outcome(ctx context.Context, task store.Task, trouble error) (store.Task, error) {
	task.State, task.LastError = store.TaskDone, ""
	if trouble == nil {
		return task, nil
	}
	if reason, ok := errors.AsType[moot](trouble); ok {
		task.LastError = string(reason)
		return task, nil
	}
	task.LastError = "the signup could not be handed over"
	var wait time.Duration
	if f, ok := errors.AsType[*gateway.Failure](trouble); ok {
		task.LastError, wait = f.Reason, f.RetryAfter
	} else if errors.Is(trouble, gateway.ErrUnavailable) {
		task.LastError = "no gateway takes signups for this provider"
	}
	c, err := d.Store.Connection(ctx, platform(task.Account), task.Account, task.Provider)
	if err != nil {
		return task, err
	}
	s := c.Find(task.Signup)
	if s != nil && d.Now().Sub(s.CreatedAt) >= GiveUpAfter && task.Attempts >= giveUpAttempts {
		task.State = store.TaskGaveUp
		return task, d.tellOperator(ctx, task)
	}
	task.State, task.DueAt = store.TaskDue, d.Now().Add(max(wait, pause(task.Attempts)))
	return task, nil
}

// pause is how long to wait after so many attempts.
func pause(attempts int64) time.Duration {
	wait := RetryMax
	if attempts < 12 {
		wait = min(RetryMin<<max(attempts-1, 0), RetryMax)
	}
	return wait*3/4 + rand.N(wait/2)
}

// tellOperator records that a signup was handed to nobody. It is known by its
// external id when this is done again.
func (d *Deliverer) tellOperator(ctx context.Context, task store.Task) error {
	p, ok := d.Catalogue().Resolve(task.Provider)
	if !ok {
		return errors.New("the provider is not known here")
	}
	external := "submission:" + task.ID + ":gave_up"
	text := fmt.Sprintf("After %d attempts nobody has taken the signup: %s.", task.Attempts, task.LastError)
	_, err := d.Store.Change(ctx, store.Change{
		System: true, Account: task.Account, Provider: task.Provider, Whole: true, ExternalID: external,
		Decide: func(f store.Found) (store.Decision, error) {
			if f.Duplicate != nil || f.Connection == nil {
				return store.Decision{}, nil
			}
			s := f.Connection.Find(task.Signup)
			if s == nil {
				return store.Decision{}, nil
			}
			_, err := connection.Append(f.Connection, p, connection.NewEvent{
				Status: f.Connection.Status, Name: SubmissionFailed, Description: &text, ExternalID: external,
				Signup: s.Seq, Code: reasonFailed, Rule: p.Signup.Rule,
			}, d.act(f.Account, s.ID))
			return store.Decision{Connection: f.Connection}, err
		},
	})
	d.count("mooring_submissions_given_up_total", "Signups that no gateway took in time.")
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Code == fault.CodeLimitReached {
		return nil // the history is full; the task itself says that it was given up
	}
	return err
}

func mootIfMissing(err error, reason string) error {
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind == fault.NotFound {
		return moot(reason)
	}
	return err
}
