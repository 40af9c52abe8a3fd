package mail

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"mooring/internal/secret"
)

const maxPassword = 1024

// ReadPassword reads the password of a relay's user from a file that nobody
// else may read and that has one line.
func ReadPassword(path string) (secret.Plain, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return secret.Plain{}, fmt.Errorf("can't read the password of the mail relay: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return secret.Plain{}, fmt.Errorf("%s can be read by others: chmod 600 it", path)
	case info.Mode()&fs.ModeType != 0 || info.Size() > maxPassword:
		return secret.Plain{}, fmt.Errorf("%s is no file with a password", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return secret.Plain{}, err
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" || strings.ContainsAny(password, "\r\n\x00") {
		return secret.Plain{}, fmt.Errorf("%s must have one line, the password", path)
	}
	return secret.NewPlain(password), nil
}
