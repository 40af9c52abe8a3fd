package stories

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mooring/test/drive"
)

// publishKeys serves the public key of an issuer that is not the server.
func publishKeys(ts *testscript.TestScript, s *story, _ []string) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	ts.Check(err)
	s.outside = private
	set := `{"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "outside", "x": "` + base64.RawURLEncoding.EncodeToString(public) + `"}]}`
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_, _ = w.Write([]byte(set)) // who asked sees what is missing
	}))
	ts.Defer(there.Close)
	ts.Setenv("jwks", there.URL+"/keys")
}

// assert makes a proof of the merchant's client.
func assert(ts *testscript.TestScript, s *story, args []string) {
	client := s.server.Clients()["merchant"].ID
	header := map[string]any{"alg": "EdDSA", "kid": "outside"}
	claims := map[string]any{
		"iss": client, "sub": client, "aud": s.server.BaseURL, "jti": rand.Text(), "exp": time.Now().Add(time.Minute).Unix(),
	}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		in := claims
		if name == "alg" || name == "kid" || name == "typ" {
			in = header
		}
		in[name] = value
		if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
			in[name] = time.Now().Unix() + seconds
		}
		if list, ok := strings.CutPrefix(value, "["); ok {
			in[name] = strings.Split(strings.TrimSuffix(list, "]"), ",")
		}
		if value == "" {
			delete(in, name)
		}
	}
	signed := part(ts, header) + "." + part(ts, claims)
	ts.Setenv(args[0], signed+"."+base64.RawURLEncoding.EncodeToString(ed25519.Sign(s.outside, []byte(signed))))
}

func part(ts *testscript.TestScript, members map[string]any) string {
	text, err := json.Marshal(members)
	ts.Check(err)
	return base64.RawURLEncoding.EncodeToString(text)
}

// await waits until the server has printed something.
func await(ts *testscript.TestScript, s *story, args []string) {
	text := only(ts, args)
	tick, late := time.NewTicker(10*time.Millisecond), time.After(drive.Patience)
	defer tick.Stop()
	for !strings.Contains(s.server.Log(), text) {
		select {
		case <-late:
			ts.Fatalf("the log is %s", s.server.Log())
		case <-tick.C:
		}
	}
}
