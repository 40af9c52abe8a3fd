package server

import (
	"context"
	"net/http"

	"mooring/contract"
	"mooring/internal/api"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/reference"
	"mooring/providers"
)

// generation is what one reading of the provider files gives: the catalogue,
// and the gate and the pages made from it. It is never changed, only replaced
// as a whole, so that a request sees one of them from its beginning to its end.
type generation struct {
	catalogue *provider.Catalogue
	handler   http.Handler
}

// Catalogue is the providers that this server knows now. What lives longer
// than one request or one round of work must ask again.
func (s *Server) Catalogue() *provider.Catalogue { return s.current.Load().catalogue }

// ServeHTTP answers a request with the generation that is current when it comes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.current.Load().handler.ServeHTTP(w, r)
}

// assemble reads the provider files and puts a gate in front of the operations.
func (s *Server) assemble(context.Context) (*generation, error) {
	catalogue, err := provider.Load(providers.FS)
	if err != nil {
		return nil, err
	}
	document, err := gate.Assemble(contract.FS, catalogue.Contract())
	if err != nil {
		return nil, err
	}
	handler, err := gate.New(gate.Config{
		Document: document,
		Functions: api.Operations(api.Deps{
			Store: s.store, Access: s.access, Catalogue: catalogue, Desk: s.desk, Vault: s.vault, Due: s.Due,
			Document: document, Pages: reference.New(document, s.cfg.PublicURL), PublicURL: s.cfg.PublicURL,
			Serves: s.serves, Now: Now, Ready: s.ready, Metrics: s.metrics.Render, Log: s.cfg.Log,
		}),
		Verify:         s.access.Verify,
		World:          s.serves,
		Log:            s.cfg.Log,
		Metrics:        s.metrics,
		FingerprintKey: s.access.FingerprintKey(),
	})
	return &generation{catalogue, handler}, err
}
