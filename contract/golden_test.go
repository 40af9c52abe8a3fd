package contract_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/contract"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/providers"
)

var update = flag.Bool("update", false, "write the files in docs that are made from the contract")

// publishedURL is the base of the addresses in generated documents.
const publishedURL = "https://mooring.example.com"

// assemble is the whole contract, as the server executes it: the files beside
// this test and what follows from the provider files.
func assemble(t *testing.T) *gate.Document {
	t.Helper()
	catalogue, err := provider.Load(providers.FS)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := gate.Assemble(contract.FS, catalogue.Contract())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestThePublishedContractIsTheOneThatIsExecuted keeps docs/openapi.json, so
// that a change of the contract is seen in review as its users will see it.
func TestThePublishedContractIsTheOneThatIsExecuted(t *testing.T) {
	golden(t, "openapi.json", assemble(t).JSON(publishedURL))
}

// golden compares a generated document with the one that is kept, or writes
// it when asked to.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("..", "docs", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s is stale; run go test ./contract -update (-kept +generated):\n%.4000s", name, diff)
	}
}
