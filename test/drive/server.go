// Package drive starts the built binary and talks to it the way a client does,
// for the tests of the whole product.
//
// It promises that a server it started is gone, with its files, when the test
// is over, and that it reaches nothing but the loopback interface.
package drive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Patience is how long a server may take to start or to stop. Under the race
// detector, with every other package tested at the same time, it needs some.
const Patience = 60 * time.Second

// Untraced is what the race detector does not look into: SQLite, which was
// translated from C and locks for itself. Looking on made its every read
// several times as slow, and with it the suite; all calls into it are looked at.
var Untraced = []string{"-gcflags=modernc.org/sqlite/lib=-race=false", "-gcflags=modernc.org/libc/...=-race=false"}

// Build compiles the command into dir, which it makes, and returns the path of
// the binary.
func Build(dir string, race bool) (string, error) {
	binary := filepath.Join(dir, "mooring")
	args := []string{"build"}
	if race {
		args = append(append(args, "-race"), Untraced...)
	}
	out, err := exec.Command("go", append(args, "-o", binary, "mooring/cmd/mooring")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

// Main runs the tests of a package with what build puts into a directory, which
// is gone when they are over, and gives the exit code.
func Main(tests interface{ Run() int }, build func(dir string) error) int {
	dir, err := os.MkdirTemp("", "mooring-test-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return tests.Run()
}

// Ready is what `mooring dev --ready-file` writes once it answers.
type Ready struct {
	BaseURL          string `json:"base_url"`
	Account          string `json:"account_id"`
	Owner            string `json:"owner_id"`
	PartnerAccount   string `json:"partner_account_id"`
	PlatformAccount  string `json:"platform_account_id"`
	SecondAccount    string `json:"second_account_id"`
	ClientID         string `json:"client_id"`
	ClientSecret     string `json:"client_secret"`
	OwnerClientID    string `json:"owner_client_id"`
	OwnerSecret      string `json:"owner_client_secret"`
	PlatformClientID string `json:"platform_client_id"`
	PlatformSecret   string `json:"platform_client_secret"`
	SecondClientID   string `json:"second_client_id"`
	SecondSecret     string `json:"second_client_secret"`
}

// Credentials are what an API client shows to get a token for its account.
type Credentials struct{ Account, ID, Secret string }

// Clients are the API clients of a `mooring dev`, by the word that stories use.
func (r Ready) Clients() map[string]Credentials {
	return map[string]Credentials{
		"merchant": {r.Account, r.ClientID, r.ClientSecret},
		"second":   {r.SecondAccount, r.SecondClientID, r.SecondSecret},
		"partner":  {r.PartnerAccount, r.OwnerClientID, r.OwnerSecret},
		"platform": {r.PlatformAccount, r.PlatformClientID, r.PlatformSecret},
	}
}

// Server is one running process.
type Server struct {
	Ready
	CacheDir string // where commands find a dev server: MOORING_CACHE_DIR
	cmd      *exec.Cmd
	printed  output        // standard output
	log      output        // error stream
	exited   chan struct{} // closed when the process is gone
	err      error         // how it went; read after exited
}

// Launch runs the binary with args and does not wait for anything.
func Launch(binary string, args ...string) (*Server, error) {
	cache, err := os.MkdirTemp("", "mooring-cache-")
	if err != nil {
		return nil, err
	}
	s := &Server{cmd: exec.Command(binary, args...), CacheDir: cache, exited: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), "MOORING_CACHE_DIR="+cache) // not that of whoever runs the tests
	s.cmd.Stdout, s.cmd.Stderr = &s.printed, &s.log
	dieWithParent(s.cmd)
	if err := s.cmd.Start(); err != nil {
		os.RemoveAll(cache)
		return nil, err
	}
	go func() {
		s.err = s.cmd.Wait()
		os.RemoveAll(cache)
		close(s.exited)
	}()
	return s, nil
}

// Start runs the binary with args and a ready file, and returns when the
// server answers.
func Start(ctx context.Context, binary string, args ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "mooring-ready-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "ready.json")
	s, err := Launch(binary, append(slices.Clone(args), "--ready-file", file)...)
	if err != nil {
		return nil, err
	}
	return s, s.await(ctx, func() bool {
		text, err := os.ReadFile(file)
		return err == nil && json.Unmarshal(text, &s.Ready) == nil
	})
}

// Serve runs the binary with args, which make it answer at baseURL, and
// returns when it is ready there.
func Serve(ctx context.Context, binary, baseURL string, args ...string) (*Server, error) {
	s, err := Launch(binary, args...)
	if err != nil {
		return nil, err
	}
	s.BaseURL = baseURL
	client := NewClient(baseURL)
	return s, s.await(ctx, func() bool {
		answer, err := client.Do(http.MethodGet, "/readyz", http.Header{}, nil)
		return err == nil && answer.Status == http.StatusOK
	})
}

var serving = regexp.MustCompile(`"msg":"serving","listen":"([^"]+)"`)

// ServeAnywhere runs the binary with args at an address that is free, and
// returns when it is ready there.
func ServeAnywhere(ctx context.Context, binary string, args ...string) (*Server, error) {
	s, err := Launch(binary, append(slices.Clone(args), "--listen", "127.0.0.1:0", "--log-format", "json")...)
	if err != nil {
		return nil, err
	}
	return s, s.await(ctx, func() bool {
		address := serving.FindStringSubmatch(s.Log())
		if address == nil {
			return false
		}
		s.BaseURL = "http://" + address[1]
		answer, err := NewClient(s.BaseURL).Do(http.MethodGet, "/readyz", http.Header{}, nil)
		return err == nil && answer.Status == http.StatusOK
	})
}

// await polls until the server is ready; one that never is, is ended.
func (s *Server) await(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var err error
	for err == nil {
		if ready() {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.exited:
			err = fmt.Errorf("it ended before it answered: %w", s.err)
		case <-ctx.Done():
			err = errors.New("it never answered")
		}
	}
	s.Kill()
	return fmt.Errorf("%s: %w\n%s%s", strings.Join(s.cmd.Args, " "), err, s.Printed(), s.Log())
}

// Signal sends a signal to the process.
func (s *Server) Signal(sig os.Signal) error { return s.cmd.Process.Signal(sig) }

// Stop asks the server to end, waits, and returns its exit code.
func (s *Server) Stop() (int, error) {
	if err := s.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return -1, err
	}
	return s.Wait()
}

// Wait returns the exit code once the process is gone.
func (s *Server) Wait() (int, error) {
	select {
	case <-s.exited:
		return s.cmd.ProcessState.ExitCode(), nil
	case <-time.After(Patience):
		return -1, errors.New("still running")
	}
}

// Kill ends the process without a chance to tidy up, and waits until it is gone.
func (s *Server) Kill() {
	s.cmd.Process.Kill() // fails only when it is gone already
	<-s.exited
}

// Printed is what the process has written to its standard output.
func (s *Server) Printed() string { return s.printed.String() }

// Log is what the process has written to its error stream.
func (s *Server) Log() string { return s.log.String() }

// output collects what a process prints while others read it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var _ io.Writer = (*output)(nil)

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// PID is the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }
