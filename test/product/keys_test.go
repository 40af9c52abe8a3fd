package product

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

// command runs the binary against a server, or on its data.
func command(t *testing.T, s *drive.Server, in []byte, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "MOORING_CACHE_DIR="+s.CacheDir)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustRun(t *testing.T, s *drive.Server, args ...string) string {
	t.Helper()
	out, err := command(t, s, nil, args...)
	if err != nil {
		t.Fatalf("mooring %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// TestReleasedCredentialsAreOpenedByTheirRecipientAlone goes the way that
// docs/secrets.md tells, to the program in examples.
func TestReleasedCredentialsAreOpenedByTheirRecipientAlone(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "open-credentials")
	if out, err := exec.Command("go", "build", "-o", program, "mooring/examples/open-credentials").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	keyFile := func(name string) (string, string) {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(identity.String()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path, identity.Recipient().String()
	}
	mine, recipient := keyFile("mine")
	other, _ := keyFile("other")
	s := dev(t, "--listen", "127.0.0.1:0")
	enable(t, s, `"example-first-secret"`)
	enable(t, s, `"example-second-secret"`)
	mustRun(t, s, "credentials", "recipients", "add", "checkout", recipient)
	if out := mustRun(t, s, "credentials", "recipients", "list"); !strings.Contains(out, recipient) {
		t.Error(out)
	}
	sealed := mustRun(t, s, "credentials", "release", "--account", s.SecondAccount, "--connection", "payex", "--to", "checkout", "--reason", "a test")
	if contains([]byte(sealed), "example-second-secret") || !strings.HasPrefix(sealed, "-----BEGIN AGE ENCRYPTED FILE-----") {
		t.Fatal(sealed)
	}
	run := func(identity string, args ...string) (string, error) {
		cmd := exec.Command(program, append([]string{"-identity", identity}, args...)...)
		cmd.Stdin = strings.NewReader(sealed)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(mine, "-secret", "/token"); err != nil || out != "\"example-second-secret\"\n" {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := run(mine); err != nil || strings.Count(out, "/token") != 2 {
		t.Errorf("both versions should be there: %v: %s", err, out)
	}
	if out, err := run(other, "-secret", "/token"); err == nil {
		t.Errorf("another identity opens it: %s", out)
	}
	mustRun(t, s, "credentials", "recipients", "end", "checkout")
	if out, err := command(t, s, nil, "credentials", "release", "--account", s.SecondAccount, "--connection", "payex", "--to", "checkout"); err == nil {
		t.Errorf("released to a recipient that has ended: %s", out)
	}
}

// TestTheReleaseThatTheDocumentsTellOfWorks pastes docs/secrets.md beside a
// fresh server, with stand-ins for what else is on a machine.
func TestTheReleaseThatTheDocumentsTellOfWorks(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "open-credentials")
	if out, err := exec.Command("go", "build", "-o", program, "mooring/examples/open-credentials").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"age-keygen": `if [ "$1" = -o ]; then echo ` + identity.String() + ` > "$2"; else echo ` + identity.Recipient().String() + `; fi`,
		"mooring":    `exec ` + binary + ` "$@"`,
		"go":         `shift 2; exec ` + program + ` "$@"`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := dev(t, "--listen", "127.0.0.1:0")
	t.Setenv("MOORING_CACHE_DIR", s.CacheDir)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	out := paste(t, dir, block(t, "../../docs/secrets.md", "open-credentials"))
	if !strings.Contains(out, "T11223352 payex") || !strings.Contains(out, "/token") {
		t.Error(out)
	}
	cmd := exec.Command(program, "-identity", filepath.Join(dir, "key.txt"))
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "standard input is empty") {
		t.Errorf("%v: %s", err, out)
	}
}

// enable lets the provider of the second merchant's payex connection give a
// token, in JSON.
func enable(t *testing.T, s *drive.Server, token string) {
	t.Helper()
	client, held := drive.NewClient(s.BaseURL), tokens(t, s)
	answer, err := client.Do(http.MethodGet, "/v1/accounts/"+s.SecondAccount+"/connections/payex", bearer(held["platform"]), nil)
	if err != nil {
		t.Fatal(err)
	}
	view := decode[struct{ Signups []struct{ ID string } }](t, answer)
	for _, event := range []string{
		`{"status":"failed","event":"closed","provider_code":"` + time.Now().Format(time.RFC3339Nano) + `"}`, // or it would not be configured again
		`{"status":"enabled","event":"approved","configuration":{"payee_id":"p","token":` + token + `}}`,
	} {
		target := "/v1/accounts/" + s.SecondAccount + "/connections/payex/signups/" + view.Signups[0].ID + "/events"
		if answer, err := client.Do(http.MethodPost, target, bearer(held["platform"]), []byte(event)); err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%d, %v: %s", answer.Status, err, answer.Body)
		}
	}
}

// TestARotationOnPostgresLosesNothingUnderLoad rotates, is killed on the way,
// and rotates again, while clients sign up and callbacks come in.
func TestARotationOnPostgresLosesNothingUnderLoad(t *testing.T) {
	dsn, dir := storetest.Postgres(t), filepath.Join(t.TempDir(), "data")
	s := dev(t, "--database", dsn, "--data", dir, "--listen", "127.0.0.1:0")
	key := dir + ".key"
	before, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var group sync.WaitGroup
	var written atomic.Int64
	client, held := drive.NewClient(s.BaseURL), tokens(t, s)
	signup := func(n int64) []byte {
		number, _ := json.Marshal(n)
		return []byte(`{"signup":{"legal_name":"L","organization_number":"1","website":"https://w.example/` + string(number) +
			`","account_number":"5001-1234567","payment_options":[{"type":"swish.swish","currencies":["SEK"]}]}}`)
	}
	for range 4 {
		group.Go(func() {
			for !stop.Load() && written.Load() < 900 {
				target := "/v1/accounts/" + s.Account + "/management/settings/connections/swish"
				answer, err := client.Do(http.MethodPost, target, bearer(held["merchant"]), signup(written.Add(1)))
				if err != nil || answer.Status != http.StatusOK {
					t.Errorf("%d, %v: %s", answer.Status, err, answer.Body)
					return
				}
			}
		})
	}
	args := []string{"keys", "rotate", "--database", dsn, "--key-file", key, "--grace", "3s"}
	for attempt := range 3 { // killed a little later each time
		cmd := exec.Command(binary, args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(50+150*attempt)*time.Millisecond, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
	}
	mustRun(t, s, args...)
	stop.Store(true)
	group.Wait()
	enable(t, s, `"example-after-rotation"`)
	out := mustRun(t, s, "keys", "verify", "--database", dsn, "--key-file", key)
	if !strings.Contains(out, "opens all") {
		t.Error(out)
	}
	after, err := os.ReadFile(key)
	if err != nil || bytes.Equal(before, after) || bytes.Count(after, []byte(`"keyId"`)) != 1 {
		t.Errorf("the key file has %d keys, %v", bytes.Count(after, []byte(`"keyId"`)), err)
	}
	if err := os.WriteFile(key+".old", before, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, s, nil, "keys", "verify", "--database", dsn, "--key-file", key+".old"); err == nil {
		t.Errorf("the old key file still opens everything: %s", out)
	}
	if answer, err := client.Do(http.MethodGet, "/ready", http.Header{}, nil); err != nil || answer.Status >= 500 {
		t.Errorf("%d, %v", answer.Status, err)
	}
}

// TestARotationOnSQLiteWaitsForTheServerToStop rotates what a server left, and
// the server takes it up again.
func TestARotationOnSQLiteWaitsForTheServerToStop(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := dev(t, "--data", dir, "--listen", "127.0.0.1:0")
	enable(t, s, `"example-before"`)
	if out, err := command(t, s, nil, "keys", "rotate", "--data", dir); err == nil {
		t.Fatalf("it rotated under a running server: %s", out)
	}
	if code, err := s.Stop(); err != nil || code != 0 {
		t.Fatal(code, err)
	}
	mustRun(t, s, "keys", "rotate", "--data", dir, "--prepare")
	if out := mustRun(t, s, "keys", "rotate", "--data", dir); !strings.Contains(out, "wrapped anew") {
		t.Error(out)
	}
	mustRun(t, s, "keys", "verify", "--data", dir)
	s = dev(t, "--data", dir, "--listen", "127.0.0.1:0")
	enable(t, s, `"example-after"`)
}
