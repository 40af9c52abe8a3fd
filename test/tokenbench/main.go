// Command tokenbench measures how many access tokens a second Mooring issues,
// and how many oidc-provider from npm does, in one run on one machine: the same
// requests from the same clients, EdDSA, one process each. The processor time
// of the server for each token is told too: unlike the rate it hardly depends
// on what else the machine does.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mooring/test/drive"
)

const (
	clients = 16
	warm    = time.Second
	measure = 5 * time.Second
	rounds  = 3
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "mooring-tokenbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := drive.Build(dir, false)
	if err != nil {
		return err
	}
	fmt.Println("| Mooring | oidc-provider | ratio of rates | of processor time |\n| --- | --- | --- | --- |")
	for range rounds {
		ours, err := mooring(binary)
		if err != nil {
			return err
		}
		theirs, err := oidcProvider()
		if err != nil {
			return err
		}
		fmt.Printf("| %.0f/s, %.0f us | %.0f/s, %.0f us | %.1f | %.1f |\n", ours.rate, ours.cpu, theirs.rate, theirs.cpu, ours.rate/theirs.rate, theirs.cpu/ours.cpu)
	}
	return nil
}

func mooring(binary string) (measured, error) {
	s, err := drive.Start(context.Background(), binary, "dev", "--listen", "127.0.0.1:0", "--signing-algorithm", "EdDSA", "--log-level", "error")
	if err != nil {
		return measured{}, err
	}
	defer s.Kill()
	return rate(s.PID(), s.BaseURL+"/v1/oauth/token", s.ClientID, s.ClientSecret)
}

func oidcProvider() (measured, error) {
	cmd := exec.Command("node", "oidc-provider.js")
	cmd.Dir = "test/interop"
	out, err := cmd.StdoutPipe()
	if err != nil {
		return measured{}, err
	}
	if err := cmd.Start(); err != nil {
		return measured{}, err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it only served this
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "http://") {
			return rate(cmd.Process.Pid, lines.Text()+"/token", "bench", "a-secret-of-the-bench")
		}
	}
	return measured{}, errors.New("oidc-provider did not start: run npm ci in test/interop")
}

// measured is tokens a second, and microseconds of the server's processor time
// for each.
type measured struct{ rate, cpu float64 }

// processor is the processor time that a process has used, in microseconds, as
// Linux counts it: in hundredths of a second.
func processor(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) * 1e4
}

// rate is how many tokens a second come back.
func rate(pid int, url, id, secret string) (measured, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	var issued atomic.Int64
	var failed atomic.Pointer[error]
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := ask(client, url, id, secret); err != nil {
					failed.Store(&err)
					return
				}
				issued.Add(1)
			}
		})
	}
	<-time.After(warm)
	before, began, spent := issued.Load(), time.Now(), processor(pid)
	<-time.After(measure)
	n, took, used := float64(issued.Load()-before), time.Since(began), processor(pid)-spent
	close(stop)
	all.Wait()
	if err := failed.Load(); err != nil {
		return measured{}, *err
	}
	return measured{n / took.Seconds(), used / n}, nil
}

// ask gets one token, and looks that it is a JWT.
func ask(client *http.Client, url, id, secret string) error {
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader("grant_type=client_credentials&scope=read%3Aaccounts"))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(id, secret)
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	var got struct {
		Token string `json:"access_token"`
	}
	if json.Unmarshal(text, &got) != nil || answer.StatusCode != http.StatusOK || strings.Count(got.Token, ".") != 2 {
		return fmt.Errorf("%s answered %d %s", url, answer.StatusCode, text)
	}
	return nil
}
