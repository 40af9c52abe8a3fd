package server

import (
	"context"
	"time"
)

// stallsEvery and stallsBatch pace the search for connections that have waited
// for longer than their providers usually need.
const (
	stallsEvery = 5 * time.Second
	stallsBatch = 200
)

// tellStalls tells of connections that stall as time passes. Several nodes may
// do so at once.
func (s *Server) tellStalls(ctx context.Context) error {
	tick := time.NewTicker(stallsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for told := stallsBatch; told == stallsBatch && ctx.Err() == nil; {
			var err error
			if told, err = s.store.TellStalls(ctx, Now(), stallsBatch); err != nil && ctx.Err() == nil {
				s.cfg.Log.Warn("telling of connections that stall failed", "error", err)
			}
		}
	}
}
