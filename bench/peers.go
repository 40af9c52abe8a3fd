package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"mooring/bench/load"
)

// pocketBase is PocketBase with the tables of the benchmark.
func (b *bench) pocketBase(name string, clients int, synchronous string, ask func(addr, token string) load.Next) contestant {
	return contestant{name, clients, func(dir string) (*process, load.Next, error) {
		p, token, err := b.peer(dir, "/api/health", "pocketbase", dir, "", synchronous, strconv.Itoa(b.size))
		if err != nil {
			return nil, nil, err
		}
		return p, ask(p.addr, token), nil
	}}
}

// peer starts a peer that prints a token before it answers; the second
// argument is where it is told its address.
func (b *bench) peer(dir, path, name string, args ...string) (*process, string, error) {
	addr, err := free()
	if err != nil {
		return nil, "", err
	}
	args[1] = addr
	program, err := b.program(name)
	if err != nil {
		return nil, "", err
	}
	p, err := start(dir, addr, program, args...)
	if err != nil {
		return nil, "", err
	}
	token, err := p.printed("ey")
	if err == nil {
		_, err = p.ready(b.ctx, path)
	}
	return p, token, err
}

// records posts an event to a table of PocketBase.
func (b *bench) records(table string) func(addr, token string) load.Next {
	return func(addr, token string) load.Next {
		body := `{"connection":"c##############",` + anEvent[1:]
		return eachOf(b.size, posting("/api/collections/"+table+"/records", addr, "application/json", token, body))
	}
}

// naive is the service that one writes first.
func (b *bench) naive(clients int) contestant {
	return contestant{"net/http and database/sql, a transaction each", clients, func(dir string) (*process, load.Next, error) {
		p, token, err := b.peer(dir, "/", "naive", dir, "", strconv.Itoa(b.size))
		if err != nil {
			return nil, nil, err
		}
		return p, eachOf(b.size, posting("/accounts/T2#######/connections/vipps/events", p.addr, "application/json", "Bearer "+token, anEvent)), nil
	}}
}

// bare is a server that does nothing but HTTP, and JSON when it is posted to.
// It answers GET with body.
func (b *bench) bare(name string, clients int, body []byte, ask func(addr string) string) contestant {
	return contestant{name, clients, func(dir string) (*process, load.Next, error) {
		file := filepath.Join(dir, "same.json")
		if err := os.WriteFile(file, body, 0o600); err != nil {
			return nil, nil, err
		}
		addr, err := free()
		if err != nil {
			return nil, nil, err
		}
		program, err := b.program("bare")
		if err != nil {
			return nil, nil, err
		}
		p, err := start(dir, addr, program, addr, file)
		if err != nil {
			return nil, nil, err
		}
		if _, err := p.ready(b.ctx, "/ready"); err != nil {
			return nil, nil, err
		}
		return p, eachOf(0, ask(addr)), nil
	}}
}

// writes answers for G1, G3 and G4: a durable event, of a merchant out of many.
func (b *bench) writes() error {
	const clients = 64
	ours, base, plain, bare := "Mooring, SQLite", "PocketBase, hook, the same three writes, FULL", "PocketBase, plain insert, NORMAL (its default)", "bare HTTP and JSON, stores nothing"
	all := []contestant{
		b.writing(ours, clients, b.size, anEvent),
		b.writing("Mooring, SQLite, an event that its provider knows", clients, b.size, aKnownEvent),
		b.pocketBase(base, clients, "full", b.records("events")),
		b.pocketBase("PocketBase, hook, the same three writes, NORMAL", clients, "normal", b.records("events")),
		b.pocketBase("PocketBase, plain insert, FULL", clients, "full", b.records("plain")),
		b.pocketBase(plain, clients, "normal", b.records("plain")),
		b.naive(clients),
		b.bare(bare, clients, nil, func(addr string) string { return posting("/events", addr, "application/json", "Bearer x", anEvent) }),
	}
	m, err := b.alternate(all)
	if err != nil {
		return err
	}
	table("A durable event over HTTP", all, m)
	sync, err := b.sync()
	if err != nil {
		return err
	}
	fmt.Printf("\nOne append of 4 KiB and its fdatasync, one after the other: %.2f ms (median).\n", sync)
	us := m[ours]
	full, normal := us.rate/m[base].rate, us.rate/m[plain].rate
	b.judge("G1", ">= 20 x PocketBase, three writes at FULL; >= 8 x its plain insert at NORMAL", full >= 20 && normal >= 8, "%.1f x; %.1f x", full, normal)
	b.judge("G3", "p99 <= 10 ms, <= 1/30 of PocketBase, <= 50 x one sync", us.p99 <= 10 && us.p99*30 <= m[base].p99 && us.p99 <= 50*sync,
		"%.1f ms; 1/%.0f; %.0f x", us.p99, m[base].p99/us.p99, us.p99/sync)
	b.judge("G4", "CPU <= 45 us, <= 1/30 of PocketBase, <= 2 x bare HTTP and JSON", us.cpu <= 45 && us.cpu*30 <= m[base].cpu && us.cpu <= 2*m[bare].cpu,
		"%.0f us; 1/%.0f; %.1f x", us.cpu, m[base].cpu/us.cpu, us.cpu/m[bare].cpu)
	return nil
}
