// Package server builds everything from a Config and runs it.
//
// It promises that a server which starts is safe to use: each unsafe setting
// is refused with one sentence. It promises that what was accepted before a
// stop is answered. It must never hold a rule of the product.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"mooring/internal/access"
	"mooring/internal/account"
	"mooring/internal/api"
	"mooring/internal/deliver"
	"mooring/internal/dispatch"
	"mooring/internal/gate"
	"mooring/internal/gateway"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/simulator"
	"mooring/internal/store"
	"mooring/internal/telemetry"
	"mooring/internal/vault"
)

// Server is one assembled service, listening but not yet answering.
type Server struct {
	cfg       Config
	listener  net.Listener
	store     *store.Store
	access    *access.Access
	sealer    *secret.Sealer
	vault     *vault.Vault
	letters   letters
	gateway   *gateway.HTTP
	outbound  *outbound.Client // for gateways and for messages
	pings     *api.Pings
	deliverer *deliver.Deliverer
	hooks     *dispatch.Dispatcher
	denials   *api.Denials
	feeds     *api.Feeds
	clocks    *simulator.Driver // nil unless test accounts are served
	metrics   *telemetry.Metrics
	admission *gate.Admission
	http      *http.Server
	stopping  atomic.Bool

	current   atomic.Pointer[generation]
	reloading sync.Mutex
}

// New checks the configuration, opens the database and the key file, binds the
// address and assembles every room. Whatever it opened is closed again when it
// fails.
func New(ctx context.Context, cfg Config) (_ *Server, err error) {
	readAhead(cfg.Providers != "")
	s := &Server{cfg: cfg, pings: new(api.Pings)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if cfg.Listen == "" {
		return nil, errors.New("name the address to listen on, such as 127.0.0.1:8080")
	}
	if s.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("can't listen on %s: %w", cfg.Listen, err)
	}
	if s.cfg.PublicURL == "" {
		s.cfg.PublicURL = derivedURL(s.listener.Addr().(*net.TCPAddr))
	}
	if err = s.cfg.check(); err != nil {
		return nil, err
	}
	s.store, err = store.Open(ctx, store.Config{
		DataDir: cfg.DataDir, Database: cfg.Database, MustExist: cfg.MustExist, Now: Now, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	if s.sealer, err = secret.OpenKeyFile(cfg.KeyFile); err != nil {
		return nil, err
	}
	s.metrics = telemetry.NewMetrics()
	s.admission = gate.NewAdmission(s.metrics)
	s.access, err = access.New(ctx, access.Config{
		Store: s.store, Sealer: s.sealer, Claimed: cfg.MustExist, PublicURL: s.cfg.PublicURL, DocumentedHost: cfg.DocumentedHost,
		Algorithm: cfg.Algorithm, Serves: s.serves, TokenLife: cfg.TokenLife, LoginFailuresPerMinute: cfg.LoginFailures,
		Now: Now, Log: cfg.Log, Metrics: s.metrics, Fetch: s.keyFetcher(),
	})
	if err != nil {
		return nil, err
	}
	s.vault = vault.New(s.store, s.sealer, s.access.FingerprintKey(), Now, api.NewID)
	if err = s.reachOut(); err != nil {
		return nil, err
	}
	s.hooks = dispatch.New(s.telling())
	s.clocks = s.simulated()
	s.denials = api.NewDenials(s.store, s.serves, Now, cfg.Log)
	s.feeds = api.NewFeeds(s.store, s.metrics.Gauge("mooring_feeds_open", "Streams of feeds, and calls that wait for one to go on."), cfg.Log)
	first, err := s.assemble(ctx)
	if err != nil {
		return nil, err
	}
	if err = s.checkGateways(first.catalogue); err != nil {
		return nil, err
	}
	s.current.Store(first)
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      gate.WriteLimit,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    gate.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
	}
	s.http.RegisterOnShutdown(s.feeds.Stop)
	return s, nil
}

// serves says whether this process serves an account's world.
func (s *Server) serves(id account.ID) bool { return s.cfg.Worlds.Serves(id.World()) }

// simulated moves the clocks of test accounts; nil when none are served.
func (s *Server) simulated() *simulator.Driver {
	if !s.cfg.Worlds.Serves(account.Test) {
		return nil
	}
	return simulator.NewDriver(simulator.Config{
		Store: s.store, Vault: s.vault, Handler: s, Token: s.access.CallbackToken, Now: Now, NewID: api.NewID, Log: s.cfg.Log,
		Provider: func(slug string) (*provider.Provider, bool) { return s.Catalogue().Resolve(slug) },
	})
}

// timeOf is what time it is for a test account.
func (s *Server) timeOf(ctx context.Context, id account.ID) (time.Time, error) {
	acc, err := s.store.Account(ctx, simulator.Platform, id)
	return acc.Now(Now()), err
}

// Addr is the address that was bound.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// LocalURL is the base under which this machine reaches the server.
func (s *Server) LocalURL() string { return derivedURL(s.listener.Addr().(*net.TCPAddr)) }

// PublicURL is the base under which clients reach this server.
func (s *Server) PublicURL() string { return s.cfg.PublicURL }

// Vault is the keys of accounts and of people, likewise.
func (s *Server) Vault() *vault.Vault { return s.vault }

// Store is the open database, for what a command writes before Run.
func (s *Server) Store() *store.Store { return s.store }

// Run answers requests until ctx ends, then stops: not ready first, then no new
// connections, then what was accepted is finished and the database closed.
func (s *Server) Run(ctx context.Context) error {
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	group, background := errgroup.WithContext(background)
	group.Go(func() error { return s.access.Run(background) })
	group.Go(func() error { return s.access.RunUses(background) })
	group.Go(func() error { return s.sweep(background) })
	group.Go(func() error { return s.deliverer.Run(background) })
	group.Go(func() error { return s.hooks.Run(background) })
	group.Go(func() error { return dispatch.NewDigests(s.telling()).Run(background) })
	group.Go(func() error { return s.denials.Run(background) })
	group.Go(func() error { return s.feeds.Run(background) })
	group.Go(func() error { return s.judgeInbox(background) })
	group.Go(func() error { return s.tellStalls(background) })
	if s.clocks != nil {
		group.Go(func() error { return s.clocks.Run(background) })
	}
	group.Go(func() error { return s.followKeyFile(background) })
	group.Go(func() error { return s.remind(background) })
	group.Go(func() error { return s.place(background) })
	group.Go(func() error { return s.relabel(background) })
	group.Go(func() error { return s.reloads(background) })
	group.Go(func() error {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	select {
	case <-ctx.Done():
	case <-background.Done(): // a part failed; its error is the group's
	}
	s.drain()
	stopBackground()
	err := ignoreCancel(group.Wait())
	s.outbound.Close()
	return errors.Join(err, s.store.Close())
}

// drain tells whoever routes requests to look elsewhere, then finishes what
// was accepted.
func (s *Server) drain() {
	s.stopping.Store(true)
	time.Sleep(s.cfg.DrainDelay)
	limited, cancel := context.WithTimeout(context.Background(), stopLimit-s.cfg.DrainDelay)
	defer cancel()
	if err := s.http.Shutdown(limited); err != nil {
		s.cfg.Log.Warn("some requests were still running at the end of the time to stop", "error", err)
		s.http.Close()
	}
}

// readyPatience is how long the database may take to say that it is there:
// who asks whether requests may be sent here does not wait for long either.
const readyPatience = 2 * time.Second

// ready is nil when requests may be sent here.
func (s *Server) ready(ctx context.Context) error {
	if s.stopping.Load() {
		return errors.New("stopping")
	}
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	return s.store.Ping(ctx)
}

// sweepEvery and sweepBatch pace the removal of what has passed its life.
const (
	sweepEvery = 10 * time.Minute
	sweepBatch = 500
	spentKept  = 5 * time.Minute // after their end, for nodes whose clock is behind
)

// sweep removes what has passed its life: idempotency records, the bodies
// of received calls, and what stands for accounts that were deleted long ago.
func (s *Server) sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s.sweepAll(ctx, "idempotency records", s.store.SweepIdempotency, Now())
		s.sweepAll(ctx, "tokens that have ended", s.store.SweepSpent, Now().Add(-spentKept))
		s.sweepAll(ctx, "bodies of received calls", s.store.SweepInbox, Now().Add(-inboxLife))
		s.sweepAll(ctx, "accounts that were deleted", s.store.EraseAccounts, Now())
		if err := s.store.SweepDeliveries(ctx, Now().Add(-s.cfg.hookRetention())); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("removing old deliveries failed", "error", err)
		}
	}
}

// sweepAll removes things of one kind, batch by batch.
func (s *Server) sweepAll(ctx context.Context, what string, sweep func(context.Context, time.Time, int) (int, error), before time.Time) {
	for swept := sweepBatch; swept == sweepBatch && ctx.Err() == nil; {
		var err error
		if swept, err = sweep(ctx, before, sweepBatch); err != nil {
			s.cfg.Log.Warn("removing old "+what+" failed", "error", err)
			return
		}
	}
}

// Close releases what New opened, for a server that is never run.
func (s *Server) Close() { s.close() }

func (s *Server) close() {
	if s.listener != nil {
		s.listener.Close()
	}
	if s.store != nil {
		s.store.Close()
	}
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Now is the time in the precision that is stored.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
