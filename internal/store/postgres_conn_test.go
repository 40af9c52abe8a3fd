package store

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql/driver"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"mooring/internal/store/storetest"
)

// A line that could not be secured once is no reason to speak in clear for ever.
func TestAFailedTryToSecureTheLineIsNotRemembered(t *testing.T) {
	p := securing(t, storetest.Postgres(t))
	e, err := engineOf(Config{Database: p.url}, standard.limit)
	if err != nil {
		t.Fatal(err)
	}
	write, read, err := e.open(t.Context(), func(c driver.Connector) driver.Connector { return c })
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	defer read.Close()
	p.spoil.Store(true)
	const connections = 4
	for range connections {
		conn, err := read.Conn(t.Context()) // held to the end, so that each is another
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if secure, plain := p.secure.Load(), p.plain.Load(); secure != connections-1 || plain != 1 {
		t.Errorf("%d connections are secure and %d in clear, want all but the spoiled one secure", secure, plain)
	}
}

// Who names several hosts expects that another takes over with everything.
func TestSeveralHostsOfWhichNoneIsAStandbyAreWarnedOf(t *testing.T) {
	cfg := newPostgres(t)
	for name, more := range map[string]string{"one host": "", "several": ",/nowhere"} {
		t.Run(name, func(t *testing.T) {
			at, err := url.Parse(cfg.Database)
			if err != nil {
				t.Fatal(err)
			}
			query := at.Query()
			query.Set("host", query.Get("host")+more)
			at.RawQuery = query.Encode()
			var log bytes.Buffer
			s := openStore(t, Config{Database: at.String(), Log: slog.New(slog.NewTextHandler(&log, nil))})
			must(t, s.Close())
			if warned, want := strings.Count(log.String(), "waits for no standby"), len(strings.Split(more, ","))-1; warned != want {
				t.Errorf("it is said %d times, want %d:\n%s", warned, want, &log)
			}
		})
	}
}

// securer stands before a server and secures the lines to it.
type securer struct {
	url           string
	certificate   *tls.Config
	config        *pgx.ConnConfig
	spoil         atomic.Bool // drop the next line that asks to be secured
	secure, plain atomic.Int64
}

func securing(t *testing.T, dsn string) *securer {
	t.Helper()
	https := httptest.NewTLSServer(nil)
	https.Close()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := &securer{certificate: https.TLS, config: config}
	query := at.Query()
	host, port, _ := net.SplitHostPort(storetest.Serve(t, p.serve))
	query.Set("host", host)
	query.Set("port", port)
	query.Set("sslmode", "prefer")
	at.RawQuery = query.Encode()
	p.url = at.String()
	return p
}

const sslRequest = 80877103

func (p *securer) serve(client net.Conn) {
	first := make([]byte, 8)
	if _, err := io.ReadFull(client, first); err != nil {
		return
	}
	line, count := client, &p.plain
	if binary.BigEndian.Uint32(first[4:]) == sslRequest {
		if p.spoil.Swap(false) {
			return
		}
		if _, err := client.Write([]byte("S")); err != nil {
			return
		}
		line, count, first = tls.Server(client, p.certificate), &p.secure, nil
	}
	network, address := pgconn.NetworkAddress(p.config.Host, p.config.Port)
	server, err := p.config.DialFunc(context.Background(), network, address)
	if err != nil {
		return
	}
	defer server.Close()
	count.Add(1)
	go func() {
		if _, err := server.Write(first); err == nil {
			_, _ = io.Copy(server, line)
		}
		_ = server.Close()
	}()
	_, _ = io.Copy(line, server)
}
