package hook

// envelope is about how long the members are that every body starts with.
const envelope = 160

// Message is the body that a subscription gets for an entry: the same bytes
// each time, as long as the account is not erased; then it says only that there
// was something. A ping is its body as it is: the subscription.
func Message(s Subscription, e Entry) ([]byte, error) {
	if e.Type == Ping {
		return e.Body, nil
	}
	e, err := s.as(e)
	if err != nil {
		return nil, err
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
	if len(members) <= len(`{}`) {
		return append(b, '}'), nil
	}
	return append(append(b, ','), members[1:]...), nil
}

// masked is what the masks leave of the members that an entry brings.
func (s Settings) masked(members []byte) ([]byte, error) {
	if len(members) == 0 {
		return nil, nil
	}
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
