package provider_test

import (
	"bytes"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/provider"
	"mooring/providers"
)

// acmeText is a made-up provider that uses everything a file may have.
func acmeText(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/acme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func files(named ...string) fs.FS {
	all := fstest.MapFS{}
	for i := 0; i < len(named); i += 2 {
		all[named[i]] = &fstest.MapFile{Data: []byte(named[i+1])}
	}
	return all
}

func acme(t *testing.T) *provider.Catalogue {
	t.Helper()
	c, err := provider.Load(files("acme.yaml", acmeText(t)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAFileSaysAllThatTheProgramKnows(t *testing.T) {
	p, ok := acme(t).Resolve("acme.card")
	if !ok {
		t.Fatal("the alias leads nowhere")
	}
	got := *p
	answer := []byte(`{"Keys":[{"label":"one","value":"k3y-of-acme"}],"apiSecret":"s3cr3t-of-acme","mode":"on","p12":"MIIB","pass":"word"}`)
	want := provider.Provider{
		Slug: "acme", Title: "Acme Pay", Aliases: []string{"acme.card"}, Nested: "card", Schema: 2, PartnerEvents: true, Sync: true,
		Signup: provider.Signup{
			Many: true, Key: []string{"case_id", "store_id"}, UUIDs: []string{"case_id"}, Body: true, NeedsOrganization: true,
			Rule: provider.AnyEnabled,
			View: provider.View{Data: "data", Members: []string{"created_at", "callback_at"}, Constants: map[string]string{"type": "direct"}},
		},
		Callback: &provider.Callback{Operation: "acme_callback_post", Status: 202, Event: "enrolled", To: "enabled"},
		Events: map[string]provider.Known{
			"signup_received": {
				Status: "pending", Turn: "provider", Wait: 48 * time.Hour, Reason: "under_review",
				Meaning: map[string]string{"en": "The application was received.", "nb": "Søknaden er mottatt."},
				Next:    map[string]string{"en": "Wait for Acme."},
			},
			"enrolled": {Status: "enabled", Meaning: map[string]string{"en": "Acme has taken the merchant on."}},
			"turned_down": {
				Status: "declined", Reason: "rejected_by_provider", Meaning: map[string]string{"en": "Acme does not take the merchant on."},
			},
		},
		Certificates: []provider.Certificate{{Member: "cert", Passphrase: "pass"}},
		Scenarios: map[string]provider.Scenario{
			"happy": {
				Summary: "Acme takes the merchant on.", Answer: &provider.Report{Status: "enabled", Event: "enrolled"},
				Steps: []provider.Step{
					{After: 2 * time.Hour, Times: 1, Report: []byte(`{"event":"signup_received","metadata":{"link":"https://acme.example/{signup.id}"},"status":"pending"}`)},
					{After: 24 * time.Hour, Times: 1, Callback: answer},
				},
			},
			"never_signs": {Summary: "Nothing happens."},
			"link_expires": {Summary: "The link dies.", Steps: []provider.Step{
				{After: 720 * time.Hour, Times: 1, Report: []byte(`{"code":"link_expired","event":"turned_down","status":"declined"}`)},
			}},
			"callback_twice": {Summary: "The answer comes twice.", Steps: []provider.Step{
				{After: 30 * time.Minute, Times: 2, Callback: []byte(`{"apiSecret":"{signup:/case_id}","mode":"on"}`)},
				{After: 72 * time.Hour, Times: 1, Callback: []byte(`{"apiSecret":"late","mode":"off"}`), Failed: true},
			}},
			"callback_lost": {Summary: "The answer gets lost.", Steps: []provider.Step{{Times: 1, Callback: answer, Lost: true}}},
			"out_of_order": {Summary: "The answer comes before the question.", Steps: []provider.Step{
				{After: 24 * time.Hour, Times: 1, Callback: answer},
				{After: 48 * time.Hour, Times: 1, Report: []byte(`{"event":"signup_received","occurred_at":"{signup+1h}","status":"pending"}`)},
			}},
			"declined": {Summary: "Acme says no.", Steps: []provider.Step{
				{After: 72 * time.Hour, Times: 1, Report: []byte(`{"code":"credit_declined","event":"turned_down","provider_code":"A-17","status":"declined"}`)},
			}},
		},
		Magic: provider.Magic{Member: "/brand", Values: map[string]string{"AUTO_APPROVE": "happy", "AUTO_DECLINE": "declined"}},
		Batch: &provider.Batch{
			Separator: ';',
			Columns:   []provider.Column{{Name: "REFERENCE", From: "reference"}, {Name: "CASE", From: "/case_id"}, {Name: "ACCOUNT", From: "account"}},
			Answer: provider.BatchAnswer{Reference: "REFERENCE", Status: "RESULT", Code: "CODE", Outcomes: map[string]provider.Report{
				"OK": {Status: "enabled", Event: "enrolled"},
				"NO": {Status: "declined", Event: "turned_down", Code: "rejected_by_provider"},
			}},
		},
	}
	exported := cmp.FilterPath(func(p cmp.Path) bool {
		field, ok := p.Last().(cmp.StructField)
		return ok && strings.ToLower(field.Name()[:1]) == field.Name()[:1]
	}, cmp.Ignore())
	if diff := cmp.Diff(want, got, exported); diff != "" {
		t.Error(diff)
	}
	example := `{"account":"12345678903","brand":"Kari Kaffe","case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","owners":[{"born":"1990-01-31","email":"kari@acme.example","name":"Kari","share":60}]}`
	if diff := cmp.Diff(example, string(p.Example())); diff != "" {
		t.Error(diff)
	}
}

func TestFilesOfSeveralPlacesMakeOneCatalogue(t *testing.T) {
	c, err := provider.Load(providers.FS, files("acme.yaml", acmeText(t), "notes.txt", "not a provider", "old/acme.yaml", "not looked at"))
	if err != nil {
		t.Fatal(err)
	}
	var slugs []string
	for _, p := range c.All() {
		slugs = append(slugs, p.Slug)
	}
	want := []string{"acme", "bambora", "collector", "common", "instabank", "klarna", "kravia", "mastercard-3ds", "payex", "swish", "vipps", "vipps-psp"}
	if diff := cmp.Diff(want, slugs); diff != "" {
		t.Error(diff)
	}
}

func TestOldVersionsStayBesideTheCurrentOne(t *testing.T) {
	schemas := acme(t).Contract()["components"].(map[string]any)["schemas"].(map[string]any)
	caseID := schemas["AcmeSignup"].(map[string]any)["properties"].(map[string]any)["case_id"]
	if diff := cmp.Diff(map[string]any{"type": "string", "format": "uuid"}, caseID); diff != "" {
		t.Errorf("the contract is not that of the current version: %s", diff)
	}
}

func TestTwoProvidersCanNotShareAName(t *testing.T) {
	rename := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(acmeText(t)) }
	other := []string{"slug: acme", "slug: other", "[acme.card]\npartner", "[other.card]\npartner", "prefix: Acme", "prefix: Other", "acme_", "other_"}
	without := func(old string) []string {
		var kept []string
		for i := 0; i < len(other); i += 2 {
			if other[i] != old {
				kept = append(kept, other[i], other[i+1])
			}
		}
		return kept
	}
	for name, test := range map[string]struct {
		file string
		want string
	}{
		"alias":     {rename(without("[acme.card]\npartner")...), `other.yaml:6:11: the name "acme.card" is taken by acme.yaml`},
		"prefix":    {rename(without("prefix: Acme")...), `other.yaml:4:1: the prefix "Acme" is taken by acme.yaml`},
		"operation": {rename(without("acme_")...), "other.yaml:14:5: the operation \"acme_post\" is taken by acme.yaml\nother.yaml:19:5: the operation \"acme_get\" is taken by acme.yaml\nother.yaml:24:5: the operation \"acme_callback_post\" is taken by acme.yaml"},
		"slug as alias": {
			rename(append([]string{"[acme.card]\npartner", "[acme]\npartner"}, other...)...),
			`other.yaml:6:11: the name "acme" is taken by acme.yaml`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := provider.Load(files("acme.yaml", acmeText(t), "other.yaml", test.file))
			if err == nil {
				t.Fatal("both were loaded")
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := provider.Load(files("acme.yaml", acmeText(t), "other.yaml", rename(other...))); err != nil {
		t.Errorf("two that share nothing: %v", err)
	}
	_, err := provider.Load(files("acme.yaml", acmeText(t)), files("acme.yaml", acmeText(t)))
	if err == nil || !strings.HasPrefix(err.Error(), `acme.yaml:1:1: the name "acme" is taken by acme.yaml`) {
		t.Error(err)
	}
}

func TestEveryProblemOfEveryFileIsToldAtOnce(t *testing.T) {
	_, err := provider.Load(files(
		"b.yaml", "slug: [", "a.yaml", "", "c.yaml", "- slug: c", "acme.yaml", strings.NewReplacer("title: Acme Pay", "titel: Acme", "schema: 2", "schema: two").Replace(acmeText(t)),
	))
	want := strings.Join([]string{
		`a.yaml:1:1: the file is empty`,
		`acme.yaml:1:1: "title" is missing`,
		`acme.yaml:2:1: "titel" does not belong here`,
		`acme.yaml:5:1: must be of type integer, not string`,
		`b.yaml:1:1: not YAML: did not find expected node content`,
		`c.yaml:1:1: must be of type object, not array`,
	}, "\n")
	if err == nil {
		t.Fatal("they were loaded")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

// lives lets a provider that was loaded do all that it can.
func lives(t interface{ Errorf(string, ...any) }, p *provider.Provider) {
	kept, parts := p.SplitSignup(p.Example())
	if p.SignupKey(kept) != p.SignupKey(p.Example()) {
		t.Errorf("%s lost its key", kept)
	}
	p.Disclose(p.Anonymous(kept), parts)
	p.Play(p.Example())
	p.CallbackPath("T11223351", "x")
	for _, scenario := range p.Scenarios {
		for _, step := range scenario.Steps {
			body := provider.Fill(step.Callback, provider.Signed{ID: "x", Data: kept})
			configured, parts := p.SplitConfiguration(p.Configure(body, kept))
			p.Disclose(configured, parts)
		}
	}
}

// smallest is the name of the shortest provider file.
func smallest(t testing.TB) string {
	t.Helper()
	files, err := fs.ReadDir(providers.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	return slices.MinFunc(files, func(a, b fs.DirEntry) int {
		x, _ := a.Info()
		y, _ := b.Info()
		return int(x.Size() - y.Size())
	}).Name()
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(acmeText(f)))
	// One real file, the smallest: each run checks everything again.
	text, err := fs.ReadFile(providers.FS, smallest(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(regexp.MustCompile(`^slug: .*`).ReplaceAll(text, []byte("slug: acme")))
	placed := regexp.MustCompile(`^acme\.yaml:[0-9]+:[0-9]+: .`)
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := provider.Load(files("acme.yaml", string(text)))
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !placed.MatchString(line) {
					t.Errorf("a problem without a place: %q", line)
				}
			}
			return
		}
		p, ok := c.Get("acme")
		if !ok {
			t.Fatal("a file was loaded and its provider is missing")
		}
		lives(t, p)
		if !bytes.Equal(provider.Spelt(c.Contract()), provider.Spelt(c.Contract())) {
			t.Error("one catalogue makes two contracts")
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	for range b.N {
		if _, err := provider.Load(providers.FS); err != nil {
			b.Fatal(err)
		}
	}
}
