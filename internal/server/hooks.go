package server

import (
	"math/rand/v2"

	"mooring/internal/api"
	"mooring/internal/dispatch"
	"mooring/internal/hook"
)

// teller makes the engine that tells subscriptions what happens.
func (s *Server) teller() *dispatch.Dispatcher {
	chats := dispatch.Chats{Post: s.outbound, Writer: s.writer()}
	return dispatch.New(dispatch.Deps{
		Store: s.store, Secrets: s.vault.OpenSecrets, Serves: s.serves,
		Senders: map[hook.Kind]dispatch.Sender{
			hook.KindHook: dispatch.NewHooks(s.outbound), hook.KindSlack: chats, hook.KindTeams: chats,
			hook.KindEmail: dispatch.Mailboxes{
				Dial: s.outbound.DialRelay, Relay: s.letters.relay, From: s.letters.from, Writer: s.writer(), Link: s.readersLink,
			},
		},
		Now: Now, NewID: api.NewID, Chance: rand.Float64, Log: s.cfg.Log, Metrics: s.metrics,
	})
}
