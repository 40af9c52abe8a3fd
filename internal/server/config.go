package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
)

// Worlds says which accounts a process serves.
type Worlds string

// The three choices of --world.
const (
	ProductionOnly Worlds = "P"
	TestOnly       Worlds = "T"
	BothWorlds     Worlds = "both"
)

// Serves says whether accounts of a world are served.
func (w Worlds) Serves(world account.World) bool {
	return w == BothWorlds || string(w) == string(rune(world))
}

// Config is every knob of a server. The zero value of a field is its default
// where one is named.
type Config struct {
	// Listen is the address to accept connections on, such as "127.0.0.1:8080".
	// Port 0 takes a free one.
	Listen string
	// PublicURL is the base under which clients reach this server, such as
	// "https://connections.example.com": issuer, audiences and links begin with
	// it. The Host header is never used. "" takes it from the address bound.
	PublicURL string
	// DataDir is the directory of the embedded SQLite database.
	DataDir string
	// Database is a postgres:// URL; it wins over DataDir.
	Database string
	// KeyFile is the file whose key seals signing keys and secrets at rest.
	KeyFile string
	// Worlds are the accounts that this process serves. In one that serves
	// production only, no T id is accepted and no simulator is there.
	Worlds Worlds
	// DocumentedHost accepts audiences that name the host of the public API
	// instead of ours, as some client libraries have it built in.
	DocumentedHost bool
	// Algorithm signs tokens: RS256 (default, as documented), ES256 or EdDSA.
	Algorithm auth.Algorithm
	// TokenLife is how long tokens are valid; 0 means 4 hours, as documented.
	TokenLife time.Duration
	// LoginFailures is how many failed logins a minute one address may have for
	// one client before it must wait.
	LoginFailures int
	// DrainDelay is how long the server answers after it was told to stop, not
	// ready, so that whoever routes requests notices.
	DrainDelay time.Duration
	// Log takes one line per request and what the server has to say.
	Log *slog.Logger
}

// stopLimit is how long accepted requests may take after a stop was asked.
const stopLimit = 8 * time.Second

// checkPublicURL refuses a base that tokens and links could not safely carry.
// Issuers and audiences are compared as text, so there is one way to write it.
func checkPublicURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("the public URL must look like https://connections.example.com")
	case u.Scheme+"://"+strings.ToLower(u.Host) != raw:
		return errors.New("the public URL must be a scheme and a host in lower case, and nothing after it: https://connections.example.com")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fmt.Errorf("the public URL must begin with https:// unless its host is this machine: %s", raw)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
