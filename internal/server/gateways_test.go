package server_test

import (
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mooring/internal/auth"
	"mooring/internal/server"
)

func TestGatewaysWhereNoProductionIsServedAreWarnedOf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600); err != nil {
		t.Fatal(err)
	}
	for worlds, warned := range map[server.Worlds]bool{server.TestOnly: true, server.BothWorlds: false} {
		said := make(warnings, 100)
		startDev(t, auth.EdDSA, func(c *server.Config) {
			c.Worlds, c.GatewaySecretFile = worlds, file
			c.Gateways = map[string]string{"vipps": "https://gateways.example.com/vipps"}
			c.Log = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelWarn}))
		})
		got := false
		for len(said) > 0 {
			got = strings.Contains(<-said, "gateways are for production accounts") || got
		}
		if got != warned {
			t.Errorf("%s: warned is %v", worlds, got)
		}
	}
}

// warnings are the first lines of a log.
type warnings chan string

func (w warnings) Write(line []byte) (int, error) {
	select {
	case w <- string(line):
	default:
	}
	return len(line), nil
}
