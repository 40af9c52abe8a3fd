package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync/atomic"

	"mooring/bench/load"
)

// asking makes a contestant of Mooring with so many connections: ask says what
// is asked of it.
func (b *bench) asking(name string, clients, size int, ask func(*server) (load.Next, error)) contestant {
	return contestant{name, clients, func(dir string) (*process, load.Next, error) {
		s, err := b.populated(dir, size)
		if err != nil {
			return nil, nil, err
		}
		next, err := ask(s)
		if err != nil {
			s.kill()
			return nil, nil, err
		}
		return s.process, next, nil
	}}
}

// getting is the text of a request for a page by whoever holds a token.
func getting(path, addr, token string) string {
	return request("GET", path, addr, "Authorization: Bearer "+token)
}

const ofTheMerchant = "/v1/accounts/T11223352/management/settings/connections/vipps"

// connection brings one connection to 20 events and asks for it.
func (b *bench) connection(s *server) (load.Next, error) {
	partner, err := s.token(b.ctx, s.Partner, s.PartnerSecret)
	if err != nil {
		return nil, err
	}
	event := posting("/v1/accounts/T112/management/accounts/T11223352/connections/vipps/events", s.addr, "application/json", "Bearer "+partner,
		`{"status":"pending","event":"signature_required","description":"Vipps awaiting signature"}`)
	if _, err := load.Times(b.ctx, s.addr, 1, 19, eachOf(0, event)); err != nil {
		return nil, err
	}
	token, err := s.token(b.ctx, s.Client, s.Secret)
	return eachOf(0, getting(ofTheMerchant, s.addr, token)), err
}

// answer is what Mooring answers to it.
func (b *bench) answer() ([]byte, error) {
	var text []byte
	c := b.asking("", 1, b.size, func(s *server) (load.Next, error) {
		next, err := b.connection(s)
		if err != nil {
			return nil, err
		}
		token, err := s.token(b.ctx, s.Client, s.Secret)
		if err == nil {
			text, err = fetch(b.ctx, "http://"+s.addr+ofTheMerchant, token)
		}
		return next, err
	})
	dir, err := b.directory()
	if err != nil {
		return nil, err
	}
	p, _, err := c.start(dir)
	if err == nil {
		p.kill()
	}
	return text, err
}

// many is of how many connections another one is read each time: the service
// remembers fewer.
const many = 4_000

// history makes a database of which many connections have 20 events.
func (b *bench) history() (string, error) {
	dir, err := b.directory()
	if err != nil {
		return "", err
	}
	s, err := b.populated(dir, b.size)
	if err != nil {
		return "", err
	}
	defer s.kill()
	token, err := s.token(b.ctx, s.Partner, s.PartnerSecret)
	if err != nil {
		return "", err
	}
	n := int64(min(many, b.size))
	text := posting("/v1/accounts/T112/management/accounts/T2#######/connections/vipps/events", s.addr, "application/json", "Bearer "+token,
		`{"status":"pending","event":"signature_required","description":"Vipps awaiting signature"}`)
	if _, err := load.Times(b.ctx, s.addr, 64, 19*n, inTurn(n, text)); err != nil {
		return "", err
	}
	return dir, s.stop()
}

// inTurn is eachOf with one number after the other, over and over.
func inTurn(n int64, text string) load.Next {
	head, tail, _ := strings.Cut(text, "#######")
	var at atomic.Int64
	return func(_ *rand.Rand, buf []byte) []byte {
		return fmt.Appendf(append(buf, head...), "%07d%s", (at.Add(1)-1)%n, tail)
	}
}

// reads answers for G7.
func (b *bench) reads() error {
	const clients = 16
	same, err := b.answer()
	if err != nil {
		return err
	}
	long, err := b.history()
	if err != nil {
		return err
	}
	ours, base, bare := "Mooring, SQLite", "PocketBase, filter and sort, no total", fmt.Sprintf("the same %d bytes from memory", len(same))
	another := fmt.Sprintf("Mooring, SQLite, any of %d connections", min(many, b.size))
	query := url.Values{"filter": {"connection='c00000000000000'"}, "sort": {"-created"}, "perPage": {"20"}, "skipTotal": {"1"}}.Encode()
	all := []contestant{
		b.asking(ours, clients, b.size, b.connection),
		{another, clients, func(dir string) (*process, load.Next, error) {
			if _, err := command(b.ctx, ".", "cp", "-a", long+"/.", dir); err != nil {
				return nil, nil, err
			}
			s, err := b.dev(dir)
			if err != nil {
				return nil, nil, err
			}
			token, err := s.token(b.ctx, s.Platform, s.PlatformSecret)
			if err != nil {
				s.kill()
				return nil, nil, err
			}
			return s.process, inTurn(int64(min(many, b.size)), getting("/v1/accounts/T2#######/management/settings/connections/vipps", s.addr, token)), nil
		}},
		b.pocketBase(base, clients, "normal", func(addr, token string) load.Next {
			return eachOf(0, request("GET", "/api/collections/events/records?"+query, addr, "Authorization: "+token))
		}),
		b.bare(bare, clients, same, func(addr string) string { return getting("/same", addr, "x") }),
	}
	m, err := b.alternate(all)
	if err != nil {
		return err
	}
	table("A connection with 20 events", all, m)
	times, cpu := m[ours].rate/m[base].rate, m[ours].cpu/m[bare].cpu
	b.judge("G7", ">= 15 x PocketBase; CPU <= 2 x the same bytes from memory", times >= 15 && cpu <= 2,
		"%.1f x; %.1f x (another one each time: %.1f x; %.1f x)", times, cpu, m[another].rate/m[base].rate, m[another].cpu/m[bare].cpu)
	return nil
}

const (
	accountsPath = "/v1/accounts/T112/management/accounts?connections=vipps&connections_progression=pending"
	queuePath    = "/v1/accounts/T112/queue?connection=vipps&status=pending"
	pageOf50     = "&limit=50"
)

// page asks as the partner for one page.
func (b *bench) page(path string) func(*server) (load.Next, error) {
	return func(s *server) (load.Next, error) {
		token, err := s.token(b.ctx, s.Partner, s.PartnerSecret)
		return eachOf(0, getting(path, s.addr, token)), err
	}
}

// anyPage asks as the partner for pages at random depth of the accounts of a
// database with so many.
func (b *bench) anyPage(size int) func(*server) (load.Next, error) {
	return func(s *server) (load.Next, error) {
		token, err := s.token(b.ctx, s.Partner, s.PartnerSecret)
		if err != nil {
			return nil, err
		}
		places, err := b.walk(s, token, size)
		var texts []string
		for _, place := range places {
			texts = append(texts, getting(accountsPath+pageOf50+"&starting_after="+place, s.addr, token))
		}
		return func(r *rand.Rand, buf []byte) []byte { return append(buf, texts[r.IntN(len(texts))]...) }, err
	}
}

// walk reads the accounts of a database from the first to the last, and gives
// the paging tokens of places all over it. They hold for each copy of it.
func (b *bench) walk(s *server, token string, size int) ([]string, error) {
	if places := b.places[size]; places != nil {
		return places, nil
	}
	const each, kept = 100, 200
	var places []string
	for after, n := "", 0; ; n++ {
		text, err := fetch(b.ctx, fmt.Sprintf("http://%s%s&limit=%d%s", s.addr, accountsPath, each, after), token)
		if err != nil {
			return nil, err
		}
		var page []struct {
			Token string `json:"paging_token"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return nil, err
		}
		if len(page) < each {
			b.places[size] = places
			return places, nil
		}
		last := page[len(page)-1].Token
		if n%max(1, size/each/kept) == 0 {
			places = append(places, last)
		}
		after = "&starting_after=" + url.QueryEscape(last)
	}
}

// pages answers for G6.
func (b *bench) pages() error {
	const small = 1_000
	var all []contestant
	name := func(what string, size int) string { return fmt.Sprintf("%s of %d", what, size) }
	for _, size := range []int{small, b.size, b.big} {
		all = append(all,
			b.asking(name("accounts, first page", size), 1, size, b.page(accountsPath+pageOf50)),
			b.asking(name("accounts, any page", size), 1, size, b.anyPage(size)),
			b.asking(name("queue, first page", size), 1, size, b.page(queuePath+pageOf50)))
	}
	m, err := b.alternate(all)
	if err != nil {
		return err
	}
	table("Pages of 50", all, m)
	grown := func(what string) float64 { return m[name(what, b.big)].p50 / m[name(what, small)].p50 }
	first, deep := grown("accounts, first page"), grown("accounts, any page")
	b.judge("G6", "page of 50, of 10 million against 1,000: p50 <= 1.25 x first, <= 1.5 x anywhere", first <= 1.25 && deep <= 1.5,
		"of %d: %.2f x; %.2f x (queue: %.2f x)", b.big, first, deep, grown("queue, first page"))
	return nil
}
