package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program that was started, which ends with this one.
type process struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner // what it prints
	log   bytes.Buffer   // its error stream; read when it is gone
	addr  string
	begun time.Time
}

// start runs a program in a directory. addr is where it will answer.
func start(dir, addr, program string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), addr: addr}
	p.cmd.Dir, p.cmd.Stderr = dir, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewScanner(out)
	p.begun = time.Now()
	return p, p.cmd.Start()
}

// printed waits for a line that begins with prefix and gives it. What is printed after it
// is thrown away.
func (p *process) printed(prefix string) (string, error) {
	for p.lines.Scan() {
		if line := p.lines.Text(); strings.HasPrefix(line, prefix) {
			go func() {
				for p.lines.Scan() {
				}
			}()
			return line, nil
		}
	}
	p.kill()
	return "", fmt.Errorf("%s ended before it was ready: %s", p.cmd.Path, p.log.String())
}

// ready waits until GET path is answered with less than 500, and gives how long
// that took from the start of the process.
func (p *process) ready(ctx context.Context, path string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+path, http.NoBody)
		if err != nil {
			return 0, err
		}
		if answer, err := client.Do(r); err == nil {
			answer.Body.Close()
			if answer.StatusCode < 500 {
				return time.Since(p.begun), nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.kill()
			return 0, fmt.Errorf("%s never answered: %s", p.cmd.Path, p.log.String())
		}
	}
}

// kill ends the process and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only when it is gone already
	_ = p.cmd.Wait()         // it was killed
}

// stop has the process end by itself.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// ticks is how Linux counts processor time, in each second.
const ticks = 100

// processor is the processor time that the process has used.
func (p *process) processor() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticks, err
}

// memory is what the process holds resident, and the most that it held, in MB.
func (p *process) memory() (now, most float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f", &kb); n == 1 {
			now = kb / 1000
		}
		if n, _ := fmt.Sscanf(line, "VmHWM: %f", &kb); n == 1 {
			most = kb / 1000
		}
	}
	if now == 0 {
		return 0, 0, errors.New("the process is gone")
	}
	return now, most, nil
}

// free finds an address that nobody listens on.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// command runs a program to its end.
func command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, log.Bytes())
	}
	return out, nil
}

// build compiles Mooring as it is released.
func (b *bench) build() error {
	b.say("building")
	b.mooring, b.peers = filepath.Join(b.dir, "mooring"), filepath.Join(b.dir, "peers")
	_, err := command(b.ctx, "..", "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.mooring, "./cmd/mooring")
	return err
}

// program is the path of a peer, which is compiled when it is wanted first.
func (b *bench) program(name string) (string, error) {
	path := filepath.Join(b.peers, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	b.say("building %s", name)
	_, err := command(b.ctx, ".", "go", "build", "-o", path, "./peers/"+name)
	return path, err
}

// fetch gets a document.
func fetch(ctx context.Context, url, token string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s: %.300s", url, answer.Status, text)
	}
	return text, err
}
