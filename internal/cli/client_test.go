package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// done runs a command that must succeed and gives what it printed.
func done(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := run(t, args...)
	if code != exitDone || errs != "" {
		t.Fatalf("%v: exit %d, %s%s", args, code, out, errs)
	}
	return out
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestWhatCannotBeWrittenIsAFailure(t *testing.T) {
	startDev(t)
	var made clientView
	must(t, json.Unmarshal([]byte(done(t, "client", "create", "--account", "T112", "--name", "shop", "--json")), &made))
	for command, want := range map[string]string{
		"version":                         "no space left",
		"queue --help":                    "no space left",
		"queue":                           "could not be written",
		"queue count":                     "could not be written",
		"queue --json --limit 50":         "could not be written",
		"queue --csv":                     "no space left",
		"account list":                    "could not be written",
		"client list":                     "could not be written",
		"client show " + made.ID:          "no space left",
		"grant list":                      "could not be written",
		"client rotate " + made.ID:        "is lost (no space left on device); give it another: mooring client rotate --account T112 " + made.ID,
		"client rotate --json " + made.ID: "is lost (no space left on device); give it another: mooring client rotate --account T112 " + made.ID,
		"client create --name n":          "is lost (no space left on device); give it another: mooring client rotate --account T112 ",
		"client create --json":            "is lost (no space left on device); give it another: mooring client rotate --account T112 ",
		"provider list":                   "could not be written",
		"completion bash":                 "no space left",
	} {
		var errs bytes.Buffer
		args := strings.Fields(command)
		if args[0] == "client" || args[0] == "grant" {
			args = append(args, "--account", "T112")
		}
		if code := Run(t.Context(), args, Stdio{Out: fullDisk{}, Err: &errs}); code != exitFailed || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit %d, %s", command, code, errs.String())
		}
	}
}

func TestAClientIsHandledFromTheCommandLine(t *testing.T) {
	startDev(t)
	var made clientView
	must(t, json.Unmarshal([]byte(done(t, "client", "create", "--account", "T112", "--name", "web shop", "--scope", "read:accounts", "--json")), &made))
	if !strings.HasPrefix(made.Secret, "mooring_") || made.Name != "web shop" {
		t.Errorf("made %+v", made)
	}
	if out := done(t, "client", "list", "--account", "T112"); !strings.Contains(out, made.ID+"  web shop  enabled  1") || strings.Contains(out, made.Secret) {
		t.Errorf("list:\n%s", out)
	}
	if out := done(t, "client", "show", "--account", "T112", made.ID); !strings.Contains(out, "T11200000  read:accounts") {
		t.Errorf("show:\n%s", out)
	}
	if out := done(t, "client", "disable", "--account", "T112", made.ID); !strings.Contains(out, "disabled") {
		t.Errorf("disable:\n%s", out)
	}
	if out := done(t, "client", "enable", "--account", "T112", made.ID); !strings.Contains(out, "enabled") {
		t.Errorf("enable:\n%s", out)
	}
	if out := done(t, "client", "rotate", "--account", "T112", "--overlap", "1h", made.ID); !strings.Contains(out, "secret     mooring_") ||
		strings.Contains(out, made.Secret) || strings.Count(out, "secret of") != 2 {
		t.Errorf("rotate:\n%s", out)
	}
	var grant grantView
	must(t, json.Unmarshal([]byte(done(t, "grant", "add", "--account", "T112", "--for", "T11223351", "--scope", "read:accounts", "--json", made.ID)), &grant))
	if out := done(t, "grant", "list", "--account", "T112", "--of", made.ID, "--for", "T11223351"); !strings.Contains(out, grant.ID) || strings.Count(out, "\n") != 2 {
		t.Errorf("grants:\n%s", out)
	}
	if out := done(t, "grant", "remove", "--account", "T112", grant.ID); !strings.Contains(out, grant.ID) {
		t.Errorf("remove:\n%s", out)
	}
	if out := done(t, "client", "delete", "--account", "T112", made.ID); !strings.Contains(out, "deleted") {
		t.Errorf("delete:\n%s", out)
	}
	code, _, errs := run(t, "client", "show", "--account", "T112", made.ID)
	if code != exitFailed || !strings.Contains(errs, "there is no API client "+made.ID) {
		t.Errorf("exit %d: %s", code, errs)
	}
	if code, _, errs := run(t, "grant", "add", "--account", "T112", "--scope", "read:accounts", made.ID); code != exitFailed || strings.Count(errs, "\n") != 1 {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestClientsForManyAccountsAreMadeOnceAndTheirSecretsKept(t *testing.T) {
	startDev(t)
	dir := t.TempDir()
	secrets := filepath.Join(dir, "secrets.csv")
	partners := []string{"client", "create", "--for-each-partner", "--name", "integration", "--scope", "admin:accounts", "--secrets", secrets}
	if out := done(t, partners...); !strings.Contains(out, "T11200000  made") || !strings.Contains(out, "made 1, had one 0") {
		t.Errorf("first run:\n%s", out)
	}
	kept, err := os.ReadFile(secrets)
	must(t, err)
	if info, err := os.Stat(secrets); err != nil || info.Mode().Perm() != 0o600 || strings.Count(string(kept), "\n") != 2 {
		t.Errorf("%v %v %s", info.Mode(), err, kept)
	}
	row := strings.Split(strings.TrimSpace(strings.Split(string(kept), "\n")[1]), ",")

	// What it made works.
	one := filepath.Join(dir, "one")
	must(t, os.WriteFile(one, []byte(row[2]+"\n"), 0o600))
	if out := done(t, "client", "list", "--client", row[1], "--secret-file", one); !strings.Contains(out, row[1]) {
		t.Errorf("as the new client:\n%s", out)
	}

	// Again: nothing new, and nothing written. A grant that is missing is made.
	var grants []grantView
	for _, line := range strings.Split(strings.TrimSpace(done(t, "grant", "list", "--account", "T112", "--of", row[1], "--json")), "\n") {
		var g grantView
		must(t, json.Unmarshal([]byte(line), &g))
		grants = append(grants, g)
	}
	done(t, "grant", "remove", "--account", "T112", grants[0].ID)
	if out := done(t, partners...); !strings.Contains(out, "T11200000  has one") || !strings.Contains(out, "made 0, had one 1") {
		t.Errorf("second run:\n%s", out)
	}
	if out := done(t, "grant", "list", "--account", "T112", "--of", row[1]); !strings.Contains(out, "admin:accounts") {
		t.Errorf("the grant was not made again:\n%s", out)
	}
	if again, _ := os.ReadFile(secrets); string(again) != string(kept) {
		t.Errorf("the file has changed:\n%s", again)
	}

	// From a file, into a file whose last row broke off.
	from := filepath.Join(dir, "accounts.csv")
	must(t, os.WriteFile(from, []byte("name,account_id\r\n\"Havn, Kaffe\",T11223351\r\nBrygge,T11223352\r\nNobody,T99999999\r\n"), 0o600))
	must(t, os.WriteFile(secrets, append(kept, "T1122"...), 0o600))
	code, out, errs := run(t, "client", "create", "--from", from, "--name", "till", "--scope", "read:accounts", "--secrets", secrets)
	if code != exitFailed || !strings.Contains(out, "made 2, had one 0, secret elsewhere 0, failed 1") || !strings.Contains(errs, "1 account") {
		t.Errorf("exit %d:\n%s%s", code, out, errs)
	}
	other := filepath.Join(dir, "other.csv")
	if out := done(t, append(partners[:len(partners)-1:len(partners)-1], other)...); !strings.Contains(out, "mooring client rotate --account T11200000 "+row[1]) {
		t.Errorf("a secret that is elsewhere:\n%s", out)
	}
}

func TestAFileThatOthersMayReadTakesNoSecrets(t *testing.T) {
	startDev(t)
	dir := t.TempDir()
	open, foreign := filepath.Join(dir, "open.csv"), filepath.Join(dir, "foreign.csv")
	must(t, os.WriteFile(open, nil, 0o644))
	must(t, os.WriteFile(foreign, []byte("something else\n"), 0o600))
	for file, says := range map[string]string{open: "chmod 600", foreign: "is no file of secrets"} {
		code, _, errs := run(t, "client", "create", "--for-each-partner", "--name", "n", "--scope", "read:accounts", "--secrets", file)
		if code != exitFailed || !strings.Contains(errs, says) {
			t.Errorf("exit %d: %s", code, errs)
		}
	}
	if out := done(t, "client", "list", "--account", "T112"); strings.Count(out, "\n") != 2 {
		t.Errorf("a client was made whose secret is lost:\n%s", out)
	}
}

func TestFlagsForManyClientsThatDoNotGoTogetherAreAMistake(t *testing.T) {
	for _, args := range [][]string{
		{"--for-each-partner", "--name", "n", "--scope", "s"},
		{"--for-each-partner", "--name", "n", "--secrets", "f"},
		{"--for-each-partner", "--scope", "s", "--secrets", "f"},
		{"--for-each-partner", "--account", "T112", "--name", "n", "--scope", "s", "--secrets", "f"},
		{"--name", "n", "--secrets", "f"},
	} {
		if code, _, errs := run(t, append([]string{"client", "create"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
}
