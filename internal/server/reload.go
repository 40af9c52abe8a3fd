package server

import (
	"context"
	"strings"
)

// Reload reads the provider files again and serves what they say from the next
// request on. When they can't be taken as they are, everything stays as it was,
// and one line of the log says why.
func (s *Server) Reload(ctx context.Context) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	next, err := s.assemble(ctx)
	if err != nil {
		s.metrics.Counter("mooring_provider_reloads_refused_total", "Readings of the provider files that were refused.").Inc()
		first, more := firstProblem(err)
		s.cfg.Log.Error("the provider files are refused, those read before stay", "problem", first, "more", more)
		return err
	}
	s.current.Store(next)
	s.metrics.Counter("mooring_provider_reloads_total", "Readings of the provider files that took effect.").Inc()
	s.cfg.Log.Info("the provider files were read again", "providers", len(next.catalogue.All()))
	return nil
}

// firstProblem is the first line of an error, and how many follow.
func firstProblem(err error) (first string, more int) {
	first, rest, found := strings.Cut(err.Error(), "\n")
	if found {
		more = 1 + strings.Count(rest, "\n")
	}
	return first, more
}

// reloads reads the provider files again whenever it is told to.
func (s *Server) reloads(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.cfg.Reload:
			_ = s.Reload(ctx) // logged there; the server goes on
		}
	}
}
