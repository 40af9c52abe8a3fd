package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mooring/internal/store"
)

// A whole database comes from a file, and takes no flag of another import.
func TestAnImportOfAWholeDatabaseSaysWhatItCanNotTake(t *testing.T) {
	dir := t.TempDir()
	made, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(dir, "data")})
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
	file, into := filepath.Join(dir, "whole.export"), "--into-data="+filepath.Join(dir, "new")
	if code, _, errs := run(t, "export", "--data", filepath.Join(dir, "data"), "--out", file); code != exitDone {
		t.Fatal(errs)
	}
	for args, says := range map[string]string{
		os.DevNull:                           os.DevNull + " is no file, and an import reads more than once",
		"-":                                  "- is no file, and an import reads more than once",
		file + " --url=http://example.com":   "--url is for files of accounts",
		file + " --client=one --restart":     "--client is for files of accounts",
		file + " --format=jsonl":             "--format is for files of accounts",
		file + " --secret-file=none --hooks": "--secret-file is for files of accounts",
	} {
		if code, _, errs := run(t, append([]string{"import", into}, strings.Fields(args)...)...); code != exitFailed || !strings.Contains(errs, says) {
			t.Errorf("import %s: exit %d, %s", args, code, errs)
		}
	}
	t.Setenv("MOORING_URL", "http://example.com") // for other commands
	if code, _, errs := run(t, "import", into, file); code != exitDone {
		t.Errorf("exit %d, %s", code, errs)
	}
}
