package server

import (
	"errors"
	"net/url"

	"mooring/internal/outbound"
)

// hookTarget is the one spelling of a URL that messages may be sent to; why
// says what is wrong with one that they never may.
func (s *Server) hookTarget(raw string) (target, why string) {
	to, err := outbound.ParseURL(raw)
	if err != nil {
		return "", "can't be used: " + errors.Unwrap(err).Error()
	}
	ours, _ := url.Parse(s.cfg.PublicURL) // it was checked at the start
	switch err := s.outbound.Check(to); {
	case to.Host == ours.Host:
		return "", "can't be used: it is this service's own"
	case err != nil && to.Scheme == "http":
		return "", "can't be used: messages go to https only"
	case err != nil:
		return "", "can't be used: nothing is sent there, for it is not on the public internet"
	}
	return to.String(), ""
}
