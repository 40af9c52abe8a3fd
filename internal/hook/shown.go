package hook

import (
	"time"

	"github.com/go-json-experiment/json"

	"mooring/internal/wire"
)

// Shown is a subscription to an endpoint as its account sees it: the documented
// shape. No secret is in it.
type Shown struct {
	ID            string      `json:"id"`
	CreatedAt     string      `json:"created_at"`
	CreatedBy     string      `json:"created_by"`
	UpdatedAt     string      `json:"updated_at"`
	DeletedAt     string      `json:"deleted_at,omitzero"`
	DeletedBy     string      `json:"deleted_by,omitzero"`
	Active        bool        `json:"active"`
	Config        ShownConfig `json:"config"`
	Events        []string    `json:"events"`
	Fields        string      `json:"fields,omitzero"`
	ExcludeFields []string    `json:"exclude_fields,omitempty"`
}

// ShownConfig is where its messages go, and how.
type ShownConfig struct {
	URL         string       `json:"url"`
	ContentType string       `json:"content_type"`
	Secret      *ShownSecret `json:"secret,omitzero"`
	InsecureSSL int          `json:"insecure_ssl"`
	Asymmetric  bool         `json:"asymmetric,omitzero"`
}

// ShownSecret says of which type the subscriber's own secret is.
type ShownSecret struct {
	Type string `json:"type"`
}

// Shown is the subscription as its account sees it. One that was switched off
// is not active.
func (s Subscription) Shown() Shown {
	shown := Shown{
		ID: s.ID, CreatedAt: onWire(s.CreatedAt), CreatedBy: s.CreatedBy, UpdatedAt: onWire(s.UpdatedAt),
		DeletedAt: onWire(s.DeletedAt), DeletedBy: s.DeletedBy, Active: s.Active && s.DisabledAt.IsZero(),
		Config: ShownConfig{URL: s.Target, ContentType: contentType(s), Asymmetric: s.Settings.Asymmetric},
		Events: append([]string{}, s.Events...), Fields: s.Settings.Fields, ExcludeFields: s.Settings.ExcludeFields,
	}
	if s.UpdatedAt.IsZero() {
		shown.UpdatedAt = shown.CreatedAt
	}
	if s.Settings.SecretType != "" {
		shown.Config.Secret = &ShownSecret{s.Settings.SecretType}
	}
	if s.Settings.InsecureSSL {
		shown.Config.InsecureSSL = 1
	}
	return shown
}

// PingEntry is what tells an endpoint that it is subscribed: the subscription
// itself.
func PingEntry(s Subscription, id string, at time.Time) (Entry, error) {
	body, err := json.Marshal(s.Shown())
	return Entry{ID: id, Owner: s.Account, Account: s.Account, Type: Ping, At: at, ToldAt: at, Body: body}, err
}

func onWire(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(wire.TimeFormat)
}
