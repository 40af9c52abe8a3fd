package provider_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mooring/internal/provider"
)

var update = flag.Bool("update", false, "write docs/reasons.md anew")

func TestReasonsSayWhoMustActAndWhatIsNext(t *testing.T) {
	code := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, r := range provider.Reasons() {
		if seen[r.Code] || !code.MatchString(r.Code) || len(r.Code) > 64 {
			t.Errorf("%q is no new code", r.Code)
		}
		seen[r.Code] = true
		if !slices.Contains([]string{"", "merchant", "partner", "provider", "operator"}, r.Turn) {
			t.Errorf("%s: it is the turn of %q", r.Code, r.Turn)
		}
		for _, text := range []map[string]string{r.Meaning, r.Next} {
			if len(text) != 1 || !strings.HasSuffix(text["en"], ".") {
				t.Errorf("%s: %q is no sentence", r.Code, text["en"])
			}
		}
		if found, ok := provider.ReasonOf(r.Code); !ok || found.Code != r.Code {
			t.Errorf("%s is not found", r.Code)
		}
	}
	if len(seen) < 25 || len(seen) > 40 {
		t.Errorf("there are %d codes", len(seen))
	}
	if _, ok := provider.ReasonOf("other"); ok {
		t.Error("a code that does not exist is found")
	}
}

func TestTheContractNamesTheReasons(t *testing.T) {
	schemas := acme(t).Contract()["components"].(map[string]any)["schemas"].(map[string]any)
	var want []any
	for _, r := range provider.Reasons() {
		want = append(want, r.Code)
	}
	if got := schemas["ReasonCode"].(map[string]any)["enum"].([]any); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestTheReasonsAreDocumented(t *testing.T) {
	var page bytes.Buffer
	page.WriteString(reasonsHead)
	for _, r := range provider.Reasons() {
		turn, again := r.Turn, "no"
		if turn == "" {
			turn = "nobody"
		}
		if r.Retryable {
			again = "yes"
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s | %s |\n", r.Code, r.Meaning["en"], turn, again, r.Next["en"])
	}
	const name = "../../docs/reasons.md"
	if *update {
		if err := os.WriteFile(name, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, page.Bytes()) {
		t.Errorf("%s is not what the codes say; write it anew with go test ./internal/provider -update", name)
	}
}

const reasonsHead = `# Reasons

Why a connection stands where it does, in one list of codes for all providers. A code stands in the member ` + "`code`" + ` of an event;
what the provider itself called it stands beside it, in ` + "`provider_code`" + `, as it came. "Again" says whether a new signup may
succeed. Codes are never renamed and never taken away. This page is made from ` + "`internal/provider/reasons.yaml`" + `.

| code | what it means | whose turn | again | what to do |
| --- | --- | --- | --- | --- |
`
