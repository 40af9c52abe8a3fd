package secret_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/secret"
)

func newSealer(t *testing.T) *secret.Sealer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := secret.CreateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	sealer, err := secret.OpenKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

func TestAKeyFileIsForItsOwnerOnlyAndNeverOverwritten(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o277)) // even a strange umask must not matter
	path := filepath.Join(t.TempDir(), "key")
	if err := secret.CreateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("mode is %v, %v", info.Mode(), err)
	}
	before, _ := os.ReadFile(path)
	err = secret.CreateKeyFile(path)
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
	checkSentence(t, err, path)
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file was overwritten")
	}
}

func TestAKeyFileThatCannotBeMadeIsRefusedInOneSentence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "key")
	checkSentence(t, secret.CreateKeyFile(path), path)
}

func TestABadKeyFileIsRefusedInOneSentence(t *testing.T) {
	good, err := os.ReadFile(newSealer(t).KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	write := func(text []byte, mode fs.FileMode) func(string) error {
		return func(path string) error {
			return errors.Join(os.WriteFile(path, text, 0o600), os.Chmod(path, mode))
		}
	}
	for name, make := range map[string]func(path string) error{
		"missing":            func(string) error { return nil },
		"readable by group":  write(good, 0o640),
		"readable by all":    write(good, 0o604),
		"writable by all":    write(good, 0o602),
		"directory":          func(path string) error { return os.Mkdir(path, 0o700) },
		"pipe":               func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"empty":              write(nil, 0o600),
		"text":               write([]byte("hello"), 0o600),
		"empty object":       write([]byte("{}"), 0o600),
		"cut short":          write(good[:len(good)/2], 0o600),
		"doubled":            write(append(bytes.Clone(good), good...), 0o600),
		"other key type":     write(bytes.Replace(good, []byte("AesGcmKey"), []byte("HmacKey"), 1), 0o600),
		"key disabled":       write(bytes.Replace(good, []byte("ENABLED"), []byte("DISABLED"), 1), 0o600),
		"too long":           write(append(bytes.Clone(good), bytes.Repeat([]byte(" "), 1<<20)...), 0o600),
		"link to nothing":    func(path string) error { return os.Symlink(path+".gone", path) },
		"key cut to 0 bytes": write(bytes.Replace(good, []byte(`"value":"`), []byte(`"value":"","x":"`), 1), 0o600),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			if err := make(path); err != nil {
				t.Fatal(err)
			}
			sealer, err := secret.OpenKeyFile(path)
			if name == "too long" {
				// What follows the first 64 KiB of blanks is not read; it is the same key.
				if err != nil || sealer == nil {
					t.Fatalf("blanks after the key: %v", err)
				}
				return
			}
			if sealer != nil {
				t.Fatal("it was opened")
			}
			checkSentence(t, err, path)
		})
	}
}

// checkSentence wants one line that names the file, says what to do, and
// carries nothing of a key.
func checkSentence(t *testing.T, err error, path string) {
	t.Helper()
	if err == nil {
		t.Fatal("not refused")
	}
	text := err.Error()
	if !strings.Contains(text, path) || !strings.Contains(text, ": ") || strings.ContainsAny(text, "\n") || strings.Contains(text, "typeUrl") {
		t.Errorf("not a sentence with a remedy: %q", text)
	}
	if strings.Count(text, path) > 2 {
		t.Errorf("says the path too often: %q", text)
	}
}

func TestALinkedKeyFileIsFollowed(t *testing.T) {
	path := newSealer(t).KeyFile()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.OpenKeyFile(link); err != nil {
		t.Error(err)
	}
}

func TestSealedBytesOpenOnlyWhereTheyWereSealed(t *testing.T) {
	sealer := newSealer(t)
	first, err := sealer.Seal([]byte("first"), "account/T11223351/token")
	if err != nil {
		t.Fatal(err)
	}
	again, err := secret.OpenKeyFile(sealer.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	plain, err := again.Open(first, "account/T11223351/token")
	if err != nil || string(plain) != "first" {
		t.Fatalf("after a restart: %q, %v", plain, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"swapped to another account": func() ([]byte, error) { return sealer.Open(first, "account/T11223352/token") },
		"swapped to another field":   func() ([]byte, error) { return sealer.Open(first, "account/T11223351/key") },
		"without context":            func() ([]byte, error) { return sealer.Open(first, "") },
		"cut short":                  func() ([]byte, error) { return sealer.Open(first[:len(first)-1], "account/T11223351/token") },
		"nothing":                    func() ([]byte, error) { return sealer.Open(nil, "account/T11223351/token") },
		"under another key file":     func() ([]byte, error) { return newSealer(t).Open(first, "account/T11223351/token") },
	} {
		if plain, err := open(); plain != nil || !errors.Is(err, secret.ErrUnopened) {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
	for i := range first {
		bent := bytes.Clone(first)
		bent[i] ^= 1
		if _, err := sealer.Open(bent, "account/T11223351/token"); !errors.Is(err, secret.ErrUnopened) {
			t.Errorf("opens with byte %d bent: %v", i, err)
		}
	}
	if _, err := sealer.Seal([]byte("x"), ""); err == nil {
		t.Error("sealed without a context")
	}
	if same, _ := sealer.Seal([]byte("first"), "account/T11223351/token"); cmp.Equal(first, same) {
		t.Error("sealing twice gives the same bytes")
	}
}

func TestASealerShowsItsFileAndNotItsKey(t *testing.T) {
	sealer := newSealer(t)
	for _, format := range []string{"%v", "%+v", "%s"} {
		if out := fmt.Sprintf(format, sealer); out != "sealer of "+sealer.KeyFile() {
			t.Errorf("%s printed %q", format, out)
		}
	}
}

func FuzzKeyFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "key")
	if err := secret.CreateKeyFile(path); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{"", "{}", string(good), `{"primaryKeyId":1,"key":[{}]}`, `{"key":[null]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		sealer, err := secret.OpenKeyFile(path)
		if err != nil {
			checkSentence(t, err, path)
			return
		}
		sealed, err := sealer.Seal([]byte("text"), "context")
		if err != nil {
			t.Fatalf("opened, but does not seal: %v", err)
		}
		if plain, err := sealer.Open(sealed, "context"); err != nil || string(plain) != "text" {
			t.Fatalf("opened, but does not open: %q, %v", plain, err)
		}
	})
}
