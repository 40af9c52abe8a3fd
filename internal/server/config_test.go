package server

import (
	"testing"

	"mooring/internal/account"
)

func TestThePublicURLMustBeOneThatTokensCanSafelyCarry(t *testing.T) {
	for url, accepted := range map[string]bool{
		"https://connections.example.com":       true,
		"https://connections.example.com:8443":  true,
		"http://127.0.0.1:8080":                 true,
		"http://[::1]:8080":                     true,
		"http://localhost:8080":                 true,
		"http://connections.example.com":        false,
		"http://127.0.0.1.example.com":          false,
		"http://10.0.0.1":                       false,
		"ftp://connections.example.com":         false,
		"connections.example.com":               false,
		"https://":                              false,
		"https://connections.example.com/":      false,
		"https://connections.example.com/v1":    false,
		"https://connections.example.com?x=1":   false,
		"https://user:pass@connections.example": false,
		"https://connections.example.com#there": false,
		"https://connections.example.com?":      false,
		"https://connections.example.com#":      false,
		"https://Connections.example.com":       false,
		"HTTPS://connections.example.com":       false,
		" https://connections.example.com":      false,
		"%":                                     false,
		"":                                      false,
	} {
		if err := checkPublicURL(url); (err == nil) != accepted {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestAProcessServesItsWorldOnly(t *testing.T) {
	for worlds, serves := range map[Worlds]map[account.World]bool{
		ProductionOnly: {account.Production: true, account.Test: false},
		TestOnly:       {account.Production: false, account.Test: true},
		BothWorlds:     {account.Production: true, account.Test: true},
	} {
		for world, want := range serves {
			if got := worlds.Serves(world); got != want {
				t.Errorf("%s serves %c: %v", worlds, world, got)
			}
		}
	}
}
