package provider

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// file is a provider file as it was written. Schemas stay plain values, since
// they travel into the contract as they are.
type file struct {
	Slug          string               `json:"slug"`
	Title         string               `json:"title"`
	About         string               `json:"about"`
	Prefix        string               `json:"prefix"`
	Aliases       []string             `json:"aliases"`
	PartnerEvents bool                 `json:"partner_events"`
	Schema        int                  `json:"schema"`
	Path          *pathParameter       `json:"path"`
	Operations    map[string]operation `json:"operations"`
	Versions      map[string]version   `json:"versions"`
	Signup        signup               `json:"signup"`
	Events        map[string]string    `json:"events"`
	Simulator     *simulated           `json:"simulator"`
	Examples      examples             `json:"examples"`
}

type pathParameter struct {
	Parameter   string   `json:"parameter"`
	Description string   `json:"description"`
	Enum        []string `json:"enum"`
}

type operation struct {
	ID         string `json:"id"`
	Evidence   string `json:"evidence"`
	Summary    string `json:"summary"`
	Deprecated string `json:"deprecated"`
	Sync       bool   `json:"sync"`
}

type version struct {
	Request       map[string]any `json:"request"`
	Configuration map[string]any `json:"configuration"`
}

type signup struct {
	Model             string   `json:"model"`
	Key               []string `json:"key"`
	NeedsOrganization bool     `json:"needs_organization"`
	View              struct {
		Data      string            `json:"data"`
		Members   []string          `json:"members"`
		Constants map[string]string `json:"constants"`
	} `json:"view"`
}

type simulated struct {
	Status        string         `json:"status"`
	Event         string         `json:"event"`
	Configuration map[string]any `json:"configuration"`
}

type examples struct {
	Valid   []example `json:"valid"`
	Invalid []example `json:"invalid"`
}

type example struct {
	Summary string `json:"summary"`
	Signup  any    `json:"signup"`
	Wrong   string `json:"wrong"`
}

// current is the version that new signups are stored with.
func (f file) current() version { return f.Versions[fmt.Sprint(f.Schema)] }

// provider is what the rest of the program gets to see of the file.
func (f file) provider() *Provider {
	p := &Provider{
		Slug: f.Slug, Title: f.Title, Aliases: f.Aliases, Schema: f.Schema,
		PartnerEvents: f.PartnerEvents, Sync: f.Operations["get"].Sync,
		Signup: Signup{
			Many: f.Signup.Model == "many", Key: f.Signup.Key, UUIDs: f.uuids(), Body: f.current().Request != nil,
			NeedsOrganization: f.Signup.NeedsOrganization, View: View(f.Signup.View),
		},
		Events:  f.known(),
		example: []byte(`{}`),
		file:    f,
	}
	if p.Signup.Body {
		p.example = canonical(f.Examples.Valid[0].Signup)
	}
	p.Scenarios = map[string]Scenario{"happy": {}}
	if f.Simulator != nil {
		answer := &Report{Status: f.Simulator.Status, Event: f.Simulator.Event}
		if f.Simulator.Configuration != nil {
			answer.Configuration = canonical(f.Simulator.Configuration)
		}
		p.Scenarios["happy"] = Scenario{Answer: answer}
	}
	return p
}

func (f file) known() map[string]Known {
	all := map[string]Known{}
	for name, text := range f.Events {
		all[name] = Known{Meaning: map[string]string{"en": text}}
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
	spelling := jsontext.Value(text.Bytes())
	err := spelling.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false))
	if err != nil {
		panic(fmt.Sprintf("provider: a value that was written cannot be read: %v", err))
	}
	return spelling
}

//go:embed file.schema.yaml
var fileSchemaText []byte

// fileSchema is what every file is held against first.
var fileSchema = func() *jsonschema.Schema {
	d := readDocument("file.schema.yaml", fileSchemaText)
	if len(d.problems) > 0 {
		panic(d.problems)
	}
	compiled, err := compile(d.value.(map[string]any))
	if err != nil {
		panic(err)
	}
	return compiled
}()

// readFile reads and checks one file. The document has all its problems; the
// file is whole when there are none.
func readFile(name string, data []byte) (file, *document) {
	var f file
	d := readDocument(name, data)
	if len(d.problems) > 0 {
		return f, d
	}
	for _, v := range violationsOf(fileSchema.Validate(d.value)) {
		d.refuse(v.pointer, "%s", v.reason)
	}
	if len(d.problems) > 0 {
		return f, d
	}
	decoder := json.NewDecoder(bytes.NewReader(canonical(d.value)))
	decoder.UseNumber()
	if err := decoder.Decode(&f); err != nil {
		d.refuse("", "can't be read: %v", err)
		return f, d
	}
	check(f, d)
	return f, d
}
