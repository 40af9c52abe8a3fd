package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mooring/bench/load"
)

// install gets the servers of npm, as npm/package-lock.json names them.
func (b *bench) install() error {
	if _, err := os.Stat("npm/node_modules/.package-lock.json"); err == nil {
		return nil
	}
	b.say("installing Prism and oidc-provider")
	if _, err := command(b.ctx, "..", "test/need.sh", "node"); err != nil {
		return err
	}
	_, err := command(b.ctx, "npm", "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	return err
}

// oidc is oidc-provider from npm; format is what its access tokens are.
func (b *bench) oidc(name string, clients int, format string) contestant {
	return contestant{name, clients, func(string) (*process, load.Next, error) {
		p, err := start("npm", "", "node", "oidc-provider.js", format)
		if err != nil {
			return nil, nil, err
		}
		line, err := p.printed("http://")
		p.addr = strings.TrimPrefix(line, "http://")
		return p, eachOf(0, login("/token", p.addr, "bench", "a-secret-of-the-bench")), err
	}}
}

// login is the text of a request for a token.
func login(path, addr, id, secret string) string {
	return posting(path, addr, "application/x-www-form-urlencoded", basic(id, secret), "grant_type=client_credentials&scope=read%3Aaccounts")
}

// tokens answers for G9.
func (b *bench) tokens() error {
	const clients = 16
	if err := b.install(); err != nil {
		return err
	}
	ours, jwt, opaque := "Mooring, EdDSA", "oidc-provider, JWT, EdDSA", "oidc-provider, opaque"
	all := []contestant{
		b.asking(ours, clients, b.size, func(s *server) (load.Next, error) {
			return eachOf(0, login("/v1/oauth/token", s.addr, s.Client, s.Secret)), nil
		}),
		b.oidc(jwt, clients, "jwt"), b.oidc(opaque, clients, "opaque"),
	}
	m, err := b.alternate(all)
	if err != nil {
		return err
	}
	table("Access tokens", all, m)
	signed, plain := m[ours].rate/m[jwt].rate, m[ours].rate/m[opaque].rate
	b.judge("G9", "tokens >= 10 x oidc-provider's JWTs, >= 4 x its opaque ones", signed >= 10 && plain >= 4, "%.1f x; %.1f x", signed, plain)
	return nil
}

// prism is Prism from npm on our contract: it looks at what it is sent and
// answers an example.
func (b *bench) prism(name string, clients int, file string, started *[]float64) contestant {
	return contestant{name, clients, func(string) (*process, load.Next, error) {
		addr, err := free()
		if err != nil {
			return nil, nil, err
		}
		port := addr[strings.LastIndexByte(addr, ':')+1:]
		p, err := start("npm", addr, "node", "node_modules/@stoplight/prism-cli/dist/index.js", "mock", "--host", "127.0.0.1", "--port", port, "--verboseLevel", "silent", file)
		if err != nil {
			return nil, nil, err
		}
		took, err := p.ready(b.ctx, "/healthz")
		*started = append(*started, took.Seconds()*float64(time.Second/time.Millisecond))
		return p, eachOf(0, posting("/v1/accounts/T112/management/accounts/T20000001/connections/vipps/events", addr, "application/json", "Bearer x", anEvent)), err
	}}
}

// double answers for G15.
func (b *bench) double() error {
	const clients = 16
	if err := b.install(); err != nil {
		return err
	}
	file := filepath.Join(b.dir, "openapi.yaml")
	if err := b.contract(file); err != nil {
		return err
	}
	var theirs []float64
	ours, prism := "Mooring, durable", "Prism, stores nothing"
	all := []contestant{b.writing(ours, clients, b.size, anEvent), b.prism(prism, clients, file, &theirs)}
	m, err := b.alternate(all)
	if err != nil {
		return err
	}
	table("As a test double", all, m)
	mine, err := b.starts(5, b.size)
	if err != nil {
		return err
	}
	times, sooner := m[ours].rate/m[prism].rate, median(theirs)/mine
	fmt.Printf("\nFirst answer after exec: Mooring %.0f ms, Prism %.0f ms.\n", mine, median(theirs))
	b.judge("G15", ">= 10 x Prism on the same operation, start <= 1/50 of its", times >= 10 && sooner >= 50, "%.1f x; 1/%.0f", times, sooner)
	return nil
}

// contract gets the contract of a server that runs.
func (b *bench) contract(file string) error {
	dir, err := b.directory()
	if err != nil {
		return err
	}
	s, err := b.populated(dir, b.size)
	if err != nil {
		return err
	}
	defer s.kill()
	text, err := fetch(b.ctx, "http://"+s.addr+"/openapi.yaml", "")
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// basic is the header that shows a client's secret.
func basic(id, secret string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(id, secret)
	return r.Header.Get("Authorization")
}
