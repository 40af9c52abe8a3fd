package server

import (
	"context"
	"time"
)

// relabelAtOnce is how many accounts are labelled in one transaction;
// relabelPause lets others write between two of them.
const (
	relabelAtOnce = 64
	relabelPause  = 20 * time.Millisecond
)

// relabel makes the accounts that older releases wrote found by what they say of
// themselves. Until then lists find them by their ids alone.
func (s *Server) relabel(ctx context.Context) error {
	for labelled := 0; ; {
		n, err := s.store.Relabel(ctx, relabelAtOnce)
		if err != nil {
			s.cfg.Log.Warn("could not label older accounts for the lists; the next start goes on", "cause", err)
			return nil
		}
		labelled += n
		if n < relabelAtOnce {
			if labelled > 0 {
				s.cfg.Log.Info("labelled older accounts for the lists", "accounts", labelled)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(relabelPause):
		}
	}
}
