package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// errNoServer is the one sentence for a machine without the server programs.
var errNoServer = errors.New("no PostgreSQL server programs found: install Debian's postgresql package (or your system's equivalent), or set " +
	adminVariable + " to the URL of a server that tests may use")

// watch runs the server until its standard input ends, which happens when the
// test process ends, in whatever way; then it stops the server at once, which
// works on one that hangs too, and removes the directory.
const watch = `"$1" -D "$2/data" -k "$2" >"$2/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT "$server"
wait "$server"
rm -rf "$2"`

// server is what all tests of the process share.
type server struct {
	admin string // connection string of a role that may create databases
	leash *leash // held for as long as the process lives; nil for a borrowed server
}

// start finds the server, after starting it if there is none to borrow.
func start() (*server, error) {
	if dsn := os.Getenv(adminVariable); dsn != "" {
		return &server{admin: dsn}, nil
	}
	bin, err := programs(debian)
	if err != nil {
		return nil, err
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := directory(owner)
	if err != nil {
		return nil, err
	}
	if err := initialise(bin, dir, owner, ""); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	leash, err := launch(bin, dir, owner)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	dsn := address("postgres", dir)
	return &server{admin: dsn, leash: leash}, await(dsn, filepath.Join(dir, "log"))
}

// address is the connection string of a database of the servers in dirs.
func address(name string, dirs ...string) string {
	return (&url.URL{
		Scheme: "postgres", User: url.User("postgres"), Path: "/" + name,
		RawQuery: url.Values{"host": {strings.Join(dirs, ",")}}.Encode(),
	}).String()
}

// debian is where Debian keeps the programs, out of the PATH.
const debian = "/usr/lib/postgresql/*/bin/initdb"

// programs finds the directory of initdb and postgres: on the PATH, or the
// newest of those that match pattern.
func programs(pattern string) (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(real), nil
		}
	}
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return "", errNoServer
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// unprivileged is who runs the server when we are root, which the server
// refuses to be: nil when we are not root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")
}

// directory makes the server's own directory, short enough for the path of a
// socket and reachable by the server's user.
func directory(owner *syscall.Credential) (string, error) {
	parent := os.TempDir()
	if owner != nil || len(parent) > 60 {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "mooring-postgres-")
	if err != nil || owner == nil {
		return dir, err
	}
	return dir, os.Chown(dir, int(owner.Uid), int(owner.Gid))
}

func initialise(bin, dir string, owner *syscall.Credential, settings string) error {
	cmd := command(owner, dir, filepath.Join(bin, "initdb"),
		"--pgdata", filepath.Join(dir, "data"), "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return set(dir, "listen_addresses = ''\nmax_connections = 200\n"+settings)
}

// set adds to the settings of a server, which reads them when it starts.
func set(dir, settings string) error {
	conf, err := os.OpenFile(filepath.Join(dir, "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString("\n" + settings)
	return errors.Join(err, conf.Close())
}

// leash is a watcher's standard input.
type leash struct {
	input   io.Closer
	watcher *exec.Cmd
}

// Close stops the server, and returns when it is gone with its directory.
func (l *leash) Close() error {
	return errors.Join(l.input.Close(), l.watcher.Wait())
}

// launch starts the server under its watcher and returns the watcher's leash.
func launch(bin, dir string, owner *syscall.Credential) (*leash, error) {
	cmd := command(owner, dir, "/bin/sh", "-c", watch, "watch", filepath.Join(bin, "postgres"), dir)
	// A group of its own, so that an interrupt from the keyboard ends the tests
	// first and the server after them.
	cmd.SysProcAttr.Setpgid = true
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &leash{input, cmd}, cmd.Start()
}

func command(owner *syscall.Credential, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	return cmd
}

// await returns when the server answers.
func await(dsn, log string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			text, _ := os.ReadFile(log)
			return fmt.Errorf("the test server does not answer: %w\n%s", err, text)
		}
	}
}
