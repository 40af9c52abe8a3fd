package hook

import (
	"errors"
)

// ErrNothingLeft says that an entry has no body any more: the account that it
// was about is erased.
var ErrNothingLeft = errors.New("nothing is left to be told of it")

// envelope is about how long the members are that every body starts with.
const envelope = 160

// Message is the body that a subscription gets for an entry: the same bytes
// each time. A ping is its body as it is: the subscription.
func Message(s Subscription, e Entry) (body []byte, err error) {
	if len(e.Body) < len(`{}`) {
		return nil, ErrNothingLeft
	}
	if e.Type == Ping {
		return e.Body, nil
	}
	members, err := s.Settings.masked(e.Body)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, envelope+len(members))
	b = append(b, `{"account_id":"`...)
	b = append(b, e.Account...)
	b = append(b, `","event":"`...)
	b = append(b, e.Type...)
	b = append(b, `","event_delivery":"`...)
	b = append(b, DeliveryID(s.ID, e.ID)...)
	b = append(b, '"')
	if len(members) > len(`{}`) {
		b = append(b, ',')
	}
	return append(b, members[1:]...), nil
}

// masked is what the masks leave of the members that an entry brings.
func (s Settings) masked(members []byte) ([]byte, error) {
	if s.Fields != "" {
		m, err := readMask(s.Fields)
		if err != nil {
			return nil, err
		}
		if members, err = m.apply(members, false); err != nil {
			return nil, err
		}
	}
	for _, excluded := range s.ExcludeFields {
		m, err := readMask(excluded)
		if err != nil {
			return nil, err
		}
		if members, err = m.apply(members, true); err != nil {
			return nil, err
		}
	}
	return members, nil
}
