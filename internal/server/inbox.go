package server

import (
	"context"
	"time"
)

// inboxEvery and inboxBatch pace the judging of calls that were received and
// left.
const (
	inboxEvery = 10 * time.Second
	inboxBatch = 100
)

// inboxLife is how long the body of a received call is kept.
const inboxLife = 30 * 24 * time.Hour

// judgeInbox judges calls that were received, but not judged, before a process
// ended: each round by the provider files as they are then.
func (s *Server) judgeInbox(ctx context.Context) error {
	tick := time.NewTicker(inboxEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := s.current.Load().inbox.Catch(ctx, inboxBatch); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("judging calls that were left in the inbox failed", "error", err)
		}
	}
}
