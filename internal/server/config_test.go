package server

import (
	"net"
	"net/netip"
	"testing"
	"time"

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
		"https://connections.example.com:":      false,
		"https://connections.example.com:0":     false,
		"https://connections.example.com:99999": false,
		"https://connections.example.com:080":   false,
		"https://münchen.example":               false,
		"https://a_b.example":                   false,
		"https://-a.example":                    false,
		"HTTPS://connections.example.com":       false,
		" https://connections.example.com":      false,
		"%":                                     false,
		"":                                      false,
	} {
		if err := checkPublicURL(url, false); (err == nil) != accepted {
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

func TestAPublicURLWithoutTLSIsForTests(t *testing.T) {
	if err := checkPublicURL("http://mooring:8080", true); err != nil {
		t.Error(err)
	}
	if err := checkPublicURL("http://mooring:8080/", true); err == nil {
		t.Error("a path was accepted")
	}
}

func TestAnAddressOfAllInterfacesIsReachedAsThisMachine(t *testing.T) {
	for bound, want := range map[string]string{
		"0.0.0.0:8080": "http://127.0.0.1:8080", "[::]:8080": "http://127.0.0.1:8080",
		"127.0.0.1:9": "http://127.0.0.1:9", "[::1]:9": "http://[::1]:9",
	} {
		address := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(bound))
		if got := derivedURL(address); got != want {
			t.Errorf("%s is reached at %s, want %s", bound, got, want)
		}
	}
}

func TestSettingsThatAreNotSafeAreRefused(t *testing.T) {
	good := Config{PublicURL: "https://connections.example.com", DrainDelay: time.Second, LoginFailures: 1}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"a stop without end":    func(c *Config) { c.DrainDelay = time.Hour },
		"a negative delay":      func(c *Config) { c.DrainDelay = -1 },
		"no failed logins":      func(c *Config) { c.LoginFailures = 0 },
		"a public URL in clear": func(c *Config) { c.PublicURL = "http://connections.example.com" },
	} {
		c := good
		if spoil(&c); c.check() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
