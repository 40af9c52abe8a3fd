package hook_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring/internal/hook"
	"mooring/internal/secret"
)

// What runs the code of docs/webhooks.md: the rest of a program around verify,
// which reads messages and writes one yes or no a line.
var harnesses = map[string]struct {
	command          []string
	snippet, program string
	code             string
}{
	"go": {[]string{"go", "run", "."}, "verify.go", "main.go", `package main
import ("encoding/json"; "fmt"; "net/http"; "os")
func main() {
	var all []struct{ Secret string; Headers map[string]string; Body []byte }
	if err := json.NewDecoder(os.Stdin).Decode(&all); err != nil { panic(err) }
	for _, m := range all {
		h := http.Header{}
		for name, value := range m.Headers { h.Set(name, value) }
		fmt.Println(verify(m.Secret, h, m.Body))
	}
}`},
	"js": {[]string{"node", "main.mjs"}, "verify.mjs", "main.mjs", `import { verify } from './verify.mjs'
import { readFileSync } from 'node:fs'
for (const m of JSON.parse(readFileSync(0))) console.log(verify(m.Secret, m.Headers, Buffer.from(m.Body, 'base64')))`},
	"python": {[]string{"python3", "main.py"}, "verify.py", "main.py", `import base64, json, sys
from verify import verify
for m in json.load(sys.stdin): print("true" if verify(m["Secret"], m["Headers"], base64.b64decode(m["Body"])) else "false")`},
	"php": {[]string{"php", "main.php"}, "verify.php", "main.php", `<?php require 'verify.php';
foreach (json_decode(file_get_contents('php://stdin'), true) as $m)
  echo verify($m['Secret'], $m['Headers'], base64_decode($m['Body'])) ? "true\n" : "false\n";`},
}

// TestTheCodeInTheDocumentationVerifies runs it in each language that is
// installed; Go always is.
func TestTheCodeInTheDocumentationVerifies(t *testing.T) {
	messages, want := toVerify(t)
	input, err := json.Marshal(messages)
	if err != nil {
		t.Fatal(err)
	}
	for language, harness := range harnesses {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			code := fenced(t, language)
			program, err := exec.LookPath(harness.command[0])
			if err != nil {
				return // read, not run
			}
			dir := t.TempDir()
			for name, text := range map[string]string{
				harness.snippet: code, harness.program: harness.code, "go.mod": "module receiver\n\ngo 1.26\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(program, harness.command[1:]...)
			cmd.Dir, cmd.Stdin = dir, strings.NewReader(string(input))
			out, err := cmd.CombinedOutput()
			if err != nil || string(out) != want {
				t.Errorf("%v, got\n%s\nwant\n%s", err, out, want)
			}
		})
	}
}

// received is a message as a receiver has it.
type received struct {
	Secret  string
	Headers map[string]string
	Body    []byte
}

// toVerify is messages and which of them are to be taken.
func toVerify(t *testing.T) (messages []received, want string) {
	t.Helper()
	old, current, stranger := hook.NewStandard(), hook.NewStandard(), hook.NewStandard()
	private, _ := hook.NewPair()
	k := hook.Secrets{Standard: []secret.Plain{current, old}, Asymmetric: []secret.Plain{private}}
	e := entry(hook.AccountUpdate, `{"account":{"company":{"business_name":"Blåbærsyltetøy 日本 😀"}}}`)
	body, err := hook.Message(subscription(), e)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	fresh := lower(hook.Headers(subscription(), k, e, body, now))
	other := func(name, value string) map[string]string {
		h := lower(hook.Headers(subscription(), k, e, body, now))
		h[name] = value
		return h
	}
	for _, c := range []struct {
		key     secret.Plain
		headers map[string]string
		body    []byte
		taken   string
	}{
		{current, fresh, body, "true"},
		{old, fresh, body, "true"},
		{stranger, fresh, body, "false"},
		{current, fresh, append([]byte(" "), body...), "false"},
		{current, other("webhook-id", "01990f29-0c11-7b3a-9d20-000000000008"), body, "false"},
		{current, other("webhook-timestamp", "1"), body, "false"},
		{current, other("webhook-timestamp", ""), body, "false"},
		{current, other("webhook-timestamp", "soon"), body, "false"},
		{current, other("webhook-signature", ""), body, "false"},
		{current, other("webhook-signature", "v1, v2,x"), body, "false"},
		{current, lower(hook.Headers(subscription(), k, e, body, now.Add(-time.Hour))), body, "false"},
		{current, lower(hook.Headers(subscription(), k, e, body, now.Add(time.Hour))), body, "false"},
		{current, map[string]string{}, body, "false"},
	} {
		messages = append(messages, received{c.key.Reveal(), c.headers, c.body})
		want += c.taken + "\n"
	}
	return messages, want
}

func lower(h http.Header) map[string]string {
	all := map[string]string{}
	for name := range h {
		all[strings.ToLower(name)] = h.Get(name)
	}
	return all
}

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fenced is the one piece of code of a language.
func fenced(t *testing.T, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(page(t), "\n```"+language+"\n")
	code, _, closed := strings.Cut(rest, "\n```\n")
	if !found || !closed || strings.Contains(rest, "\n```"+language+"\n") {
		t.Fatalf("there is not one piece of %s", language)
	}
	return code + "\n"
}

func TestTheDocumentationNamesEveryEventAndItsTimetable(t *testing.T) {
	text := strings.Join(strings.Fields(page(t)), " ")
	for _, event := range append([]string{hook.Ping}, hook.Types...) {
		if !strings.Contains(text, "| `"+event+"` |") {
			t.Errorf("%s is missing", event)
		}
	}
	var waits []string
	for number := 1; number < hook.Attempts; number++ {
		wait := hook.Next(number, false, hook.Result{Status: 500}, 0.5).Wait
		waits = append(waits, strings.NewReplacer("0s", "", "h0m", " h", "m", " min", "5s", "5 s").Replace(wait.String()))
	}
	last := len(waits) - 1
	if said := "after " + strings.Join(waits[:last], ", ") + " and " + waits[last]; !strings.Contains(text, said) {
		t.Errorf("it does not say: %s", said)
	}
}

func TestTheMasksInTheDocumentationAreGood(t *testing.T) {
	_, section, _ := strings.Cut(page(t), "## Say what you want to have")
	section, _, _ = strings.Cut(section, "\n## ")
	checked := 0
	for line := range strings.Lines(section) {
		if mask, ok := strings.CutPrefix(line, "| `"); ok {
			mask, _, _ = strings.Cut(mask, "`")
			if err := hook.CheckFields(mask, hook.Types); err != nil {
				t.Errorf("%s: %v", mask, err)
			}
			checked++
		}
	}
	if checked < 3 {
		t.Errorf("only %d are there", checked)
	}
}
