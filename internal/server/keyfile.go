package server

import (
	"context"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
)

// refreshEvery is how soon a server learns that its key file was rotated. A
// rotation waits much longer before it takes the old key away.
const refreshEvery = time.Second

// remindEvery is how often the ends of certificates are looked at.
const remindEvery = time.Hour

// remind records which certificates end soon, of all accounts served.
func (s *Server) remind(ctx context.Context) error {
	tick := time.NewTicker(remindEvery)
	defer tick.Stop()
	for {
		for _, world := range []account.World{account.Production, account.Test} {
			platform := auth.Caller{Account: account.Platform(world), Kind: account.KindPlatform}
			if !s.serves(platform.Account) {
				continue
			}
			if err := s.vault.Remind(ctx, platform); err != nil && ctx.Err() == nil {
				s.cfg.Log.Warn("recording which certificates end soon failed", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

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
