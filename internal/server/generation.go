package server

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"

	"mooring/contract"
	"mooring/internal/api"
	"mooring/internal/auth"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/reference"
	"mooring/internal/telemetry"
	"mooring/providers"
)

// generation is what one reading of the provider files gives: the catalogue,
// and the gate and the pages made from it. It is never changed, only replaced
// as a whole, so that a request sees one of them from its beginning to its end.
type generation struct {
	catalogue *provider.Catalogue
	document  *gate.Document
	handler   http.Handler
	inbox     *api.Inbox
}

// Catalogue is the providers that this server knows now. What lives longer
// than one request or one round of work must ask again.
func (s *Server) Catalogue() *provider.Catalogue { return s.current.Load().catalogue }

// ServeHTTP answers a request with the generation that is current when it comes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.current.Load().handler.ServeHTTP(w, r)
}

// assemble makes a generation of the provider files as they are now. It is
// refused when a row could not be shown any more.
func (s *Server) assemble(ctx context.Context) (*generation, error) {
	own, err := s.ownProviders()
	if err != nil {
		return nil, err
	}
	ours, err := embedded()
	if err != nil {
		return nil, err
	}
	next, err := build(ours, own, s.equip)
	if err != nil {
		return nil, err
	}
	next.inbox = api.NewInbox(s.deps(next.catalogue, next.document))
	used, err := s.store.VersionsInUse(ctx)
	if err != nil {
		return nil, err
	}
	return next, next.catalogue.Keep(used)
}

func (s *Server) ownProviders() ([]provider.File, error) {
	if s.cfg.Providers == "" {
		return nil, nil
	}
	return provider.FilesIn(s.cfg.Providers)
}

// equip is the gate of a running server.
func (s *Server) equip(catalogue *provider.Catalogue, document *gate.Document) gate.Config {
	deps := s.deps(catalogue, document)
	deps.Pages = reference.New(document, s.cfg.PublicURL)
	return gate.Config{
		Document:       document,
		Functions:      api.Operations(deps),
		Verify:         s.access.Verify,
		World:          s.serves,
		Denied:         s.denials.Record,
		Admission:      s.admission,
		Log:            s.cfg.Log,
		Metrics:        s.metrics,
		FingerprintKey: s.access.FingerprintKey(),
	}
}

// deps is what operations work with, all but the pages for readers.
func (s *Server) deps(catalogue *provider.Catalogue, document *gate.Document) api.Deps {
	return api.Deps{
		Store: s.store, Access: s.access, Catalogue: catalogue, Deliver: s.deliverer, Denials: s.denials, Feeds: s.feeds, Vault: s.vault, Due: s.Due,
		Clocks: s.clocks, CaseRegistry: s.cfg.CaseRegistry, Document: document, PublicURL: s.cfg.PublicURL, Retention: cmp.Or(s.cfg.Retention, defaultRetention),
		SendsMail: s.letters.relay != nil,
		Serves:    s.serves, Now: Now, Ready: s.ready, Metrics: s.metrics.Render, Log: s.cfg.Log,
		Target: s.hookTarget, Unverified: s.cfg.OutboundUnverified, Pings: s.pings,
		UnknownReferences: s.metrics.Counter("mooring_unknown_callback_references_total", "Callbacks that named no signup that their sender may speak of."),
	}
}

// CheckProviders does with provider files what a server does when it starts,
// and gives the catalogue of the program's own providers and these. The
// program's own providers whose slugs are in instead make room for them.
func CheckProviders(own []provider.File, instead ...string) (*provider.Catalogue, error) {
	ours, err := embedded()
	if err != nil {
		return nil, err
	}
	for _, slug := range instead {
		ours = ours.Without(slug)
	}
	g, err := build(ours, own, func(_ *provider.Catalogue, document *gate.Document) gate.Config {
		return gate.Config{
			Document: document, Functions: api.Operations(api.Deps{}), FingerprintKey: []byte("none"),
			Verify:  func(context.Context, []string) (auth.Caller, error) { return auth.Caller{}, nil },
			Metrics: telemetry.NewMetrics(), Log: slog.New(slog.DiscardHandler),
		}
	})
	if err != nil {
		return nil, err
	}
	return g.catalogue, nil
}

// embedded are the program's own providers, written its own part of the
// contract, and whole the contract with both. None of them ever changes.
var (
	embedded = sync.OnceValues(func() (*provider.Catalogue, error) { return provider.Unpack(providers.Packed) })
	written  = sync.OnceValue(func() *gate.Fragments { return gate.Unpack(contract.Packed) })
	whole    = sync.OnceValues(func() (*gate.Document, error) { return written().Whole() })
)

// readAhead reads them while the database is opened, which takes about as long.
// Providers of an operator's own make another whole.
func readAhead(own bool) {
	go func() { _, _ = embedded() }() // whoever needs them is told what is wrong
	if !own {
		go func() { _, _ = whole() }()
	}
}

// describe is the contract with the part that follows from a catalogue. That of
// the program's own providers alone was made before.
func describe(catalogue, ours *provider.Catalogue, own []provider.File) (*gate.Document, error) {
	if all, _ := embedded(); len(own) == 0 && ours == all {
		return whole()
	}
	return written().Assemble(catalogue.Contract())
}

// build makes a generation of the program's own providers and the files of
// others. What could not be run is refused, and the file that is to blame is
// named.
func build(ours *provider.Catalogue, own []provider.File, equip func(*provider.Catalogue, *gate.Document) gate.Config) (_ *generation, err error) {
	defer func() { // a file that nobody thought of must not end the process
		if p := recover(); p != nil {
			err = fmt.Errorf("reading the provider files broke off: %v\n%s", p, debug.Stack())
		}
	}()
	catalogue, err := ours.With(own)
	if err != nil {
		return nil, err
	}
	document, err := describe(catalogue, ours, own)
	if err == nil {
		cfg := equip(catalogue, document)
		var handler *gate.Gate
		if handler, err = gate.New(cfg); err == nil {
			return &generation{catalogue: catalogue, document: document, handler: handler}, nil
		}
	}
	if len(own) > 1 {
		for _, file := range own { // which of them is it?
			if _, err := build(ours, []provider.File{file}, equip); err != nil {
				return nil, err
			}
		}
		return nil, err
	}
	for _, p := range catalogue.All() {
		if len(own) == 1 && p.Source() == own[0].Name {
			reason, _, _ := strings.Cut(err.Error(), "\n")
			return nil, p.Refuse("does not fit into the API: " + reason)
		}
	}
	return nil, err
}
