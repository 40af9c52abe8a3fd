package product

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/test/drive"
)

const tutorialPage = "../../docs/adding-a-provider.md"

// TestTheTutorialDoesWhatItSays follows docs/adding-a-provider.md: it writes
// the file that the page writes, runs each command and compares what comes back
// with what is printed there, ids and times aside.
func TestTheTutorialDoesWhatItSays(t *testing.T) {
	text, err := os.ReadFile(tutorialPage)
	if err != nil {
		t.Fatal(err)
	}
	r := reader{t: t, dir: t.TempDir()}
	r.shell = startShell(t, r.dir)
	for _, m := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		switch kind, block := m[1], m[2]; kind {
		case "yaml":
			r.write(block)
		case "sh":
			r.same(block, "", r.shell.run(t, block))
		case "console":
			r.console(block)
		case "text":
			r.logs(block)
		}
	}
}

// reader is somebody who follows the tutorial.
type reader struct {
	t      *testing.T
	dir    string
	shell  *shell
	server *drive.Server
}

// write adds a part to the file.
func (r *reader) write(part string) {
	f, err := os.OpenFile(filepath.Join(r.dir, "providers", "fjordpay.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(part + "\n"); err != nil {
		r.t.Fatal(err)
	}
}

// console runs the commands of a block; the lines below each are its answer.
func (r *reader) console(block string) {
	command, want, running := "", "", false
	finish := func() {
		if running {
			r.command(command, want)
		}
		command, want, running = "", "", false
	}
	for line := range strings.Lines(block) {
		continued := running && want == "" && strings.HasSuffix(command, "\\\n")
		switch {
		case strings.HasPrefix(line, "$ "):
			finish()
			command, running = line[2:], true
		case continued:
			command += line
		default:
			want += line
		}
	}
	finish()
}

func (r *reader) command(command, want string) {
	switch {
	case strings.HasPrefix(command, "mooring dev "):
		r.start()
	case command == "pkill -HUP -x mooring\n":
		if err := r.server.Signal(syscall.SIGHUP); err != nil {
			r.t.Fatal(err)
		}
	default:
		r.same(command, want, r.shell.run(r.t, command))
	}
}

// start is the other terminal.
func (r *reader) start() {
	r.server = dev(r.t, "--listen", "127.0.0.1:0", "--providers", filepath.Join(r.dir, "providers"))
	ready, err := json.MarshalIndent(r.server.Ready, "", "  ")
	if err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "ready.json"), ready, 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.shell.run(r.t, "export MOORING_CACHE_DIR="+r.server.CacheDir+"\n")
}

// logs waits until the server has logged what a block says of a problem.
func (r *reader) logs(block string) {
	said := regexp.MustCompile(`problem="(.*)" more=0`).FindStringSubmatch(block)
	if said == nil {
		r.t.Fatalf("the page shows no problem in %s", block)
	}
	tick, late := time.NewTicker(10*time.Millisecond), time.After(drive.Patience)
	defer tick.Stop()
	for !strings.Contains(r.plain(r.server.Log()), said[1]) {
		select {
		case <-tick.C:
		case <-late:
			r.t.Fatalf("the server never logged %q:\n%s", said[1], r.server.Log())
		}
	}
}

// plain is what a reader in a directory of their own would see.
func (r *reader) plain(text string) string {
	text = strings.ReplaceAll(text, r.dir+"/", "")
	if r.server != nil {
		text = strings.ReplaceAll(text, r.server.BaseURL, "http://127.0.0.1:8080")
	}
	return links.ReplaceAllString(vague(text), "/s/TOKEN")
}

var links = regexp.MustCompile(`/s/[A-Za-z0-9_-]+`)

func (r *reader) same(command, want, got string) {
	if diff := cmp.Diff(r.plain(want), r.plain(got)); diff != "" {
		r.t.Errorf("$ %sthe tutorial prints (-), it is (+):\n%s", command, diff)
	}
}

// shell is one that runs command after command, as a terminal does.
type shell struct {
	in  io.Writer
	out *bufio.Reader
}

func startShell(t *testing.T, dir string) *shell {
	t.Helper()
	cmd := exec.Command("sh")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // its code is that of the last command
	})
	return &shell{in, bufio.NewReader(out)}
}

const prompt = "--- done ---\n"

// run runs a command to its end and returns what it printed on both streams.
func (s *shell) run(t *testing.T, command string) string {
	t.Helper()
	fmt.Fprintf(s.in, "%s\necho '%s'\n", command, strings.TrimSpace(prompt))
	var printed strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			t.Fatalf("the shell ended: %v\n%s", err, printed.String())
		}
		if line == prompt {
			return strings.ReplaceAll(printed.String(), "\r\n", "\n")
		}
		printed.WriteString(line)
	}
}
