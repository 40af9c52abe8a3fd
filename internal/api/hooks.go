package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/gate"
	"mooring/internal/hook"
	"mooring/internal/store"
)

// hookKinds is what the operations of hooks see; subscriptions of people are
// notices.
var hookKinds = []hook.Kind{hook.KindHook}

// hookBody is the shape of HookSubscriptionRequest and HookSubscriptionUpdate.
// What is nil was not named, and stays.
type hookBody struct {
	Active        *bool          `json:"active"`
	Config        hookConfig     `json:"config"`
	Events        []string       `json:"events"`
	Fields        jsontext.Value `json:"fields"`
	ExcludeFields jsontext.Value `json:"exclude_fields"`
}

type hookConfig struct {
	URL         *string        `json:"url"`
	ContentType *string        `json:"content_type"`
	Secret      jsontext.Value `json:"secret"`
	InsecureSSL *int           `json:"insecure_ssl"`
	Asymmetric  *bool          `json:"asymmetric"`
}

// hookShown is the shape of HookSubscription.
type hookShown struct {
	hook.Shown
	Secrets   []hookSecretShown `json:"secrets"`
	Health    hookHealth        `json:"health"`
	PublicKey string            `json:"public_key,omitempty"`
	Secret    string            `json:"webhook_secret,omitempty"`
}

type hookSecretShown struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	CreatedAt string `json:"created_at"`
	ExpiresAt string `json:"expires_at,omitempty"`
}

type hookHealth struct {
	State        string `json:"state"`
	SucceededAt  string `json:"succeeded_at,omitempty"`
	FailingSince string `json:"failing_since,omitempty"`
	Failures     int64  `json:"failures,omitzero"`
	NextProbeAt  string `json:"next_probe_at,omitempty"`
	DisabledAt   string `json:"disabled_at,omitempty"`
	Reason       string `json:"reason,omitempty"`
}

// secretTypes is what kinds of secrets are called on the wire.
var secretTypes = map[string]string{
	store.SecretSignature: hook.SecretHMAC, store.SecretAuthorization: hook.SecretAuthorization,
	store.SecretStandard: "v1", store.SecretAsymmetric: "v1a",
}

// showHook is how a subscription is answered with; secrets that have ended are
// left out.
func (o operations) showHook(sub store.Subscription, publicKey string) hookShown {
	shown := hookShown{Shown: sub.Shown(), Secrets: []hookSecretShown{}, Health: healthOf(sub), PublicKey: publicKey}
	now := o.Now()
	for _, s := range sub.Secrets {
		if s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt) {
			shown.Secrets = append(shown.Secrets, hookSecretShown{s.ID, secretTypes[s.Kind], onWire(s.CreatedAt), onWire(s.ExpiresAt)})
		}
	}
	return shown
}

func healthOf(sub store.Subscription) hookHealth {
	p := sub.Progress
	h := hookHealth{
		State: "healthy", SucceededAt: onWire(p.SucceededAt), FailingSince: onWire(p.FailingSince), Failures: p.Failures,
		NextProbeAt: onWire(p.ProbeAt), DisabledAt: onWire(sub.DisabledAt), Reason: sub.DisabledWhy,
	}
	switch {
	case !sub.DisabledAt.IsZero():
		h.State = "disabled"
	case !sub.Active:
		h.State = "paused"
	case !p.ProbeAt.IsZero():
		h.State = "waiting"
	case p.Failures > 0:
		h.State = "failing"
	}
	return h
}

// publicKeyOf is what the receiver of a subscription verifies its messages
// with, if they are signed with a key pair.
func (o operations) publicKeyOf(ctx context.Context, sub store.Subscription) (string, error) {
	if !sub.Settings.Asymmetric || !sub.DeletedAt.IsZero() {
		return "", nil
	}
	secrets, err := o.Vault.OpenSecrets(ctx, sub.Account, sub.ID, o.Now())
	if err != nil || len(secrets.Asymmetric) == 0 {
		return "", err
	}
	return hook.PublicOf(secrets.Asymmetric[0]), nil
}

// listHooks lists the subscriptions of an account to endpoints, oldest first.
func (o operations) listHooks(ctx context.Context, call *gate.Call, _ struct{}) ([]hookShown, error) {
	id := call.Account("aid")
	if _, err := o.Store.Account(ctx, call.Caller, id); err != nil {
		return nil, err
	}
	subs, err := o.Store.Subscriptions(ctx, call.Caller, id, hookKinds)
	if err != nil {
		return nil, err
	}
	all := make([]hookShown, len(subs))
	for i, sub := range subs {
		key, err := o.publicKeyOf(ctx, sub)
		if err != nil {
			return nil, err
		}
		all[i] = o.showHook(sub, key)
	}
	return all, nil
}

// readHook shows one.
func (o operations) readHook(ctx context.Context, call *gate.Call, _ struct{}) (hookShown, error) {
	sub, err := o.hookOf(ctx, call)
	if err != nil {
		return hookShown{}, err
	}
	key, err := o.publicKeyOf(ctx, sub)
	return o.showHook(sub, key), err
}

func (o operations) hookOf(ctx context.Context, call *gate.Call) (store.Subscription, error) {
	return o.Store.SubscriptionOf(ctx, call.Caller, call.Account("aid"), hidOf(call), hookKinds)
}

// hidOf is the id of a subscription in the path: a UUID, of which case does not
// matter.
func hidOf(call *gate.Call) string { return strings.ToLower(call.Path("hid")) }

// makeHook subscribes an endpoint. What is kept under a key has no secret.
func (o operations) makeHook(ctx context.Context, call *gate.Call, in hookBody) (gate.Reply, error) {
	now := o.Now()
	sub := store.Subscription{Subscription: hook.Subscription{
		Account: call.Account("aid"), ID: NewID(), Kind: hook.KindHook, Active: true, CreatedAt: now, CreatedBy: call.Caller.Client,
	}}
	edit, err := o.hookEdit(ctx, call, in, &sub)
	if err != nil {
		return gate.Reply{}, err
	}
	d, err := o.deedOn(ctx, call, sub.Account, sub.ID)
	if err != nil {
		return gate.Reply{}, err
	}
	standard, one, err := o.newStandard(ctx, &sub, call.Caller.Client)
	if err != nil {
		return gate.Reply{}, err
	}
	sub.Secrets = append(edit.secrets, one)
	brake := o.Pings.brake(now)
	answer, err := o.Store.AddSubscription(ctx, d, sub, NewID(), func(sub store.Subscription) (store.Answer, error) {
		if err := brake(sub.Target); err != nil {
			return store.Answer{}, err
		}
		shown := o.showHook(sub, hook.PublicOf(edit.private))
		kept, err := encode(shown)
		if err != nil {
			return store.Answer{}, err
		}
		shown.Secret = standard.Reveal()
		body, err := encode(shown)
		return store.Answer{Body: body, Kept: kept}, err
	})
	return replyWith(call, answer, err)
}

// changeHook changes what the body names.
func (o operations) changeHook(ctx context.Context, call *gate.Call, in hookBody) (gate.Reply, error) {
	sub, err := o.hookOf(ctx, call)
	if err != nil {
		return gate.Reply{}, err
	}
	edit, err := o.hookEdit(ctx, call, in, &sub)
	if err != nil {
		return gate.Reply{}, err
	}
	d, err := o.deedOn(ctx, call, sub.Account, sub.ID)
	if err != nil {
		return gate.Reply{}, err
	}
	now := o.Now()
	brake := o.Pings.brake(now)
	key := hook.PublicOf(edit.private)
	if key == "" {
		if key, err = o.publicKeyOf(ctx, sub); err != nil {
			return gate.Reply{}, err
		}
	}
	answer, err := o.Store.ChangeSubscription(ctx, d, sub.ID, hookKinds, now, NewID(), func(sub *store.Subscription) (store.Answer, error) {
		before := sub.Target
		if err := edit.apply(sub); err != nil {
			return store.Answer{}, err
		}
		if sub.Target != before {
			if err := brake(sub.Target); err != nil {
				return store.Answer{}, err
			}
		}
		sub.UpdatedAt = now
		if edit.on {
			switchOn(sub)
		}
		body, err := encode(o.showHook(*sub, key))
		return store.Answer{Body: body}, err
	})
	return replyWith(call, answer, err)
}

// switchOn takes an endpoint that was switched off for mended: what it failed
// before does not count. One that fails goes on failing until it takes something.
func switchOn(sub *store.Subscription) {
	if sub.DisabledAt.IsZero() {
		return
	}
	sub.DisabledAt, sub.DisabledWhy = time.Time{}, ""
	sub.Progress = store.Progress{SucceededAt: sub.Progress.SucceededAt}
}

// deleteHook ends a subscription, with its secrets.
func (o operations) deleteHook(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	d, err := o.deedOn(ctx, call, call.Account("aid"), hidOf(call))
	if err != nil {
		return gate.Reply{}, err
	}
	now := o.Now()
	answer, err := o.Store.ChangeSubscription(ctx, d, hidOf(call), hookKinds, now, "", func(sub *store.Subscription) (store.Answer, error) {
		sub.UpdatedAt, sub.DeletedAt, sub.DeletedBy, sub.Secrets = now, now, call.Caller.Client, nil
		body, err := encode(o.showHook(*sub, ""))
		return store.Answer{Body: body}, err
	})
	return replyWith(call, answer, err)
}

// pingHook sends the subscription to its endpoint.
func (o operations) pingHook(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	sub, err := o.hookOf(ctx, call)
	if err != nil {
		return gate.Reply{}, err
	}
	if !sub.Told() {
		return gate.Reply{Status: http.StatusNoContent}, nil
	}
	d, err := o.deedOn(ctx, call, sub.Account, sub.ID)
	if err != nil {
		return gate.Reply{}, err
	}
	now := o.Now()
	if err := o.Pings.take(sub.Target, now); err != nil {
		return gate.Reply{}, err
	}
	_, err = o.Store.PingSubscription(ctx, d, sub.ID, hookKinds, now, NewID(), func(*store.Subscription) (store.Answer, error) {
		return store.Answer{}, nil
	})
	return gate.Reply{Status: http.StatusNoContent}, err
}

// rotateHook gives a subscription a new secret; the one before stays good for a
// while.
func (o operations) rotateHook(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	overlap, err := overlapOf(call)
	if err != nil {
		return gate.Reply{}, err
	}
	sub, err := o.hookOf(ctx, call)
	if err != nil {
		return gate.Reply{}, err
	}
	d, err := o.deedOn(ctx, call, sub.Account, sub.ID)
	if err != nil {
		return gate.Reply{}, err
	}
	now := o.Now()
	standard, one, err := o.newStandard(ctx, &sub, call.Caller.Client)
	if err != nil {
		return gate.Reply{}, err
	}
	fresh, key := []store.SubscriptionSecret{one}, ""
	if sub.Settings.Asymmetric {
		private, one, err := o.newPair(ctx, &sub, call.Caller.Client)
		if err != nil {
			return gate.Reply{}, err
		}
		fresh, key = append(fresh, one), hook.PublicOf(private)
	}
	answer, err := o.Store.ChangeSubscription(ctx, d, sub.ID, hookKinds, now, "", func(sub *store.Subscription) (store.Answer, error) {
		sub.UpdatedAt = now
		sub.Secrets = append(overlapping(sub.Secrets, fresh, now, now.Add(overlap)), fresh...)
		shown := o.showHook(*sub, key)
		shown.Secret = standard.Reveal()
		body, err := encode(shown)
		return store.Answer{Body: body}, err
	})
	return replyWith(call, answer, err)
}
