package vault_test

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/store/storetest"
	"mooring/internal/vault"
	"mooring/providers"
)

// world is a store with two merchants, each with a vipps and a swish
// connection, and a vault over it.
type world struct {
	t      *testing.T
	store  *store.Store
	sealer *secret.Sealer
	vault  *vault.Vault
}

var (
	accounts = []account.ID{"T11223351", "T11223352"}
	slugs    = []string{"vipps", "swish"}
)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func onBothEngines(t *testing.T, test func(t *testing.T, w world)) {
	t.Helper()
	for engine, cfg := range map[string]func() store.Config{
		"sqlite": func() store.Config {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			return store.Config{DataDir: dir}
		},
		"postgres": func() store.Config { return store.Config{Database: storetest.Postgres(t)} },
	} {
		t.Run(engine, func(t *testing.T) {
			c := cfg()
			c.Now, c.Log = now, slog.New(slog.NewTextHandler(io.Discard, nil))
			s, err := store.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			w := world{t: t, store: s, sealer: newSealer(t)}
			w.vault = w.another()
			w.populate()
			test(t, w)
		})
	}
}

func newSealer(t *testing.T) *secret.Sealer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := secret.CreateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	sealer, err := secret.OpenKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

// another is the vault of another node, which remembers nothing.
func (w world) another() *vault.Vault {
	return vault.New(w.store, w.sealer, []byte("a key for digests"), now, newID)
}

func (w world) populate() {
	w.t.Helper()
	for _, a := range append([]account.Account{{ID: "T00000000", Kind: account.KindPlatform}},
		account.Account{ID: accounts[0], Kind: account.KindMerchant, Owner: "T00000000"},
		account.Account{ID: accounts[1], Kind: account.KindMerchant, Owner: "T00000000"}) {
		a.CreatedAt = now()
		if err := w.store.CreateAccount(w.t.Context(), a); err != nil {
			w.t.Fatal(err)
		}
	}
}

// sign makes a connection or adds to it, and writes keys and fields with it.
// It returns the version of the configuration that it brought.
func (w world) sign(at store.Place, signup string, sealed ...vault.Sealed) (version int64) {
	w.t.Helper()
	catalogue, err := provider.Load(providers.FS)
	if err != nil {
		w.t.Fatal(err)
	}
	p, _ := catalogue.Resolve(at.Provider)
	_, err = w.store.Change(w.t.Context(), store.Change{
		System: true, Account: at.Account, Provider: at.Provider, Whole: true,
		Decide: func(f store.Found) (store.Decision, error) {
			act := connection.Act{At: now(), NewID: newID, NewToken: newID}
			f.Account.Company.OrganizationNumber = "912345678"
			c, err := connection.Apply(f.Connection, f.Account, p, connection.Application{ID: signup, Data: []byte(`{"n":"` + signup + `"}`), Key: signup}, act)
			if err != nil {
				return store.Decision{}, err
			}
			_, err = connection.ApplyReport(c, p, provider.Report{Status: "pending", Event: "configured", Configuration: []byte(`{"n":"` + signup + `"}`)}, act)
			version = c.ConfiguredSeq
			d := store.Decision{Connection: c}
			for _, one := range sealed {
				d.Keys = append(d.Keys, one.Keys...)
				for _, f := range one.Fields {
					if f.Holder == "" {
						f.Version = version
					}
					d.Fields = append(d.Fields, f)
				}
			}
			return d, err
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return version
}

func parts(shown bool, values map[string]string) []provider.Part {
	var all []provider.Part
	for pointer, value := range values {
		all = append(all, provider.Part{Pointer: pointer, Class: provider.Secret, Value: secret.NewPlain(value), Shown: shown})
	}
	slices.SortFunc(all, func(a, b provider.Part) int { return bytes.Compare([]byte(a.Pointer), []byte(b.Pointer)) })
	return all
}

func (w world) configuration(at store.Place, values map[string]string) vault.Sealed {
	w.t.Helper()
	sealed, err := w.vault.Configuration(w.t.Context(), at, parts(true, values), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return sealed
}

func texts(parts []provider.Part) map[string]string {
	all := map[string]string{}
	for _, p := range parts {
		all[p.Pointer] = p.Value.Reveal()
	}
	return all
}

func TestWhatIsSealedOpensWhereItWasSealed(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w world) {
		at, signup := store.Place{Account: accounts[0], Provider: "swish"}, newID()
		values := map[string]string{"/key": `"k"`, "/list/0/x": `{"a":[1]}`}
		person, err := w.vault.Signup(t.Context(), at, signup, parts(false, map[string]string{"/social_security_number": `"01010112345"`}))
		if err != nil {
			t.Fatal(err)
		}
		version := w.sign(at, signup, w.configuration(at, values), person)
		for name, v := range map[string]*vault.Vault{"the same node": w.vault, "another": w.another()} {
			shown, err := v.Shown(t.Context(), at, version)
			if diff := cmp.Diff(values, texts(shown)); err != nil || diff != "" {
				t.Errorf("%s: %v %s", name, err, diff)
			}
			opened, err := v.OpenSignup(t.Context(), at, signup)
			if err != nil || texts(opened)["/social_security_number"] != `"01010112345"` {
				t.Errorf("%s: %v, %v", name, texts(opened), err)
			}
			if older, err := v.Shown(t.Context(), at, version+1); err != nil || len(older) != 0 {
				t.Errorf("%s: another version shows %v, %v", name, older, err)
			}
		}
	})
}

func TestWhatIsMovedElsewhereDoesNotOpen(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w world) {
		// One secret for each place where one may be, all under keys of the vault.
		at := func(a, s int) store.Place { return store.Place{Account: accounts[a], Provider: slugs[s]} }
		var fields []store.SealedField
		for a := range accounts {
			for s := range slugs {
				signup := newID()
				one := w.configuration(at(a, s), map[string]string{"/one": `"1"`, "/two": `"2"`})
				person, err := w.vault.Signup(t.Context(), at(a, s), signup, parts(true, map[string]string{"/one": `"3"`}))
				if err != nil {
					t.Fatal(err)
				}
				w.sign(at(a, s), signup, vault.Sealed{Keys: person.Keys})
				fields = append(fields, append(one.Fields, person.Fields...)...)
			}
		}
		// Every row gets the ciphertext of every other row, with its own key and
		// with the key of the other.
		for i, into := range fields {
			for j, from := range fields {
				for _, key := range []string{into.Key, from.Key} {
					moved := into
					moved.Sealed, moved.Key = from.Sealed, key
					if part, err := vault.OpenField(w.another(), t.Context(), moved); (err == nil) != (i == j) {
						t.Errorf("%s/%s/%s%s opened in %s/%s/%s%s: %v, %v", from.Account, from.Provider, from.Holder, from.Pointer,
							into.Account, into.Provider, into.Holder, into.Pointer, part.Value.Reveal(), err)
					}
				}
			}
		}
	})
}

func TestAMemberThatIsNeverShownCantBeMadeOne(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w world) {
		at := store.Place{Account: accounts[0], Provider: "vipps"}
		sealed, err := w.vault.Configuration(t.Context(), at, parts(false, map[string]string{"/client_secret": `"s"`}), nil)
		if err != nil {
			t.Fatal(err)
		}
		sealed.Fields[0].Shown = true
		version := w.sign(at, newID(), sealed)
		if opened, err := w.vault.Shown(t.Context(), at, version); err == nil {
			t.Errorf("it shows %v", texts(opened))
		}
	})
}

func TestAnErasedSignupOpensNoMore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w world) {
		at, signup := store.Place{Account: accounts[0], Provider: "swish"}, newID()
		sealed, err := w.vault.Signup(t.Context(), at, signup, parts(false, map[string]string{"/x": `"v"`}))
		if err != nil {
			t.Fatal(err)
		}
		w.sign(at, signup, sealed)
		_, err = w.store.Change(t.Context(), store.Change{
			System: true, Account: at.Account, Provider: at.Provider, Whole: true,
			Decide: func(f store.Found) (store.Decision, error) { return store.Decision{Erased: signup}, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if opened, err := w.vault.OpenSignup(t.Context(), at, signup); err != nil || len(opened) != 0 {
			t.Errorf("%v, %v", texts(opened), err)
		}
		if _, err := w.store.DataKeyByID(t.Context(), at.Account, sealed.Keys[0].ID); fault.From(err).Kind != fault.NotFound {
			t.Errorf("its key is still there: %v", err)
		}
	})
}

func TestNodesAgreeOnTheKeyOfAnAccount(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w world) {
		var group sync.WaitGroup
		ids, bodies := make([]string, 8), make([][]byte, 8)
		call := store.Received{Account: accounts[0], Provider: "swish", ID: "call", Signup: "signup", Operation: "post"}
		for i := range ids {
			group.Go(func() {
				var err error
				if ids[i], bodies[i], err = w.another().SealBody(t.Context(), call, []byte("body")); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		for i := range ids {
			r := call
			r.Key, r.Body = ids[i], bodies[i]
			if ids[i] != ids[0] {
				t.Errorf("node %d made a key of its own", i)
			}
			if body, err := w.vault.OpenBody(t.Context(), r); err != nil || string(body) != "body" {
				t.Errorf("%q, %v", body, err)
			}
			for _, move := range []func(*store.Received){
				func(r *store.Received) { r.Account = accounts[1] }, func(r *store.Received) { r.Provider = "vipps" },
				func(r *store.Received) { r.ID = "other" }, func(r *store.Received) { r.Signup = "other" },
				func(r *store.Received) { r.Operation = "put" },
			} {
				moved := r
				move(&moved)
				if _, err := w.vault.OpenBody(t.Context(), moved); err == nil {
					t.Error("a body opened in another row")
				}
			}
			r.Body = nil
			if _, err := w.vault.OpenBody(t.Context(), r); fault.From(err).Kind != fault.NotFound {
				t.Errorf("a body that was taken away: %v", err)
			}
		}
	})
}

func TestDigestsTellKindsAndKeysApart(t *testing.T) {
	one := vault.New(nil, nil, []byte("1"), now, newID)
	other := vault.New(nil, nil, []byte("2"), now, newID)
	first := one.Digest("signup", []byte("x"))
	if !bytes.Equal(first, one.Digest("signup", []byte("x"))) {
		t.Error("a digest is not repeatable")
	}
	for name, d := range map[string][]byte{
		"kind": one.Digest("inbox", []byte("x")), "data": one.Digest("signup", []byte("y")),
		"key": other.Digest("signup", []byte("x")), "border": one.Digest("signu", []byte("px")),
	} {
		if bytes.Equal(first, d) {
			t.Errorf("another %s has the same digest", name)
		}
	}
}

func TestWhatHasNoMembersReleasesNothing(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w world) {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		to := []store.Recipient{{Name: "checkout", PublicKey: identity.Recipient().String()}}
		at := store.Place{Account: accounts[0], Provider: "vipps"}
		version := w.sign(at, newID(), w.configuration(at, map[string]string{"": ""}))
		released, err := w.vault.Release(t.Context(), at, version, to)
		if err != nil || released != nil {
			t.Errorf("%q, %v", released, err)
		}
	})
}

func TestAReleaseThatCameToNothingIsGivenBack(t *testing.T) {
	var l vault.Limits
	at, start := store.Place{Account: accounts[0], Provider: "vipps"}, now()
	for range 10 {
		if wait, _ := l.Take("checkout", at, start); wait > 0 {
			t.Fatalf("wait %s", wait)
		}
	}
	if wait, _ := l.Take("checkout", at, start); wait == 0 {
		t.Fatal("an eleventh at once")
	}
	later := start.Add(10 * time.Second)
	for range 20 {
		wait, giveBack := l.Take("checkout", at, later)
		if wait > 0 {
			t.Fatalf("wait %s", wait)
		}
		giveBack()
	}
}
