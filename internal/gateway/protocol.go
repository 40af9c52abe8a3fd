package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/connection"
	"mooring/internal/provider"
)

// The shapes of docs/provider-gateway.yaml.

type wireAccount struct {
	ID                 string `json:"id"`
	BusinessName       string `json:"business_name,omitempty"`
	OrganizationNumber string `json:"organization_number,omitempty"`
}

type wireSignup struct {
	ID        string          `json:"id"`
	CreatedAt string          `json:"created_at"`
	ExpiresAt string          `json:"expires_at"`
	Schema    int             `json:"schema"`
	Data      json.RawMessage `json:"data,omitempty"`
}

type wireCallback struct {
	EventsURL     string `json:"events_url"`
	DocumentedURL string `json:"documented_url,omitempty"`
	Token         string `json:"token"`
}

type wireSubmission struct {
	ID       string       `json:"id"`
	Provider string       `json:"provider"`
	Account  wireAccount  `json:"account"`
	Signup   wireSignup   `json:"signup"`
	Callback wireCallback `json:"callback"`
}

type wireQuestion struct {
	Provider string       `json:"provider"`
	Account  wireAccount  `json:"account"`
	Status   string       `json:"status"`
	Signups  []wireSignup `json:"signups,omitempty"`
}

func encodeSubmission(s Submission) ([]byte, error) {
	company := s.Account.Company
	return json.Marshal(wireSubmission{
		ID: s.ID, Provider: s.Provider.Slug,
		Account: wireAccount{string(s.Account.ID), company.BusinessName, company.OrganizationNumber},
		Signup:  describe(s.Signup, []byte(s.Data.Reveal())),
		Callback: wireCallback{
			EventsURL: s.Callback.Events, DocumentedURL: s.Callback.Documented, Token: s.Callback.Token.Reveal(),
		},
	})
}

func encodeQuestion(q Question) ([]byte, error) {
	w := wireQuestion{
		Provider: q.Provider.Slug, Account: wireAccount{ID: string(q.Account)}, Status: string(q.Connection.Status),
	}
	for _, s := range q.Connection.Signups {
		w.Signups = append(w.Signups, describe(s, nil))
	}
	return json.Marshal(w)
}

func describe(s connection.Signup, data []byte) wireSignup {
	return wireSignup{
		ID: s.ID, CreatedAt: s.CreatedAt.Format(time.RFC3339), ExpiresAt: s.ExpiresAt.Format(time.RFC3339),
		Schema: s.Schema, Data: data,
	}
}

// wireReport is what a gateway says of a signup or of a connection.
type wireReport struct {
	Status        string         `json:"status"`
	Event         string         `json:"event"`
	Description   *string        `json:"description"`
	Metadata      jsontext.Value `json:"metadata"`
	ExternalID    string         `json:"external_id"`
	OccurredAt    string         `json:"occurred_at"`
	Code          string         `json:"code"`
	ProviderCode  string         `json:"provider_code"`
	Configuration jsontext.Value `json:"configuration"`
}

// The limits of a report, as the contract has them for events.
const (
	maxDescription = 1024
	maxCode        = 128
	maxMetadata    = 16 << 10
	maxKeys        = 50
)

// decodeSubmitted reads the answer to a submission: {} or a report in it.
func decodeSubmitted(body []byte, s Submission) (*connection.Message, error) {
	var answer struct {
		Report *wireReport `json:"report"`
	}
	if err := decode(body, &answer); err != nil {
		return nil, err
	}
	if answer.Report == nil {
		return nil, nil
	}
	r := *answer.Report
	if err := r.check(s.Provider); err != nil {
		return nil, unusable(err)
	}
	if r.Event == "" {
		return nil, nonsense(errors.New("the report has no name for its event"))
	}
	at, err := r.occurredAt()
	if err != nil {
		return nil, nonsense(err)
	}
	configuration, err := r.configuration()
	if err != nil {
		return nil, nonsense(err)
	}
	if r.ExternalID == "" {
		r.ExternalID = "submission:" + s.ID // said again after a crash, it is known
	}
	return &connection.Message{
		Signup: s.Signup.ID,
		Event: connection.NewEvent{
			Status: connection.Status(r.Status), Name: r.Event, Description: r.Description, Metadata: r.Metadata,
			ExternalID: r.ExternalID, OccurredAt: at, Code: r.Code, ProviderCode: r.ProviderCode,
		},
		Configuration: configuration,
		Final:         r.Status == string(connection.Enabled),
	}, nil
}

// decodeStatus reads the answer to a question.
func decodeStatus(body []byte, p *provider.Provider) (provider.Report, error) {
	var r wireReport
	if err := decode(body, &r); err != nil {
		return provider.Report{}, err
	}
	if err := r.check(p); err != nil {
		return provider.Report{}, unusable(err)
	}
	configuration, err := r.configuration()
	if err != nil {
		return provider.Report{}, nonsense(err)
	}
	return provider.Report{
		Status: r.Status, Event: r.Event, Code: r.Code, ProviderCode: r.ProviderCode, Configuration: configuration,
	}, nil
}

// decode reads one JSON value strictly: no name twice, none that is unknown,
// nothing after it.
func decode(body []byte, into any) error {
	if err := strict.Unmarshal(body, into, strict.RejectUnknownMembers(true)); err != nil {
		return nonsense(err)
	}
	return nil
}

func nonsense(cause error) error {
	return &Failure{Reason: "the gateway's answer made no sense", Cause: cause}
}

// unusable says what is wrong with a report; it quotes no value.
func unusable(cause error) error {
	return &Failure{Reason: "the gateway's answer made no sense: " + cause.Error(), Cause: cause}
}

// check holds a report to the limits of what can be stored, and to what the
// provider's configuration can be.
func (r wireReport) check(p *provider.Provider) error {
	description := ""
	if r.Description != nil {
		description = *r.Description
	}
	for _, text := range []struct {
		name, value string
		most        int
	}{
		{"event", r.Event, maxEventLen},
		{"description", description, maxDescription},
		{"external_id", r.ExternalID, maxCode},
		{"provider_code", r.ProviderCode, maxCode},
	} {
		if utf8.RuneCountInString(text.value) > text.most {
			return fmt.Errorf("%s is longer than %d characters", text.name, text.most)
		}
		if strings.ContainsRune(text.value, 0) {
			return fmt.Errorf("%s has the NUL character", text.name)
		}
	}
	switch {
	case !slices.Contains(connection.Statuses, connection.Status(r.Status)):
		return errors.New("the status does not exist")
	case !knownReason(r.Code):
		return errors.New("the code is none of the reason codes")
	case !isObject(r.Configuration):
		return errors.New("the configuration is no object")
	case !isObject(r.Metadata) || len(r.Metadata) > maxMetadata || members(r.Metadata) > maxKeys:
		return errors.New("the metadata is no object, or too large")
	case len(p.SecretsIn(r.Metadata)) > 0:
		return errors.New("the metadata holds what looks like a secret, and metadata is shown")
	case r.Configuration != nil:
		return p.CheckConfiguration(r.Configuration)
	}
	return nil
}

func (r wireReport) occurredAt() (time.Time, error) {
	if r.OccurredAt == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, r.OccurredAt)
	return t.UTC().Truncate(time.Microsecond), err
}

// configuration is in the one spelling in which it is compared with what is in
// force; nil when nothing was said of it.
func (r wireReport) configuration() ([]byte, error) {
	if r.Configuration == nil {
		return nil, nil
	}
	return provider.Canonical(r.Configuration)
}

func knownReason(code string) bool {
	return code == "" || slices.ContainsFunc(provider.Reasons(), func(r provider.Reason) bool { return r.Code == code })
}

func isObject(v jsontext.Value) bool { return v == nil || v.Kind() == '{' }

func members(v jsontext.Value) int {
	var all map[string]jsontext.Value
	if v == nil || strict.Unmarshal(v, &all) != nil {
		return 0
	}
	return len(all)
}
