package provider

import "errors"

// Unshow takes a signup apart that is as an answer shows it: the members that
// the service generates, and the request.
func (p *Provider) Unshow(shown []byte) (made, data []byte, err error) {
	whole := plainObject(shown)
	if whole == nil {
		return nil, nil, errors.New("must be an object, as answers have it")
	}
	generates := map[string]any{}
	for _, name := range p.Signup.View.Members {
		if value, ok := whole[name]; ok {
			generates[name] = value
			delete(whole, name)
		}
	}
	for name := range p.Signup.View.Constants {
		delete(whole, name)
	}
	request := whole
	if view := p.Signup.View.Data; view != inline {
		request, _ = whole[view].(map[string]any)
		if request == nil {
			request = map[string]any{}
		}
	}
	return canonical(generates), canonical(request), nil
}
