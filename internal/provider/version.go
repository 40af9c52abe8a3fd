package provider

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Version is the provider as it was when an older version of its file was the
// current one, for rows that were written with that. What a version says of
// itself is kept with it: its schemas, and how its members must be treated. A
// version that the file does not have is the current one.
func (p *Provider) Version(n int) *Provider {
	if older, ok := p.older[n]; ok {
		return older
	}
	return p
}

// remember makes the older versions of a provider.
func (p *Provider) remember() {
	p.older = map[int]*Provider{}
	for name := range p.file.Versions {
		if n, _ := strconv.Atoi(name); n != p.Schema {
			file := p.file
			file.Schema = n
			p.older[n] = file.provider()
		}
	}
}

// others are the older versions, newest first.
func (p *Provider) others() []*Provider {
	var all []*Provider
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(p.older))) {
		all = append(all, p.older[n])
	}
	return all
}

// suffix tells the schemas of an older version from those of the current one.
func (p *Provider) suffix() string { return "V" + fmt.Sprint(p.Schema) }

// olderSchemas are what answers may show of rows that older versions wrote.
func (p *Provider) olderSchemas() map[string]any {
	all := map[string]any{}
	for _, o := range p.others() {
		if o.Signup.Body {
			all[p.file.Prefix+"Signup"+o.suffix()] = answered(o.file.current().Request, false)
		}
	}
	return all
}

// shownSignups is a schema of what answers show of a request, whichever version
// it was made with.
func (p *Provider) shownSignups() map[string]any {
	forms := []any{ref("schemas", p.shownSignup())}
	for _, o := range p.others() {
		if o.Signup.Body {
			forms = append(forms, ref("schemas", p.file.Prefix+"Signup"+o.suffix()))
		}
	}
	return oneForm(forms)
}

// shownConfigurations is the same of configurations; nil when there is none.
func (p *Provider) shownConfigurations() map[string]any {
	var forms []any
	for _, one := range append([]*Provider{p}, p.others()...) {
		if configuration := one.file.current().Configuration; configuration != nil {
			forms = append(forms, answered(configuration, true))
		}
	}
	return oneForm(forms)
}

// oneForm is a schema of what has one of several forms. The newest is the first.
func oneForm(forms []any) map[string]any {
	switch len(forms) {
	case 0:
		return nil
	case 1:
		return forms[0].(map[string]any)
	}
	return map[string]any{"anyOf": forms}
}
