package store

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/internal/connection"
)

// What tells of a person: in the signup, in its digest, in a field, in a key,
// in a call, and in an answer that was kept.
var canaries = map[string]string{
	"data": "canary-of-the-signup", "digest": "canary-of-the-digest", "field": "canary-of-the-field", "key": "canary-of-the-key",
	"body": "canary-of-the-body", "answer": "canary-of-the-answer",
}

// planted is a store with a person in it, some of it large enough for pages of
// its own, and the id of the signup.
func planted(t *testing.T, cfg Config) (*Store, string) {
	t.Helper()
	s := inhabit(t, openStore(t, cfg))
	own := ownKeyOf(t, s)
	var signup string
	large := strings.Repeat("x", 9_000)
	change := keyed(signing(merchant), "", "f")
	change.Key.Path = "/v1/accounts/T11223351/management/settings/connections/vipps"
	mustChange(t, s, also(change, func(_ Found, d *Decision) {
		made := &d.Connection.Signups[0]
		signup = made.ID
		made.Data, made.Digest = []byte(`{"name":"`+canaries["data"]+large+`"}`), []byte(canaries["digest"])
		key := keyOf(signup)
		key.Wrapped = []byte(canaries["key"])
		field := fieldOf(signup, "/ssn", 0, key)
		field.Sealed = []byte(canaries["field"])
		d.Keys, d.Fields = []DataKey{key}, []SealedField{field}
		d.Answer.Body = []byte(canaries["answer"] + large)
	}))
	r := receivedOf(signup, own, "said")
	r.Body = []byte(canaries["body"] + large)
	if err := s.Receive(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return s, signup
}

func erase(t *testing.T, s *Store, signup string) {
	t.Helper()
	mustChange(t, s, also(hearing(1, func(s *connection.Signup) { s.Data, s.Digest, s.ErasedAt = []byte(`{}`), nil, noon }),
		func(_ Found, d *Decision) { d.Erased = signup }))
}

// found lists which canaries the files of a directory hold.
func found(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var in []string
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for kind, canary := range canaries {
			if bytes.Contains(text, []byte(canary)) {
				in = append(in, kind+" in "+entry.Name())
			}
		}
	}
	slices.Sort(in)
	return in
}

// After an erasure the log is cut, and then no file holds what was erased.
func TestWhatWasErasedIsGoneFromTheFiles(t *testing.T) {
	cfg := newSQLite(t)
	s, signup := planted(t, cfg)
	cut(t, s)
	if in := found(t, cfg.DataDir); len(in) < len(canaries) {
		t.Fatalf("before the erasure the files hold only %v", in)
	}
	erase(t, s, signup)
	cut(t, s)
	if in := found(t, cfg.DataDir); in != nil {
		t.Errorf("after the erasure the files hold %v", in)
	}
}

// cut ends the log as the chores do.
func cut(t *testing.T, s *Store) {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	for log := (wal{kept: true}); log.kept; {
		var err error
		if log, err = checkpoint(context.Background(), s.engine.(*sqlite).side, "TRUNCATE"); err != nil || time.Now().After(end) {
			t.Fatalf("the log can't be cut: %v", err)
		}
	}
}

// Nobody has to ask for it: the chores cut the log once an older reader lets
// go of it.
func TestTheLogIsCutAfterAnErasure(t *testing.T) {
	cfg := newSQLite(t)
	s, signup := planted(t, cfg)
	reader, err := s.begin(context.Background(), s.read, s.engine.snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.load(context.Background(), epochPlain, func(row) error { return nil }); err != nil {
		t.Fatal(err)
	}
	erase(t, s, signup)
	if in := found(t, cfg.DataDir); in == nil {
		t.Error("the log was cut under a reader")
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(20 * time.Second)
	for found(t, cfg.DataDir) != nil {
		if time.Now().After(end) {
			t.Fatalf("the files still hold %v", found(t, cfg.DataDir))
		}
	}
}

// A reader that stays after an erasure, such as an export, keeps no writer from
// its work for longer than a moment.
func TestWritersGoOnWhileTheLogCannotBeCut(t *testing.T) {
	s, signup := planted(t, newSQLite(t))
	reader, err := s.begin(context.Background(), s.read, s.engine.snapshot())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { must(t, reader.Rollback()) }()
	if _, err := reader.exists(context.Background(), epochPlain); err != nil {
		t.Fatal(err)
	}
	erase(t, s, signup)
	for range 600 {
		mustChange(t, s, posting(enabled("more")))
	}
}

// A process that is killed between an erasure and the cut leaves the log as it
// is, and the next one cuts it.
func TestALogThatAKillLeftIsCutAtTheStart(t *testing.T) {
	s, signup := planted(t, newSQLite(t))
	s.stopChores()
	erase(t, s, signup)
	again := newSQLite(t)
	left := again.DataDir
	for _, name := range []string{databaseFile, databaseFile + "-wal"} {
		text, err := os.ReadFile(filepath.Join(s.engine.(*sqlite).dir, name))
		must(t, err)
		must(t, os.MkdirAll(left, 0o700))
		must(t, os.WriteFile(filepath.Join(left, name), text, 0o600))
	}
	if found(t, left) == nil {
		t.Fatal("the log was cut before the kill, so this shows nothing")
	}
	openStore(t, again)
	end := time.Now().Add(20 * time.Second)
	for found(t, left) != nil {
		if time.Now().After(end) {
			t.Fatalf("the files still hold %v", found(t, left))
		}
	}
}
