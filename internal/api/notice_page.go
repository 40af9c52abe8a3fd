package api

import (
	"context"
	"net/http"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/hook"
	"mooring/internal/notice"
	"mooring/internal/store"
)

// noticePage says to the reader of an address whose notices come there.
func (o operations) noticePage(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	rule, _, err := o.behindNotice(ctx, call.Path("token"))
	if err != nil {
		return deadLink(err)
	}
	return showNotice(rule)
}

type noticeDecision struct {
	Decision    string `json:"decision"`
	Unsubscribe string `json:"List-Unsubscribe"`
}

// answerNotice does what the reader decided. A program that unsubscribes for
// the reader sends the same as the button.
func (o operations) answerNotice(ctx context.Context, call *gate.Call, in noticeDecision) (gate.Reply, error) {
	if in.Decision == "" && in.Unsubscribe == "" {
		return gate.Reply{}, fault.Refused(fault.Problem{
			In: "body", Name: "decision", Path: "#/decision", Code: "OBJECT_MISSING_REQUIRED_PROPERTY", Message: "decision is missing",
		})
	}
	rule, acc, err := o.behindNotice(ctx, call.Path("token"))
	if err != nil {
		return deadLink(err)
	}
	now := o.Now()
	action, change := "notice.stop", func(s *hook.Subscription) { stopNotice(s, now) }
	if in.Decision == "confirm" {
		action, change = "notice.confirm", func(s *hook.Subscription) { confirmNotice(s, now) }
	}
	record := o.audited(call, acc, action, rule.ID, store.AuditDone, "")
	err = o.Store.AnswerNotice(ctx, rule.Account, rule.ID, now, record, func(s *hook.Subscription) {
		change(s)
		rule = *s
	})
	if err != nil {
		return gate.Reply{}, err
	}
	return showNotice(rule)
}

// stopNotice ends a rule until its reader wants it again: its owner can't start it.
func stopNotice(s *hook.Subscription, now time.Time) {
	n := *s.Settings.Notice
	if n.StoppedAt.IsZero() {
		n.StoppedAt = now
	}
	s.Active, s.Settings.Notice = false, &n
}

// confirmNotice lets a rule tell what happens from now on. A reader who agreed
// before, and did not stop it, changes nothing.
func confirmNotice(s *hook.Subscription, now time.Time) {
	n := *s.Settings.Notice
	switch {
	case !n.StoppedAt.IsZero():
		n.StoppedAt, n.ConfirmedAt, s.Active = time.Time{}, now, true
	case n.ConfirmedAt.IsZero():
		n.ConfirmedAt = now
	}
	s.Settings.Notice = &n
}

// behindNotice finds the rule that a reader's link names, and whose it is.
func (o operations) behindNotice(ctx context.Context, token string) (hook.Subscription, account.Account, error) {
	rule, acc, err := o.ruleOf(ctx, token)
	switch {
	case fault.From(err).Kind == fault.NotFound:
		err = errDeadLink
	case err == nil && (rule.Kind != hook.KindEmail || !rule.DeletedAt.IsZero() || !notice.Proves(o.Vault.Digest, token, rule)):
		err = errDeadLink
	}
	return rule, acc, err
}

func (o operations) ruleOf(ctx context.Context, token string) (hook.Subscription, account.Account, error) {
	id, name, ok := notice.RuleOf(token)
	if !ok || !o.Serves(id) {
		return hook.Subscription{}, account.Account{}, fault.Missing()
	}
	acc, err := o.Store.Account(ctx, auth.Caller{Account: account.Platform(id.World())}, id)
	if err != nil {
		return hook.Subscription{}, acc, err
	}
	rule, err := o.Store.SubscriptionByID(ctx, id, name)
	return rule, acc, err
}

func showNotice(rule hook.Subscription) (gate.Reply, error) {
	n := rule.Settings.Notice
	p := page{Title: "Notices for " + string(rule.Account)}
	switch {
	case !n.StoppedAt.IsZero():
		p.Sentence, p.Buttons = "No more notices come to this address.", []button{{"confirm", "Get them again", false}}
	case n.ConfirmedAt.IsZero():
		p.Sentence = "Somebody wants to send notices to this address. They tell what happens to connections, and nothing of persons."
		p.Buttons = []button{{"confirm", "Yes, send them", true}, {"stop", "No, never", false}}
	default:
		p.Sentence, p.Buttons = "Notices come to this address.", []button{{"stop", "Send no more", false}}
	}
	return p.reply(http.StatusOK)
}
