// Package wire owns the JSON shapes that more than one room needs: the
// connection and its event, as the public API shows them.
//
// It promises the documented members, in the documented order, and no other.
// It must never show a link's token outside the link, nor a secret.
package wire

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/connection"
	"mooring/internal/provider"
)

// TimeFormat is how times look on the wire: UTC, whole seconds (RFC 3339).
const TimeFormat = "2006-01-02T15:04:05Z"

// Event encodes one event as POST .../events answers it.
func Event(e connection.Event) []byte {
	return append(appendEvent(make([]byte, 0, 256), e), '}')
}

// OperatorEvent encodes one event with the extension members that only
// operators see: seq, effect, external_id, occurred_at, signup_number, code,
// provider_code and reason.
func OperatorEvent(e connection.Event) []byte {
	b := appendEvent(make([]byte, 0, 320), e)
	b = append(b, `,"seq":`...)
	b = strconv.AppendInt(b, e.Seq, 10)
	b = appendMember(b, "effect", string(connection.EffectOf(e)))
	if e.ExternalID != "" {
		b = appendMember(b, "external_id", e.ExternalID)
	}
	if !e.OccurredAt.IsZero() {
		b = appendTime(b, "occurred_at", e.OccurredAt)
	}
	if e.Signup != 0 {
		b = appendName(b, "signup_number")
		b = strconv.AppendInt(b, e.Signup, 10)
	}
	for _, member := range [][2]string{{"code", e.Code}, {"provider_code", e.ProviderCode}, {"reason", e.Reason}} {
		if member[1] != "" {
			b = appendMember(b, member[0], member[1])
		}
	}
	return append(b, '}')
}

// OperatorEvents encodes a page of events as a bare array.
func OperatorEvents(events []connection.Event) []byte {
	b := []byte{'['}
	for i, e := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, OperatorEvent(e)...)
	}
	return append(b, ']')
}

// Connection encodes a whole connection as its GET and its signup answer it.
// publicURL is the base of the links to signup pages.
func Connection(c *connection.Connection, p *provider.Provider, publicURL string) []byte {
	b := make([]byte, 0, 512+256*len(c.Events))
	b = append(b, '{')
	b = appendSignups(b, c, p, publicURL)
	if c.Configuration != nil {
		b = append(b, `,"configuration":`...)
		b = append(b, c.Configuration...)
	}
	b = append(b, `,"events":[`...)
	for i, e := range c.Events {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendEvent(b, e), '}')
	}
	b = append(b, ']')
	b = appendTime(b, "created_at", c.CreatedAt)
	b = appendMember(b, "created_by", c.CreatedBy)
	b = appendTime(b, "updated_at", c.UpdatedAt)
	b = append(b, `,"metadata":`...)
	if c.Metadata == nil {
		b = append(b, `{}`...)
	} else {
		b = append(b, c.Metadata...)
	}
	b = appendMember(b, "status", string(c.Status))
	b = append(b, `,"schema":`...)
	b = strconv.AppendInt(b, int64(c.Schema), 10)
	return append(b, '}')
}

// Signups encodes the signups of a connection for its provider, as a bare array:
// all of the many model, the newest one of the single model. Their links are the
// merchant's, and left out.
func Signups(c *connection.Connection, p *provider.Provider) []byte {
	shown := c.Signups
	if !p.Signup.Many {
		shown = c.Signups[len(c.Signups)-1:]
	}
	b := []byte{'['}
	for i, s := range shown {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSignup(b, s, p.Signup.View, "")
	}
	return append(b, ']')
}

// Events encodes events as a bare array, as the connection shows them.
func Events(events []connection.Event) []byte {
	b := []byte{'['}
	for i, e := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, Event(e)...)
	}
	return append(b, ']')
}

// Connections encodes the connections of an account as its map shows them, by
// provider: a provider that its catalogue does not know is left out. Nothing
// that is secret is in a connection unless somebody put it there.
func Connections(all []*connection.Connection, find func(slug string) (*provider.Provider, bool), publicURL string) []byte {
	b := []byte{'{'}
	for _, c := range all {
		p, ok := find(c.Provider)
		if !ok {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, p.Slug) // a slug is plain ASCII
		b = append(b, ':')
		one := Connection(c, p, publicURL)
		if p.Nested == "" {
			b = append(b, one...)
			continue
		}
		b = append(b, '{')
		b, _ = jsontext.AppendQuote(b, p.Nested)
		b = append(b, ':')
		b = append(append(b, one...), '}')
	}
	return append(b, '}')
}

// appendEvent leaves the object open, for members that some views add.
func appendEvent(b []byte, e connection.Event) []byte {
	b = append(b, `{"status":"`...)
	b = append(b, e.Status...)
	b = append(b, '"')
	b = appendMember(b, "event", e.Name)
	b = appendMember(b, "id", e.ID)
	b = appendTime(b, "created_at", e.CreatedAt)
	b = appendMember(b, "created_by", e.CreatedBy)
	if e.Description != nil {
		b = appendMember(b, "description", *e.Description)
	}
	if e.Metadata != nil {
		b = append(b, `,"metadata":`...)
		b = append(b, e.Metadata...)
	}
	return b
}

// appendSignups shows all signups of the many model, and the newest one of the
// single model.
func appendSignups(b []byte, c *connection.Connection, p *provider.Provider, publicURL string) []byte {
	if !p.Signup.Many {
		b = append(b, `"signup":`...)
		return appendSignup(b, c.Signups[len(c.Signups)-1], p.Signup.View, publicURL)
	}
	b = append(b, `"signups":[`...)
	for i, s := range c.Signups {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSignup(b, s, p.Signup.View, publicURL)
	}
	return append(b, ']')
}

func appendSignup(b []byte, s connection.Signup, view provider.View, publicURL string) []byte {
	b = append(b, '{')
	start := len(b)
	for _, name := range slices.Sorted(maps.Keys(view.Constants)) {
		b = appendMember(b, name, view.Constants[name])
	}
	for _, name := range view.Members {
		b = appendGenerated(b, name, s, publicURL)
	}
	switch {
	case view.Data == "":
	case view.Data != "inline":
		b = appendName(b, view.Data)
		b = append(b, s.Data...)
	case len(s.Data) > len(`{}`):
		b = append(b, ',')
		b = append(b, s.Data[1:len(s.Data)-1]...)
	}
	// Every member was written with a comma before it; the first has none.
	if len(b) > start {
		b = slices.Delete(b, start, start+1)
	}
	return append(b, '}')
}

func appendGenerated(b []byte, name string, s connection.Signup, publicURL string) []byte {
	switch name {
	case "id":
		return appendMember(b, name, s.ID)
	case "url":
		if publicURL != "" {
			return appendMember(b, name, publicURL+"/s/"+s.Token)
		}
	case "created_at":
		return appendTime(b, name, s.CreatedAt)
	case "expires_at":
		return appendTime(b, name, s.ExpiresAt)
	case "callback_at":
		if !s.CallbackAt.IsZero() {
			return appendTime(b, name, s.CallbackAt)
		}
	}
	return b
}

func appendMember(b []byte, name, value string) []byte {
	b = appendName(b, name)
	// Stored text was valid UTF-8 when it came in, so quoting can't fail.
	b, _ = jsontext.AppendQuote(b, value)
	return b
}

func appendTime(b []byte, name string, t time.Time) []byte {
	b = appendName(b, name)
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, TimeFormat)
	return append(b, '"')
}

func appendName(b []byte, name string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// Told encodes what is told of an event of a connection: how the connection
// stands after it and stood before, unless that is nil, and the event.
func Told(before, c *connection.Connection, e connection.Event) []byte {
	b := appendStanding(make([]byte, 0, 512), c)
	if before != nil {
		b = append(b, `,"before":{"status":"`...)
		b = append(b, before.Status...)
		b = append(b, '"')
		b = appendMember(b, "turn", before.Stand.Turn)
		b = append(b, '}')
	}
	b = append(b, `},"connection_event":`...)
	b = append(b, OperatorEvent(e)...)
	return append(b, '}')
}

// ToldStanding encodes how a connection stands, and no event.
func ToldStanding(c *connection.Connection) []byte {
	return append(appendStanding(nil, c), `}}`...)
}

// appendStanding leaves the object of the connection open.
func appendStanding(b []byte, c *connection.Connection) []byte {
	b = append(b, `{"connection":{"connection":`...)
	b, _ = jsontext.AppendQuote(b, c.Provider)
	b = appendMember(b, "status", string(c.Status))
	b = appendMember(b, "turn", c.Stand.Turn)
	if c.Stand.Code != "" {
		b = appendMember(b, "code", c.Stand.Code)
	}
	if !c.Stand.Since.IsZero() {
		b = appendTime(b, "since", c.Stand.Since)
	}
	if !c.Stand.Due.IsZero() {
		b = appendTime(b, "due", c.Stand.Due)
	}
	return appendTime(b, "updated_at", c.UpdatedAt)
}
