package server

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"

	"mooring/internal/account"
	"mooring/internal/api"
	"mooring/internal/connection"
	"mooring/internal/deliver"
	"mooring/internal/gateway"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/simulator"
	"mooring/internal/store"
)

// reachOut makes the ways to the providers: simulated ones for test accounts,
// unless only production is served, and the platform's own gateways for
// production.
func (s *Server) reachOut() error {
	urls, err := s.cfg.gatewayURLs()
	if err != nil {
		return err
	}
	var key gateway.Key
	if len(urls) > 0 {
		if key, err = gateway.OpenKeyFile(s.cfg.GatewaySecretFile); err != nil {
			return err
		}
	}
	if s.letters, err = s.cfg.letters(); err != nil {
		return err
	}
	client := outbound.New(outbound.Config{
		Allow: s.cfg.OutboundAllow, Own: s.own(), Never: s.never(), MaxBody: gateway.MaxAnswer,
		Unverified: s.cfg.OutboundUnverified, Relay: s.letters.address(),
	})
	s.outbound = client
	for _, slug := range slices.Sorted(maps.Keys(urls)) {
		if err := client.Check(urls[slug]); err != nil {
			return fmt.Errorf("the gateway of %s at %s can never be reached: %w; only --outbound-allow opens what is off the public internet", slug, urls[slug], err)
		}
	}
	if len(urls) > 0 && !s.cfg.Worlds.Serves(account.Production) {
		s.cfg.Log.Warn("gateways are for production accounts, which are not served here: nothing is handed to them", "world", s.cfg.Worlds)
	}
	s.gateway = gateway.NewHTTP(client, urls, key, Now)
	ways := map[account.World]gateway.Gateway{}
	if s.cfg.Worlds.Serves(account.Production) {
		ways[account.Production] = s.gateway
	}
	if s.cfg.Worlds.Serves(account.Test) {
		ways[account.Test] = simulator.New(s.timeOf)
	}
	s.deliverer = deliver.New(deliver.Deps{
		Store: s.store, Vault: s.vault, Gateway: s.gateway, Takes: s.gateway.Takes, Desk: gateway.New(ways), Catalogue: s.Catalogue, Serves: s.serves,
		CallbackToken: s.access.CallbackToken, CallbackURL: s.access.CallbackURL, PublicURL: s.cfg.PublicURL,
		Now: Now, NewID: api.NewID, NewToken: api.NewToken, Log: s.cfg.Log, Metrics: s.metrics,
	})
	return nil
}

// gatewayURLs reads the URLs of the gateways.
func (c Config) gatewayURLs() (map[string]*url.URL, error) {
	if len(c.Gateways) > 0 && c.GatewaySecretFile == "" {
		return nil, errors.New("gateways need a secret to sign with: name its file with --gateway-secret-file")
	}
	ours, err := url.Parse(c.PublicURL)
	if err != nil {
		return nil, err
	}
	urls := map[string]*url.URL{}
	for _, slug := range slices.Sorted(maps.Keys(c.Gateways)) {
		u, err := outbound.ParseURL(c.Gateways[slug])
		switch {
		case err != nil:
			return nil, fmt.Errorf("the URL of the gateway of %s can't be used: %w", slug, errors.Unwrap(err))
		case u.RawQuery != "":
			return nil, fmt.Errorf("the URL of the gateway of %s can't be used: it must not have a query", slug)
		case u.Host == ours.Host:
			return nil, fmt.Errorf("the URL of the gateway of %s is this server's own public URL", slug)
		}
		urls[slug] = u
	}
	return urls, nil
}

// checkGateways refuses a gateway for a provider that there is not.
func (s *Server) checkGateways(catalogue *provider.Catalogue) error {
	for _, slug := range slices.Sorted(maps.Keys(s.cfg.Gateways)) {
		if _, ok := catalogue.Get(slug); !ok {
			return fmt.Errorf("there is no provider %s to have a gateway for", slug)
		}
	}
	return nil
}

// own is where this process listens.
func (s *Server) own() []netip.AddrPort {
	return []netip.AddrPort{s.listener.Addr().(*net.TCPAddr).AddrPort()}
}

// never is where the database is: its whole host, unless that is this machine.
func (s *Server) never() []string {
	var hosts []string
	for _, at := range s.store.Hosts() {
		if host, _, err := net.SplitHostPort(at); err == nil && !loopback(host) {
			at = host
		}
		hosts = append(hosts, at)
	}
	return hosts
}

// Due is what a new signup makes due: a step of its scenario for a test
// account; else handing it to the provider's gateway, or writing it into a file.
func (s *Server) Due(acc account.Account, p *provider.Provider, signup connection.Signup) []store.Task {
	if acc.ID.World() == account.Test {
		return simulator.Due(acc, p, signup, api.NewID)
	}
	task := store.Task{
		Account: acc.ID, ID: api.NewID(), Kind: store.TaskSubmit, Provider: p.Slug, Signup: signup.ID, DueAt: Now(), State: store.TaskDue,
	}
	switch {
	case s.gateway.Takes(p.Slug):
	case p.Batch != nil:
		task.Kind = store.TaskBatch
	default: // a person hands it over, and posts the events
		return nil
	}
	return []store.Task{task}
}
