package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mooring/internal/secret"
)

func begin(t *testing.T, path string) *secret.Rotation {
	t.Helper()
	r, err := secret.Rotate(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func seal(t *testing.T, s *secret.Sealer) []byte {
	t.Helper()
	sealed, err := s.Seal([]byte("value"), "place")
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func opens(s *secret.Sealer, sealed []byte) bool {
	plain, err := s.Open(sealed, "place")
	return err == nil && string(plain) == "value"
}

func TestARotationGoesOnWhereItStopped(t *testing.T) {
	running := newSealer(t)
	path := running.KeyFile()
	old := seal(t, running)
	r := begin(t, path)

	// A key that waits seals nothing yet, and a second one is not made.
	for _, added := range []bool{true, false} {
		if got, err := r.Prepare(); err != nil || got != added {
			t.Fatalf("%v, %v", got, err)
		}
	}
	prepared, err := secret.OpenKeyFile(path)
	if err != nil || !prepared.Current(old) || !opens(prepared, old) {
		t.Fatal(err, "or the key that waits seals already")
	}

	// Once it seals, both open; doing so twice is doing so once.
	for range 2 {
		if err := r.Promote(); err != nil {
			t.Fatal(err)
		}
	}
	promoted, err := secret.OpenKeyFile(path)
	if err != nil || promoted.Current(old) || !opens(promoted, old) {
		t.Fatal(err, "or the old key seals still")
	}
	fresh := seal(t, promoted)
	if !promoted.Current(fresh) {
		t.Error("what was just sealed is not current")
	}

	// Whoever runs through it learns of the new key from what does not open.
	if !opens(running, fresh) || !running.Current(seal(t, running)) {
		t.Error("a running process did not follow")
	}

	for range 2 {
		if err := r.Drop(); err != nil {
			t.Fatal(err)
		}
	}
	dropped, err := secret.OpenKeyFile(path)
	if err != nil || !opens(dropped, fresh) || opens(dropped, old) {
		t.Fatal(err, "or the old key is still there")
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestARunningProcessSealsWithTheNewKeyOnceItRefreshes(t *testing.T) {
	running := newSealer(t)
	if err := running.Refresh(); err != nil {
		t.Fatal(err)
	}
	old := seal(t, running)
	r := begin(t, running.KeyFile())
	if err := r.Promote(); err != nil {
		t.Fatal(err)
	}
	if err := running.Refresh(); err != nil || running.Current(old) || !opens(running, old) {
		t.Error(err, "or it did not follow")
	}
	if err := r.Drop(); err != nil {
		t.Fatal(err)
	}
	if err := running.Refresh(); err != nil || opens(running, old) {
		t.Error(err, "or it did not follow to the end")
	}
}

func TestARunningProcessRefusesAKeyFileThatIsAnother(t *testing.T) {
	running := newSealer(t)
	sealed := seal(t, running)
	other, err := os.ReadFile(newSealer(t).KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(running.KeyFile()+"2", other, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(running.KeyFile()+"2", running.KeyFile()); err != nil {
		t.Fatal(err)
	}
	checkSentence(t, running.Refresh(), running.KeyFile())
	if !opens(running, sealed) || !running.Current(seal(t, running)) {
		t.Error("it took the other keys")
	}
	if err := os.Remove(running.KeyFile()); err != nil {
		t.Fatal(err)
	}
	checkSentence(t, running.Refresh(), running.KeyFile())
	if !opens(running, sealed) {
		t.Error("it forgot its keys")
	}
}

func TestOnlyOneRotationRunsAtATime(t *testing.T) {
	path := newSealer(t).KeyFile()
	first := begin(t, path)
	_, err := secret.Rotate(path)
	checkSentence(t, err, path)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	begin(t, path)
}

func TestARotationFollowsALinkAndSurvivesWhatAKillLeft(t *testing.T) {
	sealer := newSealer(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(sealer.KeyFile(), link); err != nil {
		t.Fatal(err)
	}
	left := sealer.KeyFile() + ".new"
	if err := os.WriteFile(left, []byte("half a ke"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, link).Promote(); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(link); err != nil || target != sealer.KeyFile() {
		t.Error("the link was replaced", err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := secret.OpenKeyFile(link); err != nil {
		t.Error(err)
	}
}

func TestARotationRefusesAMissingOrDamagedKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	_, err := secret.Rotate(path)
	checkSentence(t, err, path)
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 300)), 0o600); err != nil {
		t.Fatal(err)
	}
	checkSentence(t, begin(t, path).Promote(), path)
}
