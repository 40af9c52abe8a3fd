package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"mooring/internal/secret"
)

// Key signs what is sent to gateways, as Standard Webhooks has it. During a
// change it has two secrets, and everything is signed with both.
type Key struct{ secrets []secret.Plain }

const (
	secretPrefix = "whsec_"
	secretMin    = 24 // bytes, as Standard Webhooks has it
	secretMax    = 64
	maxKeyFile   = 4096
)

var errKeyText = errors.New("each line must be a secret such as whsec_ and 24 to 64 random bytes in base64")

// OpenKeyFile reads a key from a file that nobody else may read: one secret a
// line, the one in use first.
func OpenKeyFile(path string) (Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Key{}, fmt.Errorf("can't read the secret of the gateways: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Key{}, fmt.Errorf("%s can be read by others: chmod 600 it", path)
	}
	if info.Mode()&fs.ModeType != 0 || info.Size() > maxKeyFile {
		return Key{}, fmt.Errorf("%s is no file with a few secrets", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Key{}, err
	}
	var k Key
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, secretPrefix))
		if err != nil || !strings.HasPrefix(line, secretPrefix) || len(raw) < secretMin || len(raw) > secretMax {
			return Key{}, fmt.Errorf("%s: %w", path, errKeyText)
		}
		k.secrets = append(k.secrets, secret.NewPlain(string(raw)))
	}
	if len(k.secrets) == 0 || len(k.secrets) > 2 {
		return Key{}, fmt.Errorf("%s must have one secret, or two during a change", path)
	}
	return k, nil
}

// Header is what goes with a body: its id, when it was sent, and signatures
// over both and the body.
func (k Key) Header(id string, at time.Time, body []byte) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(k.secrets))
	for i, s := range k.secrets {
		mac := hmac.New(sha256.New, []byte(s.Reveal()))
		mac.Write([]byte(id + "." + stamp + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return http.Header{
		"Content-Type":      {"application/json"},
		"Accept":            {"application/json"},
		"User-Agent":        {"Mooring"},
		"Webhook-Id":        {id},
		"Webhook-Timestamp": {stamp},
		"Webhook-Signature": {strings.Join(signatures, " ")},
	}
}
