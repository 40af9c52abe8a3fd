package seed

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/intake"
	"mooring/internal/provider"
	"mooring/internal/store"
)

// Population is how many businesses are made up. The same number and seed give
// the same ones, also when they are asked for again later.
type Population struct {
	Accounts int
	Seed     uint64
}

// Most is how many merchants a population can have.
const Most = 1_000_000

const (
	peopled    = 100    // merchants that are made up at a time
	mostAtDev  = 80_000 // of them at the partner that every dev server has
	perPartner = 2_500  // about so many at each other one
	mostOthers = 700    // other partners
)

// Populate makes up partners and merchants with a past, and takes them in as an
// import does. told is called with how many are there.
func (s Seeder) Populate(ctx context.Context, p Population, platform Credentials, told func(int)) error {
	if p.Accounts < 1 || p.Accounts > Most {
		return fmt.Errorf("a population has 1 to %d accounts", Most)
	}
	known, err := s.Store.Known(ctx, []account.ID{DevPlatform})
	if err != nil {
		return err
	}
	people := people{Seeder: s, seed: p.Seed, today: known[DevPlatform].CreatedAt.Truncate(time.Second), atDev: min((p.Accounts+1)/2, mostAtDev)}
	people.others = min((p.Accounts-people.atDev+perPartner-1)/perPartner, mostOthers)
	caller := auth.Caller{Account: DevPlatform, Kind: account.KindPlatform, Client: platform.ID, Scopes: platformScopes}
	t := &taking{
		deed:   store.Deed{Caller: caller, About: DevPlatform},
		intake: &intake.Intake{Store: s.Store, Catalogue: s.Catalogue, Vault: s.Vault, Now: s.Now, NewToken: s.NewToken},
		told:   told, remember: s.remember,
	}
	if err := t.take(ctx, people.owners()); err != nil {
		return err
	}
	return t.all(ctx, people, p.Accounts)
}

func (s Seeder) remember(i store.Import) store.AuditRecord {
	return store.AuditRecord{
		ID: s.NewID(), Account: i.ID, At: s.Now(), AccountAt: s.Now(), By: "seed", Action: "account.import", Target: string(i.ID), Outcome: store.AuditDone,
	}
}

// taking takes rows in on all processors.
type taking struct {
	deed     store.Deed
	intake   *intake.Intake
	remember func(store.Import) store.AuditRecord
	told     func(int)

	mu   sync.Mutex
	done int
	errs []error
}

func (t *taking) all(ctx context.Context, from people, accounts int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	starts := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for start := range starts {
				var rows []intake.Row
				for n := start; n < min(start+peopled, accounts); n++ {
					rows = append(rows, from.merchant(n))
				}
				if err := t.take(ctx, rows); err != nil {
					t.mu.Lock()
					t.errs = append(t.errs, err)
					t.mu.Unlock()
					cancel()
				}
			}
		})
	}
	for start := 0; start < accounts && ctx.Err() == nil; start += peopled {
		starts <- start
	}
	close(starts)
	workers.Wait()
	return errors.Join(append(t.errs[:min(len(t.errs), 1)], context.Cause(ctx))...)
}

func (t *taking) take(ctx context.Context, rows []intake.Row) error {
	results, err := t.intake.Take(ctx, t.deed, rows, intake.Way{}, t.remember)
	if err != nil {
		return err
	}
	for i, r := range results {
		if r.Outcome == intake.Refused {
			return fmt.Errorf("a made up account %s is refused: %s %s", rows[i].ID, r.Problems[0].Path, r.Problems[0].Message)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done += len(rows)
	t.told(t.done)
	return nil
}

// people makes businesses up. Each comes from a random source of its own, so that
// it is the same whoever is made up before it.
type people struct {
	Seeder
	seed   uint64
	today  time.Time
	atDev  int // how many merchants the partner of every dev server has
	others int // how many other partners there are
}

func (p people) source(n int) *rand.Rand { return rand.New(rand.NewPCG(p.seed, uint64(n))) }

// owners are the partners beside that of every dev server.
func (p people) owners() []intake.Row {
	var rows []intake.Row
	for n := range p.others {
		r := p.source(-1 - n)
		name := pick(r, nature) + " " + pick(r, []string{"Betaling", "Handel", "Nett", "Kasse", "Butikkdrift", "Partner"})
		rows = append(rows, intake.Row{
			ID: p.other(n), Owner: string(DevPlatform), CreatedAt: p.today.Add(-time.Duration(2400+r.IntN(600)) * day), Profile: p.profile(r, name, false),
		})
	}
	return rows
}

// other is the nth other partner.
func (p people) other(n int) account.ID { return account.ID(fmt.Sprintf("T%03d00000", 200+n)) }

// home is whose the nth merchant is, and its number there.
func (p people) home(n int) (account.ID, int) {
	if n >= p.atDev {
		n -= p.atDev
		return p.other(n % p.others), 1 + n/p.others
	}
	number := 1 + n
	if number >= numberOf(DevMerchant) { // which is there, and the one behind it
		number += 2
	}
	return DevPartner, number
}

func numberOf(id account.ID) int {
	n, _ := strconv.Atoi(string(id[4:]))
	return n
}

const day = 24 * time.Hour

// merchant makes up the nth merchant.
func (p people) merchant(n int) intake.Row {
	r := p.source(n)
	owner, number := p.home(n)
	born := p.today.Add(-max(time.Duration(r.ExpFloat64()*500*float64(day)), time.Hour)).Truncate(time.Second)
	if oldest := p.today.Add(-2300 * day); born.Before(oldest) {
		born = oldest
	}
	row := intake.Row{
		ID: account.ID(fmt.Sprintf("%s%05d", owner.PartnerID(), number)), Owner: string(owner), CreatedAt: born,
		Profile: p.profile(r, pick(r, nature)+" "+pick(r, trades), true),
	}
	all := p.Catalogue.All()
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, of := range all[:min(weighted(r, 10, 22, 26, 20, 12, 6, 4), len(all))] {
		row.Connections = append(row.Connections, p.connection(r, of, born))
	}
	return row
}

// profile is what a made up business says of itself.
func (p people) profile(r *rand.Rand, name string, merchant bool) []byte {
	in := lands[weighted(r, 50, 25, 15, 10)]
	where, first, last := pick(r, in.places), pick(r, given), pick(r, family)
	address := map[string]any{
		"address_line": fmt.Sprintf("Testveien %d", 1+r.IntN(199)), "postal_code": where.code, "postal_place": where.name, "country": in.code,
	}
	name += " " + pick(r, in.forms)
	host := plain(name) + ".example"
	profile := map[string]any{
		"company": map[string]any{
			"business_name": name, "organization_number": in.number(r), "address": address, "website": "https://" + host,
			"phone_number": in.phone + fmt.Sprintf("00%06d", r.IntN(1e6)),
		},
		"applicant":     map[string]any{"first_name": first, "last_name": last, "email": plain(first) + "@" + host, "agreement": true},
		"billing":       map[string]any{"business_name": name, "address": address},
		"language_code": in.language,
	}
	if merchant {
		profile["progression"] = []string{"live", "applied", "frozen", "deactivated"}[weighted(r, 80, 14, 3, 3)]
		profile["account_manager"] = map[string]any{"email": fmt.Sprintf("manager%02d@mooring.example", 1+r.IntN(12))}
	}
	text, err := json.Marshal(profile)
	if err != nil {
		panic(err) // it is made of texts
	}
	return text
}

// stalls is of how many things one is never done by those whose turn it is.
const stalls = 25

// connection makes up what became of an application: one of the lives that the
// provider's file knows, as far as it has come by now.
func (p people) connection(r *rand.Rand, of *provider.Provider, born time.Time) intake.Connection {
	at := born.Add(time.Duration(r.IntN(10*24*60)) * time.Minute)
	if weighted(r, 70, 30) == 1 {
		at = born.Add(time.Duration(r.Float64() * float64(p.today.Sub(born))))
	}
	if !at.Before(p.today) {
		at = born
	}
	at = at.Truncate(time.Second)
	signup := intake.Signup{ID: p.id(r), Data: p.signup(r, of), CreatedAt: at}
	c := intake.Connection{
		Name: of.Slug, CreatedAt: at, UpdatedAt: at, Signups: []intake.Signup{signup},
		Events: []intake.Event{{ID: p.id(r), Status: connection.Pending, Name: connection.SignupReceived, CreatedAt: at}},
	}
	life := provider.Happy
	if weighted(r, 65, 35) == 1 {
		life = pick(r, of.ScenarioNames())
	}
	pace := 0.5 + 1.5*r.Float64()
	for _, step := range of.Scenarios[life].Steps {
		then := at.Add(time.Duration(float64(step.After)*pace) + time.Duration(r.IntN(3600))*time.Second)
		if step.Lost || step.Failed || then.After(p.today) || r.IntN(stalls) == 0 {
			break
		}
		p.happen(&c, of.Says(step, provider.Signed{ID: signup.ID, Data: signup.Data, At: at}), then, p.id(r))
	}
	return c
}

// happen adds what a provider says to a connection.
func (p people) happen(c *intake.Connection, said provider.Report, at time.Time, id string) {
	if last := c.Events[len(c.Events)-1].CreatedAt; at.Before(last) {
		at = last
	}
	c.Events = append(c.Events, intake.Event{
		ID: id, Status: connection.Status(said.Status), Name: said.Event, CreatedAt: at, Signup: 1, Code: said.Code, ProviderCode: said.ProviderCode,
	})
	c.UpdatedAt = at
	if said.Configuration != nil {
		c.Configuration, c.Signups[0].CallbackAt = said.Configuration, at
	}
}

// signup is an example of the provider's file, under a name of its own.
func (p people) signup(r *rand.Rand, of *provider.Provider) []byte {
	if len(of.Signup.UUIDs) == 0 {
		return of.Example()
	}
	var data map[string]any
	if json.Unmarshal(of.Example(), &data) != nil {
		return of.Example()
	}
	for _, name := range of.Signup.UUIDs {
		data[name] = p.id(r)
	}
	text, err := json.Marshal(data)
	if err != nil {
		return of.Example()
	}
	return text
}

// id makes up a UUID.
func (p people) id(r *rand.Rand) string {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], r.Uint64())
	binary.BigEndian.PutUint64(id[8:], r.Uint64())
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // version 4
	return id.String()
}
