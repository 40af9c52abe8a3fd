package store

import (
	"net"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// Hosts lists where the database is reached over a network, as "host:port";
// nothing when it is embedded or behind a socket.
func (s *Store) Hosts() []string {
	e, ok := s.engine.(*postgres)
	if !ok {
		return nil
	}
	config, err := pgx.ParseConfig(e.url)
	if err != nil {
		return nil // it was read when the store was opened
	}
	hosts := []string{net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))}
	for _, f := range config.Fallbacks {
		hosts = append(hosts, net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port))))
	}
	var remote []string
	for _, h := range hosts {
		if !filepath.IsAbs(h) {
			remote = append(remote, h)
		}
	}
	return remote
}
