package server

import (
	"context"
	"time"

	"mooring/internal/store"
)

// placeAtOnce is how many connections are placed at a time, in one batch of the
// store; placePause lets others write between two of them.
const (
	placeAtOnce = 128
	placePause  = 20 * time.Millisecond
)

// place gives the connections that older releases wrote the place in the queue
// that their history says. Until then they are in no list of it. One whose
// provider is not known here stays for a start at which it is.
func (s *Server) place(ctx context.Context) error {
	placed, after := 0, store.Place{}
	for {
		some, err := s.store.Unplaced(ctx, after, placeAtOnce)
		if err != nil {
			s.cfg.Log.Warn("could not look for connections to place in the queue; the next start goes on", "cause", err)
			return nil
		}
		if len(some) == 0 {
			if placed > 0 {
				s.cfg.Log.Info("placed older connections in the queue", "connections", placed)
			}
			return nil
		}
		n, err := s.placeThese(ctx, some)
		if err != nil {
			s.cfg.Log.Warn("could not place older connections in the queue; the next start goes on", "cause", err)
			return nil
		}
		placed, after = placed+n, some[len(some)-1]
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(placePause):
		}
	}
}

// placeThese places connections, all of them at once.
func (s *Server) placeThese(ctx context.Context, some []store.Place) (int, error) {
	outcomes := make(chan error, len(some))
	asked := 0
	for _, at := range some {
		p, known := s.Catalogue().Get(at.Provider)
		if !known {
			continue
		}
		asked++
		go func() {
			_, err := s.store.Change(ctx, store.Change{
				System: true, Closed: true, Account: at.Account, Provider: at.Provider, Whole: true,
				Decide: func(f store.Found) (store.Decision, error) {
					if f.Connection == nil || !f.Connection.Place(p) {
						return store.Decision{}, nil
					}
					return store.Decision{Connection: f.Connection}, nil
				},
			})
			outcomes <- err
		}()
	}
	var failed error
	for range asked {
		if err := <-outcomes; err != nil {
			failed = err
		}
	}
	return asked, failed
}
