package product

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/store"
	"mooring/test/drive"
)

// How many merchants sign up with every provider: 1,001 connections on SQLite;
// on PostgreSQL, where each takes longer, two of each scenario.
const (
	crowd      = 91
	smallCrowd = 14
)

// ends is where each scenario leaves a connection, whoever the provider is.
var ends = map[string]string{
	"happy": "enabled", "never_signs": "pending", "link_expires": "failed", "callback_twice": "enabled",
	"callback_lost": "pending", "out_of_order": "enabled", "declined": "declined",
}

// TestAThousandConnectionsLiveThroughAMonth signs many merchants up with every
// provider, each with another scenario, moves their clocks past everything
// that the scenarios do, and looks at where the connections ended.
func TestAThousandConnectionsLiveThroughAMonth(t *testing.T) {
	onBothEngines(t, func(t *testing.T, args ...string) {
		size := smallCrowd
		if len(args) == 0 {
			args, size = []string{"--data", filepath.Join(t.TempDir(), "data")}, crowd
		}
		args = append(args, "--listen", "127.0.0.1:0")
		if _, err := dev(t, args...).Stop(); err != nil {
			t.Fatal(err)
		}
		m := &month{t: t, files: descriptions(t), merchants: settle(t, args, size)}
		s := dev(t, args...)
		m.client, m.token = drive.NewClient(s.BaseURL), tokens(t, s)["platform"]
		m.live()
	})
}

// settle gives the partner of a stopped `mooring dev` more merchants.
func settle(t *testing.T, args []string, size int) []string {
	t.Helper()
	value := func(flag string) string {
		if i := slices.Index(args, flag); i >= 0 {
			return args[i+1]
		}
		return ""
	}
	db, err := store.Open(t.Context(), store.Config{DataDir: value("--data"), Database: value("--database"), MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var ids []string
	for i := range size {
		a := account.Account{
			ID: account.ID(fmt.Sprintf("T112%05d", 50000+i)), Kind: account.KindMerchant, Owner: "T11200000",
			Company:   account.Company{BusinessName: "Havn Kaffe AS", OrganizationNumber: "923456789"},
			CreatedAt: time.Now().UTC(), CreatedBy: "test",
		}
		if err := db.CreateAccount(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, string(a.ID))
	}
	return ids
}

// month is the crowd and its connections.
type month struct {
	t         *testing.T
	client    *drive.Client
	token     string
	files     []description
	merchants []string
}

func (m *month) live() {
	start := time.Now()
	alone, err := m.merchant(0)
	if err != nil {
		m.t.Fatal(err)
	}
	jobs := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for i := range jobs {
				if _, err := m.merchant(i); err != nil {
					m.t.Error(err)
				}
			}
		})
	}
	for i := range m.merchants[1:] {
		jobs <- i + 1
	}
	close(jobs)
	workers.Wait()
	m.t.Logf("four days of %d connections took %s; %d connections lived through 34 days in %s",
		len(m.files), alone.Round(time.Millisecond), len(m.merchants)*len(m.files), time.Since(start).Round(time.Millisecond))
}

// merchant leads all connections of one merchant to their ends, and says how
// long their first four days took.
func (m *month) merchant(i int) (took time.Duration, err error) {
	id := m.merchants[i]
	for n, d := range m.files {
		if err := m.signUp(id, d, scenario(i+n), i%2 == 0); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	if err := m.advance(id, "4d"); err != nil {
		return 0, err
	}
	took = time.Since(start)
	if err := m.advance(id, "30d"); err != nil {
		return 0, err
	}
	var wrong []error
	for n, d := range m.files {
		wrong = append(wrong, m.ended(id, d, scenario(i+n)))
	}
	return took, errors.Join(wrong...)
}

func scenario(n int) string {
	names := slices.Sorted(maps.Keys(ends))
	return names[n%len(names)]
}

// signUp applies with the file's first example, and names the scenario by its
// magic value, where the file has one, or in the header.
func (m *month) signUp(id string, d description, scenario string, magic bool) error {
	header, body := bearer(m.token), d.bodies()[0]
	if value := d.magic(scenario); magic && value != "" {
		body = d.wrapped(changed(d.Examples.Valid[0].Signup, d.Magic.Member, value))
	} else {
		header.Set("Mooring-Scenario", scenario)
	}
	_, err := m.ask(d.method(), d.base(id), header, body)
	return err
}

// magic is the value that asks for a scenario.
func (d description) magic(scenario string) string {
	for value, name := range d.Magic.Values {
		if name == scenario {
			return value
		}
	}
	return ""
}

// advance moves a merchant's clock, in as many moves as it takes.
func (m *month) advance(id, by string) error {
	for by != "" {
		answer, err := m.ask(http.MethodPost, "/v1/accounts/"+id+"/clock", bearer(m.token), text(map[string]any{"advance": by}))
		if err != nil {
			return err
		}
		by = decode[struct{ Left string }](m.t, answer).Left
	}
	return nil
}

// ended says what is wrong with how a connection ended.
func (m *month) ended(id string, d description, scenario string) error {
	want, events := ends[scenario], 1
	for _, step := range d.Scenarios[scenario].Steps {
		if !step.Lost {
			events++
		}
	}
	if err := m.stands(id, d, "", want, events); err != nil {
		return fmt.Errorf("%s of %s, %s: %w", d.Slug, id, scenario, err)
	}
	if scenario == "callback_lost" {
		if err := m.stands(id, d, "?sync=true", "enabled", events+1); err != nil {
			return fmt.Errorf("%s of %s, %s, asked: %w", d.Slug, id, scenario, err)
		}
	}
	return nil
}

// stands compares a connection's status and events with what they should be;
// the numbers of the events have no gap.
func (m *month) stands(id string, d description, query, status string, events int) error {
	answer, err := m.ask(http.MethodGet, d.base(id)+query, bearer(m.token), nil)
	if err != nil {
		return err
	}
	got := decode[struct {
		Status string
		Events []struct{ Event string }
	}](m.t, answer)
	if got.Status != status || len(got.Events) != events {
		return fmt.Errorf("%s with %v, want %s with %d events", got.Status, got.Events, status, events)
	}
	answer, err = m.ask(http.MethodGet, "/v1/operator/accounts/"+id+"/connections/"+d.Slug+"/events?limit=100", bearer(m.token), nil)
	if err != nil {
		return err
	}
	for i, e := range decode[[]struct{ Seq int }](m.t, answer) {
		if e.Seq != i+1 {
			return fmt.Errorf("event %d has the number %d", i+1, e.Seq)
		}
	}
	return nil
}

func (m *month) ask(method, target string, header http.Header, body []byte) (drive.Answer, error) {
	answer, err := m.client.Do(method, target, header, body)
	if err == nil && answer.Status != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %s", method, target, answer.Status, answer.Body)
	}
	return answer, err
}
