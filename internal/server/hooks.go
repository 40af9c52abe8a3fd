package server

import (
	"math/rand/v2"

	"mooring/internal/api"
	"mooring/internal/dispatch"
)

// telling is what subscriptions are told with.
func (s *Server) telling() dispatch.Deps {
	return dispatch.Deps{
		Store: s.store, Secrets: s.vault.OpenSecrets, Serves: s.serves, Senders: s.senders(),
		Now: Now, NewID: api.NewID, Chance: rand.Float64, Log: s.cfg.Log, Metrics: s.metrics,
	}
}
