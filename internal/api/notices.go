package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/hook"
	"mooring/internal/mail"
	"mooring/internal/notice"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// noticeKinds are the kinds of subscription that tell people.
var noticeKinds = []hook.Kind{hook.KindEmail, hook.KindSlack, hook.KindTeams}

// triedAgain is how long a rule waits for its next test.
const triedAgain = time.Minute

// noticeBody is the shape of NoticeRuleRequest, and of NoticeRuleChange.
type noticeBody struct {
	Kind        hook.Kind     `json:"kind"`
	Address     string        `json:"address"`
	URL         string        `json:"url"`
	Name        string        `json:"name"`
	When        []hook.Cause  `json:"when"`
	Turns       []string      `json:"turns"`
	Connections []string      `json:"connections"`
	Partners    []string      `json:"partners"`
	Digest      *noticeDigest `json:"digest"`
	Active      *bool         `json:"active"`
}

type noticeDigest struct {
	Hour     int    `json:"hour"`
	TimeZone string `json:"time_zone"`
	Holidays string `json:"holidays,omitempty"`
}

// noticeShown is the shape of NoticeRule.
type noticeShown struct {
	ID          string        `json:"id"`
	Kind        hook.Kind     `json:"kind"`
	Target      string        `json:"target"`
	Name        string        `json:"name"`
	When        []hook.Cause  `json:"when"`
	Turns       []string      `json:"turns"`
	Connections []string      `json:"connections"`
	Partners    []string      `json:"partners"`
	Digest      *noticeDigest `json:"digest,omitempty"`
	Active      bool          `json:"active"`
	ConfirmedAt string        `json:"confirmed_at,omitempty"`
	StoppedAt   string        `json:"stopped_at,omitempty"`
	DisabledAt  string        `json:"disabled_at,omitempty"`
	CreatedAt   string        `json:"created_at"`
	CreatedBy   string        `json:"created_by"`
	UpdatedAt   string        `json:"updated_at"`
	DeletedAt   string        `json:"deleted_at,omitempty"`
}

func shownNotice(s hook.Subscription) noticeShown {
	n := *s.Settings.Notice
	shown := noticeShown{
		ID: s.ID, Kind: s.Kind, Target: s.Target, Name: n.Name, When: n.When, Turns: []string{}, Partners: []string{},
		Connections: append([]string{}, n.Providers...), Active: s.Told(),
		ConfirmedAt: onWire(n.ConfirmedAt), StoppedAt: onWire(n.StoppedAt), DisabledAt: onWire(s.DisabledAt),
		CreatedAt: onWire(s.CreatedAt), CreatedBy: s.CreatedBy, UpdatedAt: onWire(s.UpdatedAt), DeletedAt: onWire(s.DeletedAt),
	}
	if s.UpdatedAt.IsZero() {
		shown.UpdatedAt = shown.CreatedAt
	}
	for _, turn := range n.Turns {
		if turn == "" {
			turn = nobody
		}
		shown.Turns = append(shown.Turns, turn)
	}
	for _, id := range n.Partners {
		shown.Partners = append(shown.Partners, id.PartnerID())
	}
	if d := n.Digest; d != nil {
		shown.Digest = &noticeDigest{d.Hour, d.Zone, d.Country}
	}
	return shown
}

func encodeNotice(s hook.Subscription) (store.Answer, error) {
	body, err := encode(shownNotice(s))
	return store.Answer{Body: body}, err
}

// listNotices lists the rules of an account, oldest first.
func (o operations) listNotices(ctx context.Context, call *gate.Call, _ struct{}) ([]noticeShown, error) {
	id := call.Account("oid")
	if _, err := o.Store.Account(ctx, call.Caller, id); err != nil {
		return nil, err
	}
	rules, err := o.Store.Subscriptions(ctx, call.Caller, id, noticeKinds)
	all := make([]noticeShown, 0, len(rules))
	for _, r := range rules {
		all = append(all, shownNotice(r.Subscription))
	}
	return all, err
}

// readNotice shows one.
func (o operations) readNotice(ctx context.Context, call *gate.Call, _ struct{}) (noticeShown, error) {
	rule, err := o.Store.SubscriptionOf(ctx, call.Caller, call.Account("oid"), noticeID(call), noticeKinds)
	if err != nil {
		return noticeShown{}, err
	}
	return shownNotice(rule.Subscription), nil
}

// makeNotice makes a rule, and tells whoever reads there of it.
func (o operations) makeNotice(ctx context.Context, call *gate.Call, in noticeBody) (gate.Reply, error) {
	now, id := o.Now(), NewID()
	d, err := o.deed(ctx, call, id)
	if err != nil {
		return gate.Reply{}, err
	}
	settings, err := o.noticeSettings(d.About, in)
	if err != nil {
		return gate.Reply{}, err
	}
	rule := store.Subscription{Subscription: hook.Subscription{
		Account: d.About, ID: id, Kind: in.Kind, Active: in.Active == nil || *in.Active,
		CreatedAt: now, CreatedBy: call.Caller.Client,
		Settings: hook.Settings{Through: call.Caller.Partner(), Notice: &settings},
	}}
	if in.Kind == hook.KindEmail {
		err = o.toAddress(&rule, in)
	} else {
		err = o.toChat(ctx, &rule, in, now)
	}
	if err != nil {
		return gate.Reply{}, err
	}
	answer, err := o.Store.AddSubscription(ctx, d, rule, NewID(), func(s store.Subscription) (store.Answer, error) {
		return encodeNotice(s.Subscription)
	})
	return replyWith(call, answer, err)
}

// updateNotice replaces what a rule says, but for where it tells. What its
// reader said stays.
func (o operations) updateNotice(ctx context.Context, call *gate.Call, in noticeBody) (gate.Reply, error) {
	d, err := o.deed(ctx, call, noticeID(call))
	if err != nil {
		return gate.Reply{}, err
	}
	settings, err := o.noticeSettings(d.About, in)
	if err != nil {
		return gate.Reply{}, err
	}
	now := o.Now()
	answer, err := o.Store.ChangeSubscription(ctx, d, noticeID(call), noticeKinds, now, "", func(s *store.Subscription) (store.Answer, error) {
		before := *s.Settings.Notice
		if (before.Digest == nil) != (settings.Digest == nil) {
			return store.Answer{}, refusedNotice("digest", "INVALID", "a rule with a digest keeps having one, and one without keeps having none: make another rule")
		}
		s.Active = in.Active == nil || *in.Active
		if s.Active && !before.StoppedAt.IsZero() {
			return store.Answer{}, stoppedByReader()
		}
		if s.Active {
			s.DisabledAt, s.DisabledWhy = time.Time{}, ""
		}
		changed := settings
		changed.ConfirmedAt, changed.StoppedAt, changed.TriedAt = before.ConfirmedAt, before.StoppedAt, before.TriedAt
		s.Settings.Notice, s.UpdatedAt = &changed, now
		return encodeNotice(s.Subscription)
	})
	return replyWith(call, answer, err)
}

// deleteNotice deletes one.
func (o operations) deleteNotice(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	d, err := o.deed(ctx, call, noticeID(call))
	if err != nil {
		return gate.Reply{}, err
	}
	now := o.Now()
	answer, err := o.Store.ChangeSubscription(ctx, d, noticeID(call), noticeKinds, now, "", func(s *store.Subscription) (store.Answer, error) {
		s.DeletedAt, s.DeletedBy, s.Secrets = now, call.Caller.Client, nil
		return encodeNotice(s.Subscription)
	})
	return replyWith(call, answer, err)
}

// testNotice sends one notice that says it is a test, to readers who want some.
func (o operations) testNotice(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	d, err := o.deed(ctx, call, noticeID(call))
	if err != nil {
		return gate.Reply{}, err
	}
	now := o.Now()
	answer, err := o.Store.PingSubscription(ctx, d, noticeID(call), noticeKinds, now, NewID(), func(s *store.Subscription) (store.Answer, error) {
		n := *s.Settings.Notice
		if !n.StoppedAt.IsZero() {
			return store.Answer{}, stoppedByReader()
		}
		if s.Kind == hook.KindEmail && n.ConfirmedAt.IsZero() {
			return store.Answer{}, fault.New(fault.Conflict, fault.CodeConflict, "the reader of the address was asked already, and has not agreed")
		}
		if wait := n.TriedAt.Add(triedAgain).Sub(now); wait > 0 {
			return store.Answer{}, tooOften(wait, "the rule was tried a moment ago; wait a minute")
		}
		n.TriedAt = now
		s.Settings.Notice = &n
		return encodeNotice(s.Subscription)
	})
	return replyWith(call, answer, err)
}

func noticeID(call *gate.Call) string { return strings.ToLower(call.Path("notice_id")) }

func stoppedByReader() error {
	return fault.New(fault.Conflict, fault.CodeConflict, "the reader of the address wanted no more notices; only he can start them again")
}

func tooOften(wait time.Duration, why string) error {
	refused := fault.New(fault.TooMany, fault.CodeTooMany, "%s", why)
	refused.RetryAfter = wait
	return refused
}

// noticeSettings reads what a rule of an account says, and refuses what could
// never tell anything.
func (o operations) noticeSettings(of account.ID, in noticeBody) (hook.NoticeSettings, error) {
	n := hook.NoticeSettings{Name: in.Name, When: in.When}
	for _, turn := range in.Turns {
		if turn == nobody {
			turn = ""
		}
		n.Turns = append(n.Turns, turn)
	}
	if len(n.Turns) > 0 && !slices.Contains(n.When, hook.TurnChanged) {
		return n, refusedNotice("turns", "INVALID", "turns narrow turn_changed, which when does not name")
	}
	for _, name := range in.Connections {
		p, ok := o.Catalogue.Resolve(name)
		if !ok {
			return n, refusedNotice("connections", "UNKNOWN_CONNECTION", "connections must name providers that there are")
		}
		n.Providers = append(n.Providers, p.Slug)
	}
	for _, name := range in.Partners {
		partner, err := account.ParseOwner(name)
		if err != nil || !of.IsPlatform() || partner.World() != of.World() {
			return n, refusedNotice("partners", "INVALID", "partners are for a platform, and of its world")
		}
		n.Partners = append(n.Partners, partner)
	}
	if d := in.Digest; d != nil {
		if _, err := time.LoadLocation(d.TimeZone); err != nil || d.TimeZone == "" || d.TimeZone == "Local" {
			return n, refusedNotice("digest/time_zone", "INVALID", "time_zone must be a name of the IANA database, such as Europe/Oslo")
		}
		n.Digest = &hook.Digest{Hour: d.Hour, Zone: d.TimeZone, Country: d.Holidays}
	}
	return n, nil
}

func refusedNotice(member, code, why string) error {
	return fault.Refused(fault.Problem{In: "body", Name: member, Path: "#/" + member, Code: code, Message: why})
}

// toAddress has a rule tell by e-mail.
func (o operations) toAddress(rule *store.Subscription, in noticeBody) error {
	switch {
	case !o.SendsMail:
		return refusedNotice("kind", "INVALID", "no mail is sent here: the operator has named no relay")
	case in.Address == "" || in.URL != "":
		return refusedNotice("address", "INVALID", "a rule for e-mail has an address, and no url")
	}
	address, err := mail.ParseAddress(in.Address)
	if err != nil {
		return refusedNotice("address", "INVALID", "address: "+err.Error())
	}
	rule.Target = address.String()
	return nil
}

// toChat has it tell through an incoming webhook, whose URL lets in whoever has
// it.
func (o operations) toChat(ctx context.Context, rule *store.Subscription, in noticeBody, now time.Time) error {
	if in.URL == "" || in.Address != "" {
		return refusedNotice("url", "INVALID", "a rule for a chat has a url, and no address")
	}
	url, why := o.Target(in.URL)
	if why != "" {
		return refusedNotice("url", "INVALID", "url "+why)
	}
	sealed, err := o.Vault.SealSecret(ctx, store.SubscriptionSecret{
		Account: rule.Account, Subscription: rule.ID, ID: NewID(), Kind: store.SecretURL, CreatedAt: now, CreatedBy: rule.CreatedBy,
	}, secret.NewPlain(url))
	rule.Target, rule.Secrets = notice.Masked(url), []store.SubscriptionSecret{sealed}
	return err
}
