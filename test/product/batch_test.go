package product

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mooring/test/drive"
)

// TestSignupsTravelInFiles writes a file of two signups from the command line,
// reads its answers, reads them again, and reads others that take them back.
func TestSignupsTravelInFiles(t *testing.T) {
	dir, platform, _ := initialised(t)
	address := freeAddress(t)
	s, err := drive.Serve(context.Background(), binary, "http://"+address,
		"serve", "--data", dir, "--listen", address, "--public-url", "http://"+address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	client := drive.NewClient(s.BaseURL)
	token, err := client.Token(platform)
	if err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/v1/accounts/%s/management/settings/connections/mastercard-3ds", platform.Account)
	for _, store := range []string{"=1+1", "plain"} {
		body := fmt.Sprintf(`{"signup":{"case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","store_id":%q}}`, store)
		if answer, err := client.Do(http.MethodPost, path, bearer(token), []byte(body)); err != nil || answer.Status != http.StatusOK {
			t.Fatal(err, string(answer.Body))
		}
	}
	run := func(code int, args ...string) string {
		t.Helper()
		c := exec.Command(binary, append([]string{"batch"}, args...)...)
		c.Args = append(c.Args, "--connection", "mastercard-3ds", "--url", s.BaseURL, "--client", platform.ID)
		c.Env = append(os.Environ(), "MOORING_CLIENT_SECRET="+platform.Secret)
		out, _ := c.CombinedOutput()
		if got := c.ProcessState.ExitCode(); got != code {
			t.Fatalf("%v exits with %d, want %d\n%s\n%s", args, got, code, out, s.Log())
		}
		return string(out)
	}

	file, answers := filepath.Join(t.TempDir(), "signups.csv"), filepath.Join(t.TempDir(), "answers.csv")
	run(0, "write", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(rows) != 3 || rows[0] != "REFERENCE;MERCHANT;CASE;STORE" || !strings.HasSuffix(rows[1], ";'=1+1") || !strings.HasSuffix(rows[2], ";plain") {
		t.Fatalf("the file is\n%s", text)
	}
	run(1, "write", file) // it is there already

	first, _, _ := strings.Cut(rows[1], ";")
	second, _, _ := strings.Cut(rows[2], ";")
	answer := "REFERENCE;RESULT;CODE\r\n" + first + ";ENROLLED;\r\n" + second + ";NONSENSE;\r\n01990f29-1a00-7d15-a0c2-5e2d7b9f1c01;ENROLLED;\r\n"
	if err := os.WriteFile(answers, []byte(answer), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(1, "read", answers); !strings.Contains(out, "applied 1, duplicate 0, stale 0, refused 2\nmooring: refused 2 rows; the reasons stand above\n") {
		t.Error(out)
	}
	for head, says := range map[string]string{
		"REFERENCE,RESULT":        "the head line must name the columns REFERENCE and RESULT, separated by ; (400 ",
		"REFERENCE;RESULT;RESULT": "the head line names the column RESULT twice: leave out the one that does not count (400 ",
	} {
		bad := filepath.Join(t.TempDir(), "bad.csv")
		if err := os.WriteFile(bad, []byte(head+"\n"+first+";REJECTED;ENROLLED\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := run(1, "read", bad); !strings.Contains(out, says) {
			t.Errorf("%s: %s", head, out)
		}
	}
	if out := run(1, "read", answers); !strings.Contains(out, "applied 0, duplicate 1, stale 0, refused 2") {
		t.Error(out)
	}
	got, err := client.Do(http.MethodGet, path, bearer(token), nil)
	if err != nil || decode[struct{ Status string }](t, got).Status != "enabled" {
		t.Error(err, string(got.Body))
	}
	if n := strings.Count(string(got.Body), `"enrolled"`); n != 1 {
		t.Errorf("the answer was recorded %d times: %s", n, got.Body)
	}

	// A later file may take an answer back, and another one that.
	for _, word := range []string{"REJECTED", "ENROLLED", "REJECTED"} {
		if err := os.WriteFile(answers, []byte("REFERENCE;RESULT;CODE\n"+first+";"+word+";\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, counts := range []string{"applied 1, duplicate 0, stale 0, refused 0", "applied 0, duplicate 1, stale 0, refused 0"} {
			if out := run(0, "read", answers); !strings.Contains(out, counts) {
				t.Errorf("%s, want %s: %s", word, counts, out)
			}
		}
	}
	got, err = client.Do(http.MethodGet, path, bearer(token), nil)
	if err != nil || decode[struct{ Status string }](t, got).Status == "enabled" {
		t.Error(err, string(got.Body))
	}

	again := filepath.Join(t.TempDir(), "again.csv")
	run(0, "write", again)
	if text, err := os.ReadFile(again); err != nil || strings.Contains(string(text), first) || !strings.Contains(string(text), second) {
		t.Errorf("what was answered waits on, or what was not does not:\n%s%v", text, err)
	}
}

// TestAMachineGetsValuesAsTheyAre is about a provider whose file says that a
// machine reads what is written.
func TestAMachineGetsValuesAsTheyAre(t *testing.T) {
	shipped, err := os.ReadFile("../../providers/mastercard-3ds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	own := t.TempDir()
	text := strings.NewReplacer("mastercard-3ds", "scheme-3ds", "mastercard_3ds", "scheme_3ds", "Mastercard3DS", "Scheme3DS",
		"batch:\n", "batch:\n  reader: machine\n").Replace(string(shipped))
	if err := os.WriteFile(filepath.Join(own, "scheme-3ds.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, platform, _ := initialised(t)
	address := freeAddress(t)
	s, err := drive.Serve(context.Background(), binary, "http://"+address,
		"serve", "--data", dir, "--listen", address, "--public-url", "http://"+address, "--providers", own)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	client := drive.NewClient(s.BaseURL)
	token, err := client.Token(platform)
	if err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/v1/accounts/%s/management/settings/connections/scheme-3ds", platform.Account)
	body := `{"signup":{"case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","store_id":"+4741234567"}}`
	if answer, err := client.Do(http.MethodPost, path, bearer(token), []byte(body)); err != nil || answer.Status != http.StatusOK {
		t.Fatal(err, string(answer.Body))
	}
	file := filepath.Join(t.TempDir(), "signups.csv")
	c := exec.Command(binary, "batch", "write", "--connection", "scheme-3ds", "--url", s.BaseURL, "--client", platform.ID, file)
	c.Env = append(os.Environ(), "MOORING_CLIENT_SECRET="+platform.Secret)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	if written, err := os.ReadFile(file); err != nil || !strings.HasSuffix(strings.TrimSpace(string(written)), ";+4741234567") {
		t.Errorf("%v: the file is\n%s", err, written)
	}
}
