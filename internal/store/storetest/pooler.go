package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Pooled puts a pooler before the database of dsn, in the given mode, and
// returns the connection string that leads through it: PgBouncer where it is
// installed, else a stand-in that gives out keys of its own as PgBouncer does.
func Pooled(tb testing.TB, dsn, mode string) string {
	tb.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if program, err := exec.LookPath(name); err == nil {
			return bounced(tb, program, config, mode)
		}
	}
	return at(tb, dsn, Serve(tb, func(client net.Conn) { standIn(client, config) }))
}

// Serve has serve talk to each client of the address that it gives, until the
// test is over. It closes the connection itself.
func Serve(tb testing.TB, serve func(client net.Conn)) (address string) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	tb.Cleanup(func() { listener.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			serving.Go(func() {
				defer client.Close()
				serve(client)
			})
		}
	})
	return listener.Addr().String()
}

// bounced starts PgBouncer, which listens in a directory of its own.
func bounced(tb testing.TB, program string, config *pgx.ConnConfig, mode string) string {
	tb.Helper()
	tb.Logf("the pooler is %s", program)
	owner, err := unprivileged()
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := directory(owner)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	settings := fmt.Sprintf("[databases]\n* = host=%s port=%d user=%s\n[pgbouncer]\nlisten_port=5432\nunix_socket_dir=%s\nauth_type=any\npool_mode=%s\n",
		config.Host, config.Port, config.User, dir, mode)
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		tb.Fatal(err)
	}
	cmd := command(owner, dir, program, "-q", file)
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = errors.Join(cmd.Process.Kill(), cmd.Wait()) })
	dsn := address(config.Database, dir)
	if err := await(dsn, file); err != nil {
		tb.Fatal(err)
	}
	return dsn
}

// standIn hands a client's messages on, and those of the server but for the
// key to cancel with.
func standIn(client net.Conn, config *pgx.ConnConfig) {
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	server, err := config.DialFunc(context.Background(), network, address)
	if err != nil {
		return
	}
	defer server.Close()
	answers := pgproto3.NewFrontend(server, nil)
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	for {
		message, err := answers.Receive()
		if err != nil {
			return
		}
		if key, ok := message.(*pgproto3.BackendKeyData); ok {
			key.ProcessID ^= 1 << 30
		}
		bytes, err := message.Encode(nil)
		if err != nil {
			return
		}
		if _, err := client.Write(bytes); err != nil {
			return
		}
	}
}
