package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"mooring/internal/outbound"
)

// maxKeySet is how much of what an account publishes is read.
const maxKeySet = 64 << 10

var errNotSecure = errors.New("keys are fetched over https, or over http from an address that --outbound-allow opens")

// keyFetcher gets the public keys of an account from where it publishes them.
func (s *Server) keyFetcher() func(ctx context.Context, uri string) ([]byte, error) {
	client := outbound.New(outbound.Config{Allow: s.cfg.OutboundAllow, Own: s.own(), Never: s.never(), MaxBody: maxKeySet})
	return func(ctx context.Context, uri string) ([]byte, error) {
		to, err := outbound.ParseURL(uri)
		if err != nil {
			return nil, err
		}
		if to.Scheme != "https" && !s.opened(to) {
			return nil, errNotSecure
		}
		answer, err := client.Do(ctx, http.MethodGet, to, http.Header{"Accept": {"application/jwk-set+json, application/json"}}, nil)
		if err != nil {
			return nil, err
		}
		if answer.Status != http.StatusOK {
			return nil, fmt.Errorf("the answer has status %d", answer.Status)
		}
		return answer.Body, nil
	}
}

// opened says whether a URL names an address that the operator has opened.
func (s *Server) opened(to *url.URL) bool {
	address, err := netip.ParseAddr(to.Hostname())
	return err == nil && slices.ContainsFunc(s.cfg.OutboundAllow, func(p netip.Prefix) bool { return p.Contains(address.Unmap()) })
}
