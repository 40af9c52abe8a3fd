package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring/internal/auth"
)

// aToken is one that a key of nobody's server has signed.
func aToken(t *testing.T, change func(*auth.Claims)) string {
	t.Helper()
	key, err := auth.NewKey(auth.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := auth.NewKeyring([]*auth.Key{key}, auth.EdDSA, auth.NewAudiences("https://pay.example.com", false))
	if err != nil {
		t.Fatal(err)
	}
	claims := auth.Claims{
		Client: "6a2cf0f3-7f55-4a2a-9a50-51c5d1a2d0f1", Account: "T11223351", Actor: "T11200000", Scopes: auth.Scopes{"read:accounts"}, ID: "1",
		IssuedAt: time.Now().Truncate(time.Second), ExpiresAt: time.Now().Add(time.Hour).Truncate(time.Second),
	}
	if change != nil {
		change(&claims)
	}
	token, err := ring.Sign(t.Context(), claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestATokenIsExplainedWithoutItsSignature(t *testing.T) {
	t.Setenv("MOORING_CACHE_DIR", t.TempDir())
	good := aToken(t, nil)
	header, rest, _ := strings.Cut(good, ".")
	for name, c := range map[string]struct {
		token string
		args  []string
		says  []string
	}{
		"whose it is":    {good, nil, []string{"access token", "T11223351", "6a2cf0f3-7f55-4a2a-9a50-51c5d1a2d0f1", "T11200000", "read:accounts", "no server was asked"}},
		"with a scheme":  {"Bearer " + good + "\n", nil, []string{"access token"}},
		"another server": {good, []string{"--url", "https://other.example.com", "--client", "x"}, []string{"refused", "its issuer is not https://other.example.com"}},
		"two parts":      {header + ".x", nil, []string{"it has 2 parts"}},
		"no JSON":        {"!" + "." + rest, nil, []string{"its header can't be read"}},
		"expired": {aToken(t, func(c *auth.Claims) {
			c.IssuedAt, c.ExpiresAt = c.IssuedAt.Add(-2*time.Hour), c.ExpiresAt.Add(-2*time.Hour)
		}), nil, []string{"refused", "it has expired"}},
		"of the future": {aToken(t, func(c *auth.Claims) {
			c.IssuedAt, c.ExpiresAt = c.IssuedAt.Add(2*time.Hour), c.ExpiresAt.Add(2*time.Hour)
		}), nil, []string{"it was issued in the future"}},
	} {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(c.token), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, problems strings.Builder
		code := Run(context.Background(), append([]string{"token", "--decode", file}, c.args...), Stdio{Out: &out, Err: &problems})
		if code != exitDone {
			t.Errorf("%s: ended with %d: %s", name, code, problems.String())
		}
		for _, want := range c.says {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: does not say %q:\n%s", name, want, out.String())
			}
		}
		if parts := strings.Split(strings.TrimSpace(c.token), "."); len(parts) == 3 && strings.Contains(out.String(), parts[2]) {
			t.Errorf("%s: prints the signature", name)
		}
	}
}
