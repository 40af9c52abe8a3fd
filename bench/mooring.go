package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"mooring/bench/load"
	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/providers"
)

// server is a Mooring that answers, with the clients of `mooring dev`.
type server struct {
	*process
	Account        string `json:"second_account_id"`
	Client         string `json:"second_client_id"`
	Secret         string `json:"second_client_secret"`
	Partner        string `json:"owner_client_id"`
	PartnerSecret  string `json:"owner_client_secret"`
	Platform       string `json:"platform_client_id"`
	PlatformSecret string `json:"platform_client_secret"`
}

// dev starts Mooring on the data in dir.
func (b *bench) dev(dir string, more ...string) (*server, error) {
	addr, err := free()
	if err != nil {
		return nil, err
	}
	ready := filepath.Join(dir, "ready.json")
	args := append([]string{
		"dev", "--data", filepath.Join(dir, "data"), "--listen", addr, "--ready-file", ready, "--cache-dir", dir,
		"--signing-algorithm", "EdDSA", "--log-level", "error", "--outbound-allow", "127.0.0.0/8",
	}, more...)
	p, err := start(dir, addr, b.mooring, args...)
	if err != nil {
		return nil, err
	}
	if _, err := p.ready(b.ctx, "/readyz"); err != nil {
		return nil, err
	}
	s := &server{process: p}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(ready)
		if err == nil && json.Unmarshal(text, s) == nil {
			return s, nil
		}
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			s.kill()
			return nil, b.ctx.Err()
		}
	}
}

// token gets an access token.
func (s *server) token(ctx context.Context, id, secret string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/v1/oauth/token", strings.NewReader(form))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, secret)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	var got struct {
		Token string `json:"access_token"`
	}
	if err != nil || json.Unmarshal(text, &got) != nil || got.Token == "" {
		return "", fmt.Errorf("no token: %s %s", answer.Status, text)
	}
	return got.Token, nil
}

// populated starts Mooring on a copy of a database with so many connections.
func (b *bench) populated(dir string, size int, more ...string) (*server, error) {
	if err := b.copy(dir, size); err != nil {
		return nil, err
	}
	return b.dev(dir, more...)
}

// copy puts a database with so many connections into dir.
func (b *bench) copy(dir string, size int) error {
	from, err := b.database(size)
	if err != nil {
		return err
	}
	_, err = command(b.ctx, ".", "cp", "-a", from+"/.", dir)
	return err
}

// database is a directory with so many connections of as many merchants, all
// of the partner of `mooring dev`. It is made once in a run.
func (b *bench) database(size int) (string, error) {
	if dir := b.filled[size]; dir != "" {
		return dir, nil
	}
	dir := filepath.Join(b.dir, fmt.Sprint("filled-", size))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	begun := time.Now()
	s, err := b.dev(dir) // makes database, key, accounts and clients
	if err != nil {
		return "", err
	}
	if err := s.stop(); err != nil {
		return "", err
	}
	if err := b.fill(filepath.Join(dir, "data"), s.Platform, size); err != nil {
		return "", err
	}
	b.say("a database with %d connections was made in %.0f s", size, time.Since(begun).Seconds())
	b.filled[size] = dir
	return dir, nil
}

// together is how many accounts one transaction of fill takes in.
const together = 500

// fill takes in merchants, each with a connection that waits, as an import does.
func (b *bench) fill(dir, client string, size int) error {
	s, err := store.Open(b.ctx, store.Config{DataDir: dir})
	if err != nil {
		return err
	}
	catalogue, err := provider.Load(providers.FS)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	vipps, _ := catalogue.Get("vipps")
	deed := store.Deed{About: platform, Caller: auth.Caller{
		Account: platform, Kind: account.KindPlatform, Client: client, Scopes: auth.Scopes{auth.ScopeOperator, auth.ScopeAdminAccounts},
	}}
	var next atomic.Int64
	errs := make([]error, runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	for w := range errs {
		workers.Go(func() {
			for {
				from := int(next.Add(together)) - together
				if from >= size || errs[w] != nil {
					return
				}
				errs[w] = takeIn(b.ctx, s, deed, vipps, from, min(from+together, size))
			}
		})
	}
	workers.Wait()
	return errors.Join(append(errs, s.Close())...)
}

const (
	platform account.ID = "T00000000"
	partner  account.ID = "T11200000"
)

func merchant(n int) account.ID { return account.ID(fmt.Sprintf("T2%07d", n)) }

func takeIn(ctx context.Context, s *store.Store, d store.Deed, p *provider.Provider, from, to int) error {
	act := connection.Act{At: time.Now().UTC().Truncate(time.Microsecond), By: "bench", NewID: newID, NewToken: newID}
	company := account.Company{BusinessName: "Havn Kaffe", OrganizationNumber: "923456789"}
	var rows []store.Import
	for n := from; n < to; n++ {
		acc := account.Account{ID: merchant(n), Kind: account.KindMerchant, Owner: partner, Company: company, CreatedAt: act.At, CreatedBy: act.By}
		c, err := connection.Apply(nil, acc, p, connection.Application{ID: newID(), Data: []byte(`{}`)}, act)
		if err != nil {
			return err
		}
		rows = append(rows, store.Import{
			Whole: account.Whole{Account: acc, Profile: account.ProfileOf(company)}, New: true,
			Connections: []store.ImportedConnection{{Connection: c}},
		})
	}
	return s.Import(ctx, d, rows)
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// anEvent is what every contestant is told. The provider does not know it, so
// that the first one of a connection takes it out of the lists by turn and due
// time.
const anEvent = `{"status":"pending","event":"signature_required"}`

// aKnownEvent leaves a connection with whom it was, for the same reason: it
// moves on to the end of its lists.
const aKnownEvent = `{"status":"pending","event":"reminder_sent"}`

// events posts an event of the merchants of a database with so many.
func (b *bench) events(s *server, size int, event string) (load.Next, error) {
	token, err := s.token(b.ctx, s.Partner, s.PartnerSecret)
	path := "/v1/accounts/T112/management/accounts/T2#######/connections/vipps/events"
	return eachOf(size, posting(path, s.addr, "application/json", "Bearer "+token, event)), err
}

// writing is Mooring that takes events of a database with so many connections.
func (b *bench) writing(name string, clients, size int, event string) contestant {
	return contestant{name, clients, func(dir string) (*process, load.Next, error) {
		s, err := b.populated(dir, size)
		if err != nil {
			return nil, nil, err
		}
		next, err := b.events(s, size, event)
		if err != nil {
			s.kill()
			return nil, nil, err
		}
		return s.process, next, nil
	}}
}
