package provider

// Undeclared lists the JSON pointers of what a signup's data holds and the
// file's current request has no member for. The gate drops it from a signup
// that comes as a request; from elsewhere it must not come to rest, since no
// class says how. All of it is undeclared where the request has no body.
func (p *Provider) Undeclared(data []byte) []string {
	schema := p.file.current().Request
	if schema == nil {
		schema = map[string]any{"properties": map[string]any{}}
	}
	return undeclared(schema, plainObject(data), "")
}

// Declared is a signup's data without what is undeclared in it.
func (p *Provider) Declared(data []byte) []byte {
	if p.request == nil {
		return []byte(`{}`)
	}
	return canonical(declared(p.request, plainObject(data)))
}
