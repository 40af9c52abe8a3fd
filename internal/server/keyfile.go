package server

import (
	"context"
	"time"
)

// refreshEvery is how soon a server learns that its key file was rotated. A
// rotation waits much longer before it takes the old key away.
const refreshEvery = time.Second

// followKeyFile lets a rotation of the key file reach this process.
func (s *Server) followKeyFile(ctx context.Context) error {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := s.sealer.Refresh()
		if err != nil && !failing {
			s.cfg.Log.Warn("the key file can't be read again; the keys in use stay", "error", err)
		}
		failing = err != nil
	}
}
