package server

import "context"

// JudgeInbox is one round of judging what was left in the inbox.
func (s *Server) JudgeInbox(ctx context.Context) (int, error) {
	return s.current.Load().inbox.Catch(ctx, inboxBatch)
}
