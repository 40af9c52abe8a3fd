package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/hook"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// hookEdit is what a body makes of a subscription, checked.
type hookEdit struct {
	in      hookBody
	target  string       // where to; "" stays
	through account.ID   // the partner that speaks for the account; zero when none does
	secret  *secretInput // nil stays
	drop    []string     // kinds of secrets that end
	secrets []store.SubscriptionSecret
	private secret.Plain // of a new pair; zero when there is none
	on      bool         // it is switched on, whatever it was
}

type secretInput struct {
	Type  string  `json:"type"`
	Value *string `json:"value"`
}

// kindOfType is how a secret of the receiver's own is kept.
var kindOfType = map[string]string{
	hook.SecretHMAC: store.SecretSignature, hook.SecretAuthorization: store.SecretAuthorization,
}

// hookEdit checks what a body wants of a subscription, makes it so, and seals
// what it brings.
func (o operations) hookEdit(ctx context.Context, call *gate.Call, in hookBody, sub *store.Subscription) (*hookEdit, error) {
	e := &hookEdit{in: in, through: call.Caller.Partner(), on: in.Active != nil && *in.Active}
	var problems []fault.Problem
	if in.Config.URL != nil {
		target, why := o.Target(*in.Config.URL)
		if why != "" {
			problems = append(problems, problemIn("#/config/url", "URL_NOT_ALLOWED", "url "+why))
		}
		e.target = target
	}
	if in.Config.InsecureSSL != nil && *in.Config.InsecureSSL == 1 && !o.Unverified {
		problems = append(problems, problemIn("#/config/insecure_ssl", "NOT_ALLOWED", "insecure_ssl needs the leave of whoever operates the service"))
	}
	problems = append(problems, e.readSecret(sub)...)
	if err := e.apply(sub); err != nil {
		return nil, err
	}
	problems = append(problems, maskProblems(sub.Subscription, in)...)
	if problems != nil {
		return nil, fault.Refused(problems...)
	}
	return e, o.sealEdit(ctx, call, e, sub)
}

// readSecret looks at the receiver's own secret.
func (e *hookEdit) readSecret(sub *store.Subscription) []fault.Problem {
	raw := e.in.Config.Secret
	if raw == nil {
		return nil
	}
	e.drop = []string{store.SecretSignature, store.SecretAuthorization}
	if raw.Kind() == 'n' {
		e.secret = &secretInput{}
		return nil
	}
	e.secret = new(secretInput)
	if err := json.Unmarshal(raw, e.secret); err != nil {
		return []fault.Problem{problemIn("#/config/secret", "INVALID_TYPE", "secret must be an object")}
	}
	switch value := e.secret.Value; {
	case value == nil && e.secret.Type == sub.Settings.SecretType && sub.Settings.SecretType != "":
		e.secret, e.drop = nil, nil // as it was
	case value == nil:
		return []fault.Problem{problemIn("#/config/secret/value", "OBJECT_MISSING_REQUIRED_PROPERTY", "value is required")}
	case e.secret.Type == hook.SecretAuthorization && !isHeaderValue(*value):
		return []fault.Problem{problemIn("#/config/secret/value", "INVALID_FORMAT", "value must be visible ASCII characters, with spaces inside, to be sent as a header")}
	}
	return nil
}

func isHeaderValue(text string) bool {
	return strings.TrimSpace(text) == text &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// apply makes of a subscription what the body names.
func (e *hookEdit) apply(sub *store.Subscription) error {
	s := &sub.Settings
	if e.target != "" && e.target != sub.Target {
		sub.Target, s.Through = e.target, e.through
	}
	set(&sub.Active, e.in.Active)
	set(&s.ContentType, e.in.Config.ContentType)
	set(&s.Asymmetric, e.in.Config.Asymmetric)
	if e.in.Config.InsecureSSL != nil {
		s.InsecureSSL = *e.in.Config.InsecureSSL == 1
	}
	if e.in.Events != nil {
		sub.Events = e.in.Events
	}
	if e.in.Fields != nil {
		s.Fields = ""
		if err := json.Unmarshal(e.in.Fields, &s.Fields); err != nil {
			return err
		}
	}
	if e.in.ExcludeFields != nil {
		s.ExcludeFields = nil
		if err := json.Unmarshal(e.in.ExcludeFields, &s.ExcludeFields); err != nil {
			return err
		}
	}
	if e.secret != nil {
		s.SecretType = e.secret.Type
	}
	sub.Secrets = append(withoutKinds(sub.Secrets, e.drop), e.secrets...)
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// maskProblems says what is wrong with the masks of a subscription, as the body
// makes them, or leaves them with other events.
func maskProblems(sub hook.Subscription, in hookBody) (problems []fault.Problem) {
	if in.Fields == nil && in.ExcludeFields == nil && in.Events == nil {
		return nil
	}
	if mask := sub.Settings.Fields; mask != "" {
		if err := hook.CheckFields(mask, sub.Events); err != nil {
			problems = append(problems, problemIn("#/fields", "INVALID_MASK", "fields: "+err.Error()))
		}
	}
	for i, mask := range sub.Settings.ExcludeFields {
		if err := hook.CheckExcluded(mask, sub.Events); err != nil {
			problems = append(problems, problemIn(fmt.Sprintf("#/exclude_fields/%d", i), "INVALID_MASK", "exclude_fields: "+err.Error()))
		}
	}
	return problems
}

// problemIn is a problem of a member of the body.
func problemIn(path, code, message string) fault.Problem {
	return fault.Problem{In: "body", Name: path[strings.LastIndexByte(path, '/')+1:], Path: path, Code: code, Message: message}
}

// sealEdit seals what the body brings: the receiver's secret, and a pair of
// keys for a subscription that had none.
func (o operations) sealEdit(ctx context.Context, call *gate.Call, e *hookEdit, sub *store.Subscription) error {
	if e.secret != nil && e.secret.Value != nil {
		one, err := o.sealed(ctx, sub, kindOfType[e.secret.Type], secret.NewPlain(*e.secret.Value), call.Caller.Client)
		if err != nil {
			return err
		}
		e.secrets = append(e.secrets, one)
	}
	if e.in.Config.Asymmetric == nil {
		return nil
	}
	hasPair := slices.ContainsFunc(sub.Secrets, func(s store.SubscriptionSecret) bool { return s.Kind == store.SecretAsymmetric })
	switch wants := *e.in.Config.Asymmetric; {
	case !wants:
		e.drop = append(e.drop, store.SecretAsymmetric)
	case !hasPair:
		private, one, err := o.newPair(ctx, sub, call.Caller.Client)
		if err != nil {
			return err
		}
		e.private, e.secrets = private, append(e.secrets, one)
	}
	return nil
}
