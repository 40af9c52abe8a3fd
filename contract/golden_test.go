package contract_test

import (
	"bytes"
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

var update = flag.Bool("update", false, "write the files that are made from the contract")

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

// What the program reads when it starts is what these files say.
func TestWhatIsPackedIsWhatTheFilesSay(t *testing.T) {
	fragments, err := gate.Read(contract.FS)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := provider.Pack(providers.FS)
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := provider.Unpack(theirs)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := fragments.Pack(catalogue.Contract())
	if err != nil {
		t.Fatal(err)
	}
	keep(t, "contract.packed", ours)
	keep(t, filepath.Join("..", "providers", "providers.packed"), theirs)

	read := assemble(t)
	unpacked := gate.Unpack(string(ours))
	whole, err := unpacked.Whole()
	if err != nil {
		t.Fatal(err)
	}
	again, err := unpacked.Assemble(catalogue.Contract())
	if err != nil {
		t.Fatal(err)
	}
	for how, doc := range map[string]*gate.Document{"as a whole": whole, "in parts": again} {
		if diff := cmp.Diff(read.Raw(), doc.Raw()); diff != "" {
			t.Errorf("what is unpacked %s differs (-read +unpacked):\n%.4000s", how, diff)
		}
	}
}

// keep compares what is made with the file that is kept, or writes it when
// asked to.
func keep(t *testing.T, file string, made []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, made, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, made) {
		t.Errorf("%s is stale; run go test ./contract -update", file)
	}
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
