package cli

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"mooring/internal/hook"
	"mooring/internal/secret"
)

// listenSecret is what `mooring listen` signs with on this machine: made once,
// so that the program that it forwards to can be configured with it.
func (f cacheFlags) listenSecret() (secret.Plain, error) {
	dev, err := f.file()
	if err != nil {
		return secret.Plain{}, err
	}
	path := filepath.Join(filepath.Dir(dev), "listen.json")
	var kept struct {
		Secret string `json:"secret"`
	}
	text, err := os.ReadFile(path)
	switch {
	case err == nil && json.Unmarshal(text, &kept) == nil && kept.Secret != "":
		return secret.NewPlain(kept.Secret), nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return secret.Plain{}, err
	}
	made := hook.NewStandard()
	kept.Secret = made.Reveal()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return secret.Plain{}, err
	}
	return made, writePrivate(path, kept)
}
