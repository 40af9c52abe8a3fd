package hook

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/wire"
)

// Types lists the events that one may subscribe to, in the order in which they
// are shown.
var Types = []string{
	AccountAdd, AccountUpdate, CaseUpdate, ConnectionUpdate, ConnectionStalled, EndpointFailing, EndpointDisabled,
}

const (
	accountShape = `account(id,account_id,partner_id,active,livemode,created_at,created_by,updated_at,deleted_at,deleted_by,` +
		`connections(*),applicant(*),company(*),billing(*),language_code,progression(*),account_manager(*),` +
		`reseller_id,jwks(*),services(*),subscription(*),configuration(*),custom_price_package(*),price_package(*),sale_channel(*))`
	connectionShape = `connection(connection,status,turn,code,since,due,updated_at,before(status,turn))`
	eventShape      = `connection_event(id,created_at,created_by,event,status,description,metadata(*),seq,effect,external_id,` +
		`occurred_at,signup_number,code,provider_code,reason)`
)

// Shapes are, for each type, all that its bodies may have beside what every
// body has, as a mask. "*" stands for whatever there is.
var Shapes = map[string]string{
	AccountAdd:        accountShape,
	AccountUpdate:     accountShape,
	CaseUpdate:        accountShape + `,payout_destination_case(*),payment_case(*)`,
	ConnectionUpdate:  connectionShape + `,` + eventShape,
	ConnectionStalled: connectionShape,
	EndpointFailing:   `subscription(id,kind,failing_since),percent`,
	EndpointDisabled:  `subscription(id,kind,failing_since),reason`,
}

var (
	errNamesNothing = errors.New("the mask names a member that none of the events has")
	errEnvelope     = errors.New("account_id, event and event_delivery are in every body")
)

// envelopeNames are the members of every body; no mask takes them away.
var envelopeNames = []string{"account_id", "event", "event_delivery"}

// CheckFields says what is wrong with a mask of what bodies have, for a
// subscription to these events: that it can't be read, or names what none of
// them has.
func CheckFields(fields string, events []string) error {
	m, err := readMask(fields)
	if err != nil {
		return err
	}
	for _, name := range envelopeNames {
		if below := m.members[name]; below != nil && below.members == nil {
			delete(m.members, name) // it is there anyway
		}
	}
	return m.checkAgainst(events)
}

// CheckExcluded does so with a mask of what bodies have not.
func CheckExcluded(excluded string, events []string) error {
	m, err := readMask(excluded)
	if err != nil {
		return err
	}
	for _, name := range envelopeNames {
		if m.members[name] != nil {
			return errEnvelope
		}
	}
	return m.checkAgainst(events)
}

func (m *mask) checkAgainst(events []string) error {
	var shapes []string
	for _, event := range events {
		if shape := Shapes[event]; shape != "" && !slices.Contains(shapes, shape) {
			shapes = append(shapes, shape)
		}
	}
	r := maskReader{strings.Join(shapes, ",")}
	all := &mask{}
	if len(shapes) == 0 || r.list(all, 1) != nil || !m.names(all) {
		return errNamesNothing
	}
	return nil
}

// OfEndpoint is the entry that tells the owner of a subscription what a change
// of its health means for it: that patience runs out, or that it was switched off.
// owner is in whose feed entries about the subscriber are. Where messages went is not in it:
// others than the subscriber read it.
func OfEndpoint(owner account.ID, s Subscription, h Health, c Change, id string, now time.Time) Entry {
	e := Entry{ID: id, Owner: owner, Account: s.Account, Type: EndpointFailing, At: now, ToldAt: now}
	b := append([]byte(`{"subscription":{"id":"`), s.ID...)
	b = append(append(b, `","kind":"`...), s.Kind...)
	b = append(append(b, `","failing_since":"`...), h.FailingSince.UTC().Format(wire.TimeFormat)...)
	if c.Disabled != "" {
		e.Type = EndpointDisabled
		b = append(b, `"},"reason":"`...)
		b = append(append(b, c.Disabled...), '"')
	} else {
		b = strconv.AppendInt(append(b, `"},"percent":`...), int64(c.Warn), 10)
	}
	e.Body = append(b, '}')
	return e
}
