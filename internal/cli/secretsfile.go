package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// secretsHead is the first line of a file of secrets.
const secretsHead = "account_id,client_id,client_secret\n"

// secretsFile is where the secrets of new clients are written down, once each.
// A row is on disk before the next client is made.
type secretsFile struct {
	file  *os.File
	known map[[2]string]bool // by account and client
}

// openSecrets opens a file that nobody else may read, or makes it.
func openSecrets(path string) (_ *secretsFile, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s holds secrets: it must be a file that only you can read; run chmod 600 %s", path, path)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	s := &secretsFile{file: file, known: map[[2]string]bool{}}
	switch begun := string(text); {
	case begun == "":
		err = s.write(secretsHead)
	case !strings.HasPrefix(begun, secretsHead):
		return nil, fmt.Errorf("%s is no file of secrets: its first line must be %s", path, strings.TrimSpace(secretsHead))
	case !strings.HasSuffix(begun, "\n"):
		err = s.write("\n") // a row that broke off stays one by itself, and counts as none
	}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(strings.TrimSuffix(line, "\n"), ","); len(cells) == 3 && strings.HasSuffix(line, "\n") {
			s.known[[2]string{cells[0], cells[1]}] = true
		}
	}
	return s, err
}

// has says whether the secret of a client was written down.
func (s *secretsFile) has(account, client string) bool { return s.known[[2]string{account, client}] }

// add writes a secret down.
func (s *secretsFile) add(account, client, secret string) error {
	for _, cell := range []string{account, client, secret} {
		if cell == "" || strings.ContainsAny(cell, ",\"\n\r") {
			return errors.New("the server's answer is no client")
		}
	}
	s.known[[2]string{account, client}] = true
	return s.write(account + "," + client + "," + secret + "\n")
}

func (s *secretsFile) write(text string) error {
	if _, err := s.file.WriteString(text); err != nil {
		return err
	}
	return s.file.Sync()
}

func (s *secretsFile) close() error { return s.file.Close() }
