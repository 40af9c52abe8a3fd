package vault

import (
	"context"

	"mooring/internal/connection"
	"mooring/internal/provider"
	"mooring/internal/store"
)

// Application makes a signup's data ready to be decided about: what must not
// rest in clear is sealed and taken out. data is the canonical JSON object of
// the request, id that of the signup which it may become.
func (v *Vault) Application(
	ctx context.Context, at store.Place, p *provider.Provider, id string, data []byte, scenario string,
) (connection.Application, Sealed, error) {
	kept, parts := p.SplitSignup(data)
	application := connection.Application{ID: id, Key: p.SignupKey(data), Data: kept, Scenario: scenario}
	if len(parts) == 0 { // the data itself tells whether it was sent before
		return application, Sealed{}, nil
	}
	application.Digest = v.Digest("signup", data)
	sealed, err := v.Signup(ctx, at, id, parts)
	return application, sealed, err
}
