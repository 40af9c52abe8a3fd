package main

import (
	"fmt"
	"strings"
)

// page is what a documentation page says, in the form of our YAML files.
type page struct {
	Page            string
	Method, Path    string
	Caller          string
	Security        struct{ Header, Scheme, Format string }
	Scopes          []string
	Parameters      ordered[parameter]
	Body            string
	Request         ordered[member]
	FullBody        string `yaml:"full_body"`
	Answer          ordered[member]
	BeforeTheAnswer []step `yaml:"before_the_answer"`
}

// parameter is a documented path parameter, with values that it forbids.
type parameter struct {
	Type, Pattern string
	Enum          []string
	Length        int
	Required      bool
	Wrong         []string
}

// member is a documented member of a body.
type member struct {
	Type, Format string
	Enum         []string
	Required     bool
	ReadOnly     bool `yaml:"read_only"`
	Unique       []string
	Free         bool // an example inside a free object: no schema names it
}

// String is the fact as the table shows it.
func (m member) String() string {
	words := []string{m.Type}
	if m.Format != "" {
		words = append(words, "<"+m.Format+">")
	}
	if m.Enum != nil {
		words = append(words, strings.Join(m.Enum, " | "))
	}
	if m.Required {
		words = append(words, "required")
	}
	if m.ReadOnly {
		words = append(words, "read-only")
	}
	return strings.Join(words, " ")
}

func (p parameter) String() string {
	words := []string{p.Type}
	if p.Pattern != "" {
		words = append(words, "<"+p.Pattern+">")
	}
	if p.Enum != nil {
		words = append(words, strings.Join(p.Enum, " | "))
	}
	if p.Length > 0 {
		words = append(words, fmt.Sprintf("length %d", p.Length))
	}
	if p.Required {
		words = append(words, "required")
	}
	return strings.Join(words, " ")
}

// step is a request that brings a documented member about.
type step struct{ Caller, Method, Path, Body string }

// row is one fact beside what we found.
type row struct {
	ok                     bool
	what, documented, ours string
}
