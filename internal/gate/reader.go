package gate

// Reader reads bodies by one schema as a request's body is read, when there is
// no request: by the function of a raw operation, or when a stored body is
// judged again. Only the limit of strings is another, MaxRawString. It is safe
// for concurrent use.
type Reader struct{ schema *Schema }

// Reader makes the reader for the schema at a pointer such as
// "#/components/schemas/VippsCallback".
func (d *Document) Reader(pointer string) (*Reader, error) {
	schema, err := d.Schema(pointer)
	if err != nil {
		return nil, err
	}
	return &Reader{schema}, nil
}

// Read gives the validated, trimmed JSON object that a function gets as
// Call.Body, or the fault that a client gets, with every problem. strict also
// refuses members that the schema does not declare.
func (r *Reader) Read(raw []byte, strict bool) ([]byte, error) {
	tree, problems := readJSONWith(raw, MaxRawString)
	if tree == nil {
		return nil, refused(problems)
	}
	return parsed{raw: raw, tree: tree, problems: problems}.as(r.schema, strict)
}
