// Package hooktest helps tests of messages: it makes up what they tell. It must
// not be imported outside tests and the programs under test/.
package hooktest

import (
	"encoding/json"
	"math/rand/v2"
	"time"

	"mooring/internal/hook"
)

// Subscription is one that wants everything.
func Subscription() hook.Subscription {
	return hook.Subscription{
		Account: "T11200000", ID: "01990f29-0c11-7b3a-9d20-6f1f0f6f7b01", Kind: hook.KindHook,
		Target: "https://shop.example/hooks", Events: hook.Types, Active: true,
	}
}

// Entry is one of an account, with a body.
func Entry(kind, body string, at time.Time) hook.Entry {
	return hook.Entry{
		ID: "01990f29-0c11-7b3a-9d20-000000000007", Owner: "T11200000", Account: "T11200001", Type: kind, At: at, ToldAt: at,
		Body: []byte(body),
	}
}

// Members draws a JSON object with texts from all of Unicode, spelt in every
// way that JSON knows.
func Members(draw *rand.Rand) string {
	text := make([]rune, draw.IntN(40))
	odd := []rune("æøåÆØÅäöß€😀\u2028\u202e\ufeff\u0000'\"\\</>&")
	for i := range text {
		switch draw.IntN(4) {
		case 0:
			text[i] = rune(draw.IntN(0x80))
		case 1:
			text[i] = odd[draw.IntN(len(odd))]
		case 2:
			text[i] = rune(draw.IntN(0xd800))
		default:
			text[i] = rune(0xe000 + draw.IntN(0x110000-0xe000))
		}
	}
	quoted, _ := json.Marshal(string(text)) // with \u003c and the like; a string is never refused
	members := `"company":` + string(quoted) + `,"n":` + []string{"1e400", "-0.0", "12345678901234567890", "null"}[draw.IntN(4)]
	return `{"account":{` + members + `},"` + []string{"a", `\u00e6`, "日本", `\ud83d\ude00`}[draw.IntN(4)] + `":[ true ]}`
}
