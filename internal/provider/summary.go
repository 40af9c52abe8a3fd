package provider

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Summary is what a person wants to know of a provider, without the schemas.
type Summary struct {
	Slug          string            `json:"slug"`
	Title         string            `json:"title"`
	About         string            `json:"about"`
	File          string            `json:"file"`
	Version       int               `json:"version"`
	Versions      []int             `json:"versions"`
	Many          bool              `json:"many_signups"`
	Key           []string          `json:"key,omitempty"`
	Callback      bool              `json:"callback"`
	Sync          bool              `json:"sync"`
	Batch         bool              `json:"batch"`
	Operations    []OperationLine   `json:"operations"`
	Signup        []Field           `json:"signup"`
	Configuration []Field           `json:"configuration"`
	Events        []EventLine       `json:"events"`
	Scenarios     []ScenarioLine    `json:"scenarios"`
	MagicMember   string            `json:"magic_member,omitempty"`
	MagicValues   map[string]string `json:"magic_values,omitempty"`
	Examples      ExampleCount      `json:"examples"`
}

// OperationLine is one operation of the API that the provider has.
type OperationLine struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Operation string `json:"operation_id"`
	Summary   string `json:"summary"`
}

// Field is one member of a document.
type Field struct {
	Pointer     string `json:"pointer"` // with [] for each item of a list
	Type        string `json:"type"`
	Required    bool   `json:"required"`
	Class       string `json:"class,omitempty"`
	WriteOnly   bool   `json:"write_only,omitempty"`
	Description string `json:"description,omitempty"`
}

// EventLine is what an event means.
type EventLine struct {
	Name    string `json:"name"`
	Status  string `json:"status,omitempty"`
	Turn    string `json:"turn,omitempty"`
	Wait    string `json:"wait,omitempty"` // as it stands in the file, such as "2d"
	Reason  string `json:"reason,omitempty"`
	Meaning string `json:"meaning"`
}

// ScenarioLine is a scenario of the simulated provider.
type ScenarioLine struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
	Lasts   string `json:"lasts"` // until its last step; "0m" without any
}

// ExampleCount is how many examples the file has, all of them held against its
// schemas.
type ExampleCount struct {
	Accepted         int `json:"accepted"`
	Refused          int `json:"refused"`
	AcceptedCallback int `json:"accepted_callback"`
	RefusedCallback  int `json:"refused_callback"`
}

// Summary tells of the current version of the provider's file.
func (p *Provider) Summary() Summary {
	f := p.file
	s := Summary{
		Slug: p.Slug, Title: p.Title, About: strings.Join(strings.Fields(f.About), " "), File: p.source, Version: p.Schema,
		Many: p.Signup.Many, Key: p.Signup.Key, Callback: p.Callback != nil, Sync: p.Sync, Batch: p.Batch != nil,
		Operations: p.operationLines(),
		Signup:     fields(f.current().Request), Configuration: fields(f.current().Configuration),
		MagicMember: p.Magic.Member, MagicValues: p.Magic.Values,
		Examples: ExampleCount{
			len(f.Examples.Valid), len(f.Examples.Invalid), len(f.Examples.Callback.Valid), len(f.Examples.Callback.Invalid),
		},
	}
	for _, one := range append(p.others(), p) {
		s.Versions = append(s.Versions, one.Schema)
	}
	slices.Sort(s.Versions)
	for _, name := range slices.Sorted(maps.Keys(f.Events)) {
		e := f.Events[name]
		s.Events = append(s.Events, EventLine{name, e.Status, e.Turn, e.Wait, e.Reason, e.Meaning["en"]})
	}
	for _, name := range slices.Sorted(maps.Keys(p.Scenarios)) {
		one, last := p.Scenarios[name], time.Duration(0)
		for _, step := range one.Steps {
			last = max(last, step.After)
		}
		s.Scenarios = append(s.Scenarios, ScenarioLine{name, one.Summary, span(last)})
	}
	return s
}

// Contract is the part of the API description that follows from this provider
// alone.
func (p *Provider) Contract() map[string]any {
	return newCatalogue([]*Provider{p}, nil).Contract()
}

func (p *Provider) operationLines() []OperationLine {
	var all []OperationLine
	paths := members(p.Contract(), "paths")
	for path := range paths {
		item := members(paths, path)
		for method := range item {
			o := members(item, method)
			id, named := o["operationId"].(string)
			if !named { // parameters that the methods share
				continue
			}
			summary, _ := o["summary"].(string)
			all = append(all, OperationLine{strings.ToUpper(method), path, id, summary})
		}
	}
	slices.SortFunc(all, func(a, b OperationLine) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
	})
	return all
}

// fields lists the members of a schema that hold values, by name.
func fields(schema map[string]any) []Field {
	var all []Field
	collectFields(schema, "", true, &all)
	return all
}

func collectFields(schema map[string]any, at string, required bool, all *[]Field) {
	kind, _ := schema["type"].(string)
	if items := members(schema, "items"); items != nil && at != "" {
		if members(items, "properties") != nil {
			collectFields(items, at+"/[]", required, all)
			return
		}
		inner, _ := items["type"].(string)
		kind = "array of " + inner
	}
	properties := members(schema, "properties")
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		must := required && slices.Contains(list(schema["required"]), any(name))
		collectFields(members(properties, name), at+pointerTo(name), must, all)
	}
	if properties != nil || at == "" {
		return
	}
	class, _ := schema["class"].(string)
	text, _ := schema["description"].(string)
	*all = append(*all, Field{at, kind, required, class, schema["writeOnly"] == true, text})
}

// span writes a time the way that files do.
func span(d time.Duration) string {
	switch {
	case d >= 24*time.Hour && d%(24*time.Hour) == 0:
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}
