package hook_test

import (
	"strings"
	"testing"

	"mooring/internal/hook"
	"mooring/internal/secret"
)

const aConnection = `{"connection":{"connection":"vipps","status":"enabled","turn":"","updated_at":"2026-05-12T09:30:00Z",` +
	`"before":{"status":"pending","turn":"provider"}},"connection_event":{"status":"enabled","event":"enabled",` +
	`"id":"01990f29-0c11-7b3a-9d20-000000000007","created_at":"2026-05-12T09:30:00Z","created_by":"8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10",` +
	`"metadata":{"order":"17"},"seq":4,"effect":"applied"}}`

// BenchmarkMessage is what an attempt costs before it leaves: the body and all
// of its headers.
func BenchmarkMessage(b *testing.B) {
	private, _ := hook.NewPair()
	signed := hook.Secrets{Contract: secret.NewPlain("a key of the subscriber"), Standard: []secret.Plain{hook.NewStandard()}}
	rotating, both := signed, signed
	rotating.Standard = append([]secret.Plain{hook.NewStandard()}, signed.Standard...)
	both.Asymmetric = []secret.Plain{private}
	large := `{"account":{"company":{"business_name":"` + strings.Repeat("Havn Kaffe AS ", 1200) + `"}}}`
	for _, c := range []struct {
		name, body, fields string
		secrets            hook.Secrets
	}{
		{"plain", aConnection, "", signed},
		{"rotating", aConnection, "", rotating},
		{"v1a", aConnection, "", both},
		{"masked", aConnection, "connection(status,turn),connection_event/seq", signed},
		{"16KiB", large, "", signed},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, e := subscription(), entry(hook.ConnectionUpdate, c.body)
			s.Settings.Fields = c.fields
			secrets := c.secrets.Ready()
			b.ReportAllocs()
			for b.Loop() {
				body, err := hook.Message(s, e)
				if err != nil {
					b.Fatal(err)
				}
				hook.Headers(s, secrets, e, body, noon)
			}
		})
	}
}
