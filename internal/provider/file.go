package provider

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// file is a provider file as it was written. Schemas stay plain values, since
// they travel into the contract as they are.
type file struct {
	Slug          string               `json:"slug"`
	Title         string               `json:"title"`
	About         string               `json:"about"`
	Prefix        string               `json:"prefix"`
	Aliases       []string             `json:"aliases"`
	Nested        string               `json:"nested"`
	PartnerEvents bool                 `json:"partner_events"`
	Schema        int                  `json:"schema"`
	Path          *pathParameter       `json:"path"`
	Operations    map[string]operation `json:"operations"`
	Versions      map[string]version   `json:"versions"`
	Signup        signup               `json:"signup"`
	Callback      *completed           `json:"callback"`
	Certificates  []certificate        `json:"certificates"`
	Events        map[string]event     `json:"events"`
	Scenarios     map[string]scenario  `json:"scenarios"`
	Magic         magic                `json:"magic"`
	Batch         *batch               `json:"batch"`
	Examples      examples             `json:"examples"`
}

type pathParameter struct {
	Parameter   string   `json:"parameter"`
	Description string   `json:"description"`
	Enum        []string `json:"enum"`
}

type operation struct {
	ID         string   `json:"id"`
	Evidence   string   `json:"evidence"`
	Summary    string   `json:"summary"`
	Deprecated string   `json:"deprecated"`
	Role       string   `json:"role"`
	Body       string   `json:"body"`
	Sync       string   `json:"sync"`
	Success    int      `json:"success"`
	Scopes     []string `json:"scopes"`
}

type version struct {
	Request       map[string]any `json:"request"`
	Callback      map[string]any `json:"callback"`
	Configuration map[string]any `json:"configuration"`
}

type signup struct {
	Model             string   `json:"model"`
	Key               []string `json:"key"`
	Rule              Rule     `json:"rule"`
	NeedsOrganization bool     `json:"needs_organization"`
	View              struct {
		Data      string            `json:"data"`
		Members   []string          `json:"members"`
		Constants map[string]string `json:"constants"`
	} `json:"view"`
}

// completed is what the documented call back brings about.
type completed struct {
	Event  string            `json:"event"`
	Status string            `json:"status"`
	Map    map[string]rename `json:"map"`
	Keep   []string          `json:"keep"`
}

// rename says where a member goes, and where the members of its items go.
type rename struct {
	To    string
	Items map[string]string
}

// UnmarshalJSON reads the short form, which is the new name alone, too.
func (r *rename) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		return json.Unmarshal(text, &r.To)
	}
	var long struct {
		To    string            `json:"to"`
		Items map[string]string `json:"items"`
	}
	err := json.Unmarshal(text, &long)
	r.To, r.Items = long.To, long.Items
	return err
}

type certificate struct {
	Member     string `json:"member"`
	Passphrase string `json:"passphrase"`
	Key        string `json:"key"`
}

type event struct {
	Status  string            `json:"status"`
	Turn    string            `json:"turn"`
	Wait    string            `json:"wait"`
	Reason  string            `json:"reason"`
	Meaning map[string]string `json:"meaning"`
	Next    map[string]string `json:"next"`
}

type examples struct {
	Valid    []example `json:"valid"`
	Invalid  []example `json:"invalid"`
	Callback struct {
		Valid   []callbackExample `json:"valid"`
		Invalid []callbackExample `json:"invalid"`
	} `json:"callback"`
}

type example struct {
	Summary string `json:"summary"`
	Signup  any    `json:"signup"`
	Wrong   string `json:"wrong"`
}

type callbackExample struct {
	Summary string `json:"summary"`
	Body    any    `json:"body"`
	Wrong   string `json:"wrong"`
}

// current is the version that new signups are stored with.
func (f file) current() version { return f.Versions[fmt.Sprint(f.Schema)] }

// signups is the HTTP method that takes signups.
func (f file) signups() string {
	if f.Operations["put"].Role == "signup" {
		return "put"
	}
	return "post"
}

// restarts says whether a put starts the signup again.
func (f file) restarts() bool {
	put, ok := f.Operations["put"]
	return ok && put.Role != "signup"
}

// provider is what the rest of the program gets to see of the file.
func (f file) provider() *Provider {
	v := f.current()
	p := &Provider{
		Slug: f.Slug, Title: f.Title, Aliases: f.Aliases, Nested: f.Nested, Schema: f.Schema,
		PartnerEvents: f.PartnerEvents, Sync: f.Operations["get"].Sync != "",
		Signup: Signup{
			Many: f.Signup.Model == "many", Key: f.Signup.Key, UUIDs: f.uuids(),
			Body: v.Request != nil, Whole: f.Operations[f.signups()].Body == "whole",
			NeedsOrganization: f.Signup.NeedsOrganization, Rule: f.rule(), View: View(f.Signup.View),
		},
		Callback: f.callback(), Events: f.known(), Scenarios: f.scenarios(), Magic: Magic(f.Magic), Batch: f.batch(),
		example: []byte(`{}`),
		file:    f, request: ruleOf(v.Request, false), configuration: ruleOf(v.Configuration, true),
		compiledConfiguration: lazily(v.Configuration), secretNames: f.secretNames(),
	}
	p.showsSecrets = p.configuration.shows()
	for _, c := range f.Certificates {
		p.Certificates = append(p.Certificates, Certificate(c))
	}
	if p.Signup.Body {
		p.example = canonical(f.Examples.Valid[0].Signup)
	}
	return p
}

func (f file) rule() Rule {
	if f.Signup.Rule == "" {
		return LastEvent
	}
	return f.Signup.Rule
}

func (f file) callback() *Callback {
	o, ok := f.Operations["callback"]
	if !ok {
		return nil
	}
	return &Callback{Operation: o.ID, Status: o.Success, Event: f.Callback.Event, To: f.Callback.Status}
}

func (f file) known() map[string]Known {
	all := map[string]Known{}
	for name, e := range f.Events {
		all[name] = Known{
			Status: e.Status, Turn: e.Turn, Wait: duration(e.Wait), Reason: e.Reason, Meaning: e.Meaning, Next: e.Next,
		}
	}
	return all
}

// uuids are the key members that the schema says are UUIDs.
func (f file) uuids() []string {
	var names []string
	properties := members(f.current().Request, "properties")
	for _, name := range f.Signup.Key {
		if members(properties, name)["format"] == "uuid" {
			names = append(names, name)
		}
	}
	return names
}

// canonical is the one spelling of a plain value (RFC 8785) that equal values
// share, except that numbers keep the digits they were written with.
func canonical(value any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Sprintf("provider: a value that was read cannot be written: %v", err))
	}
	spelling, err := Canonical(text.Bytes())
	if err != nil {
		panic(fmt.Sprintf("provider: a value that was written cannot be read: %v", err))
	}
	return spelling
}

// Canonical is that spelling of a JSON text, which stays as it is.
func Canonical(text []byte) ([]byte, error) {
	spelling := jsontext.Value(text).Clone()
	err := spelling.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false))
	return spelling, err
}

//go:embed file.schema.yaml
var fileSchemaText []byte

// fileSchema is what every file is held against first, and how the breach of one
// of its patterns is put to people. Commands that read no file do without.
var fileSchema = sync.OnceValues(func() (*jsonschema.Schema, map[string]string) {
	d := readDocument("file.schema.yaml", fileSchemaText)
	if len(d.problems) > 0 {
		panic(d.problems)
	}
	compiled, err := compile(d.value.(map[string]any))
	if err != nil {
		panic(err)
	}
	words := map[string]string{}
	collectWords(d.value, words)
	return compiled, words
})

func collectWords(value any, words map[string]string) {
	switch value := value.(type) {
	case map[string]any:
		pattern, _ := value["pattern"].(string)
		if says, ok := value["says"].(string); ok {
			words[reasonOf(&kind.Pattern{Want: pattern})] = "must be " + says
		}
		for _, child := range value {
			collectWords(child, words)
		}
	case []any:
		for _, item := range value {
			collectWords(item, words)
		}
	}
}

// readFile reads and checks one file. The document has all its problems; the
// file is whole when there are none.
func readFile(name string, data []byte) (file, *document) {
	var f file
	d := readDocument(name, data)
	if len(d.problems) > 0 {
		return f, d
	}
	schema, words := fileSchema()
	for _, v := range violationsOf(schema.Validate(d.value)) {
		d.refuse(v.pointer, "%s", cmp.Or(words[v.reason], v.reason))
	}
	if len(d.problems) > 0 {
		return f, d
	}
	f, err := decodeFile(canonical(d.value))
	if err != nil {
		d.refuse("", "can't be read: %v", err)
		return f, d
	}
	check(f, d)
	return f, d
}

// decodeFile reads a file that is good JSON and keeps to the schema of files.
func decodeFile(text []byte) (f file, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&f)
	return f, err
}
