package cli

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// cacheFlags say where a running dev server is found by commands in another
// terminal.
type cacheFlags struct {
	CacheDir string `placeholder:"DIR" help:"Directory where a running mooring dev leaves its address and a login for other commands. Default: mooring in the user's cache directory."`
}

// discovery is the file that a dev server leaves while it runs. It holds a
// secret, as short-lived as the server's clients.
type discovery struct {
	URL    string `json:"url"`
	Client string `json:"client_id"` // of the platform: covers every account of the test world
	Secret string `json:"client_secret"`
}

func (f cacheFlags) file() (string, error) {
	dir := f.CacheDir
	if dir == "" {
		parent, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(parent, "mooring")
	}
	return filepath.Join(dir, "dev.json"), nil
}

// discover reads what the running dev server left.
func (f cacheFlags) discover() (discovery, error) {
	var found discovery
	path, err := f.file()
	if err != nil {
		return found, err
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	if err != nil || found.URL == "" {
		return found, errors.New("no mooring dev is running for this user; start one, or name a server with --url, --client and --secret-file")
	}
	return found, nil
}

// announce leaves the file, in place of that of an earlier server, and returns
// what removes it again unless a later server has left its own by then.
func (f cacheFlags) announce(own discovery) (remove func(), err error) {
	path, err := f.file()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := writePrivate(path, own); err != nil {
		return nil, err
	}
	return func() {
		if found, err := f.discover(); err == nil && found.Client == own.Client {
			os.Remove(path)
		}
	}, nil
}

// writePrivate makes a file of one JSON object in one step, so that whoever
// waits for it never reads half of it, and readable by nobody else, since it
// holds secrets.
func writePrivate(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".next-*") // 0600
	if err != nil {
		return err
	}
	_, err = next.Write(append(text, '\n'))
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		os.Remove(next.Name())
	}
	return err
}
