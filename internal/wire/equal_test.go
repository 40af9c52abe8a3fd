package wire_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/connection"
	"mooring/internal/provider"
	"mooring/internal/wire"
)

// generalEvent and generalConnection are the shapes as a general encoder takes
// them.
type generalEvent struct {
	Status      connection.Status `json:"status"`
	Event       string            `json:"event"`
	ID          string            `json:"id"`
	CreatedAt   string            `json:"created_at"`
	CreatedBy   string            `json:"created_by"`
	Description *string           `json:"description,omitzero"`
	Metadata    jsontext.Value    `json:"metadata,omitzero"`
}

type generalOperatorEvent struct {
	generalEvent `json:",inline"`
	Seq          int64             `json:"seq"`
	Effect       connection.Effect `json:"effect"`
	ExternalID   string            `json:"external_id,omitzero"`
	OccurredAt   string            `json:"occurred_at,omitzero"`
	Signup       int64             `json:"signup_number,omitzero"`
	Code         string            `json:"code,omitzero"`
	ProviderCode string            `json:"provider_code,omitzero"`
	Reason       string            `json:"reason,omitzero"`
}

type generalConnection struct {
	Signup        generalSignup     `json:"signup"`
	Configuration jsontext.Value    `json:"configuration,omitzero"`
	Events        []generalEvent    `json:"events"`
	CreatedAt     string            `json:"created_at"`
	CreatedBy     string            `json:"created_by"`
	UpdatedAt     string            `json:"updated_at"`
	Metadata      jsontext.Value    `json:"metadata"`
	Status        connection.Status `json:"status"`
	Schema        int               `json:"schema"`
}

type generalSignup struct {
	ID        string         `json:"id"`
	URL       string         `json:"url"`
	CreatedAt string         `json:"created_at"`
	ExpiresAt string         `json:"expires_at"`
	Data      jsontext.Value `json:"data"`
}

func generalTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(wire.TimeFormat)
}

func generalOf(e connection.Event) generalOperatorEvent {
	return generalOperatorEvent{
		generalEvent: generalEvent{e.Status, e.Name, e.ID, generalTime(e.CreatedAt), e.CreatedBy, e.Description, e.Metadata},
		Seq:          e.Seq, Effect: connection.EffectOf(e), ExternalID: e.ExternalID, OccurredAt: generalTime(e.OccurredAt), Signup: e.Signup,
		Code: e.Code, ProviderCode: e.ProviderCode, Reason: e.Reason,
	}
}

// TestTheShapesAreWhatAGeneralEncoderWrites, whatever the texts hold.
func TestTheShapesAreWhatAGeneralEncoderWrites(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := &provider.Provider{Slug: "p", Signup: provider.Signup{View: provider.View{Data: "data", Members: []string{"id", "url", "created_at", "expires_at"}}}}
	for range 500 {
		c := &connection.Connection{
			CreatedAt: instant(r), CreatedBy: anyText(r), UpdatedAt: instant(r), Status: connection.Enabled, Schema: r.IntN(9),
			Signups: []connection.Signup{{
				Seq: 1, ID: anyText(r), Token: "t", CreatedAt: instant(r), ExpiresAt: instant(r), Data: document(t, r),
			}},
			Configuration: document(t, r), Metadata: document(t, r),
		}
		want := generalConnection{
			Signup: generalSignup{
				c.Signups[0].ID, "https://m.example/s/t", generalTime(c.Signups[0].CreatedAt), generalTime(c.Signups[0].ExpiresAt), c.Signups[0].Data,
			},
			Configuration: c.Configuration, Events: []generalEvent{}, CreatedAt: generalTime(c.CreatedAt), CreatedBy: c.CreatedBy,
			UpdatedAt: generalTime(c.UpdatedAt), Metadata: c.Metadata, Status: c.Status, Schema: c.Schema,
		}
		for range r.IntN(5) {
			e := anyEvent(t, r)
			c.Events = append(c.Events, e)
			want.Events = append(want.Events, generalOf(e).generalEvent)
			same(t, generalOf(e), wire.OperatorEvent(e))
			same(t, generalOf(e).generalEvent, wire.Event(e))
		}
		same(t, want, wire.Connection(c, p, "https://m.example"))
	}
}

func same(t *testing.T, want any, got []byte) {
	t.Helper()
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, got) {
		t.Fatalf("a general encoder writes\n%s, and we\n%s", text, got)
	}
}

func anyEvent(t *testing.T, r *rand.Rand) connection.Event {
	e := connection.Event{
		Seq: r.Int64(), ID: anyText(r), Status: connection.Pending, Name: anyText(r), CreatedAt: instant(r), CreatedBy: anyText(r),
		ExternalID: anyText(r), Stale: r.IntN(2) == 0, Reason: anyText(r), Signup: r.Int64N(3), Code: anyText(r), ProviderCode: anyText(r),
	}
	if r.IntN(2) == 0 {
		description := anyText(r)
		e.Description = &description
	}
	if r.IntN(2) == 0 {
		e.Metadata = document(t, r)
	}
	if r.IntN(2) == 0 {
		e.OccurredAt = instant(r)
	}
	return e
}

// anyText has what must be escaped, what may be, and what looks as if.
func anyText(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(12) {
		switch r.IntN(4) {
		case 0:
			b.WriteByte(byte(r.IntN(0x20)))
		case 1:
			b.WriteByte(`"\/<>&'`[r.IntN(7)])
		case 2:
			b.WriteRune([]rune{0x7f, 0x80, 'ø', 0x2028, 0x2029, 0xfeff, 0xfffd, 0xffff, '😀', 0x10ffff}[r.IntN(10)])
		default:
			b.WriteByte(byte('a' + r.IntN(26)))
		}
	}
	return b.String()
}

func instant(r *rand.Rand) time.Time {
	zone := time.FixedZone("", 60*(r.IntN(1440)-720))
	return time.UnixMicro(r.Int64N(4_000_000_000_000_000)).In(zone)
}

func document(t *testing.T, r *rand.Rand) []byte {
	text, err := json.Marshal(map[string]string{anyText(r): anyText(r)})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
