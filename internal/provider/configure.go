package provider

// Configure turns the body of the documented callback into a configuration, by
// the renames of the file. signup is the data of the signup that it completes,
// as it was kept. It is nil when the callback says nothing of a configuration.
func (p *Provider) Configure(body, signup []byte) []byte {
	if p.file.Callback == nil || p.configuration == nil {
		return nil
	}
	said, kept, configuration := plainObject(body), plainObject(signup), map[string]any{}
	for name, to := range p.file.Callback.Map {
		if value, ok := said[name]; ok {
			configuration[to.To] = declared(p.configuration.members[to.To], to.apply(value))
		}
	}
	for _, name := range p.file.Callback.Keep {
		_, there := configuration[name]
		if value, ok := kept[name]; ok && !there {
			configuration[name] = declared(p.configuration.members[name], value)
		}
	}
	if len(configuration) == 0 {
		return nil
	}
	return canonical(configuration)
}

// apply renames the members of the items of a list; anything else stays as it
// is.
func (r rename) apply(value any) any {
	list, ok := value.([]any)
	if !ok || r.Items == nil {
		return value
	}
	renamed := make([]any, 0, len(list))
	for _, item := range list {
		object, ok := item.(map[string]any)
		if !ok {
			continue
		}
		one := map[string]any{}
		for from, to := range r.Items {
			if member, ok := object[from]; ok {
				one[to] = member
			}
		}
		renamed = append(renamed, one)
	}
	return renamed
}

// declared is a value without the members that a rule does not know, where it
// keeps no others.
func declared(r *rule, value any) any {
	switch value := value.(type) {
	case map[string]any:
		if r == nil || r.members == nil {
			return value
		}
		known := map[string]any{}
		for name, member := range value {
			if m := r.members[name]; m != nil {
				known[name] = declared(m, member)
			} else if r.open {
				known[name] = member
			}
		}
		return known
	case []any:
		if r == nil || r.items == nil {
			return value
		}
		known := make([]any, 0, len(value))
		for _, item := range value {
			known = append(known, declared(r.items, item))
		}
		return known
	}
	return value
}

// Anonymous is a signup's kept data without whatever tells of a person: no
// contact, no mask, nothing that the file has not declared.
func (p *Provider) Anonymous(kept []byte) []byte {
	if p.request == nil {
		return []byte(`{}`)
	}
	return canonical(anonymous(p.request, plainObject(kept)))
}

// anonymous is what the rule calls business data. Of an object whose members
// are not known nothing stays.
func anonymous(r *rule, value any) any {
	switch value := value.(type) {
	case map[string]any:
		known := map[string]any{}
		for name, member := range value {
			if m := r.members[name]; m != nil && m.class == "" && m.holds(member) {
				known[name] = anonymous(m, member)
			}
		}
		return known
	case []any:
		known := make([]any, 0, len(value))
		for _, item := range value {
			if r.items != nil && r.items.holds(item) {
				known = append(known, anonymous(r.items, item))
			}
		}
		return known
	}
	return value
}

// holds says whether a plain value is of the kind that the rule speaks of.
func (r *rule) holds(value any) bool {
	_, object := value.(map[string]any)
	_, array := value.([]any)
	return object == (r.kind == "object") && array == (r.kind == "array")
}
