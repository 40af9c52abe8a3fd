package provider_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mooring/internal/provider"
)

// TestSignupKeysAreEqualExactlyWhenTheSignupsAre draws two signups out of
// texts that are easily confused and compares their keys with the meaning:
// each member of the key present in both or in none, and equal, a UUID but for
// case.
func TestSignupKeysAreEqualExactlyWhenTheSignupsAre(t *testing.T) {
	key := []string{"case_id", "store_id"}
	p := &provider.Provider{Signup: provider.Signup{Many: true, Key: key, UUIDs: key[:1]}}
	texts := rapid.OneOf(
		rapid.StringOfN(rapid.SampledFrom([]rune{'a', 'A', ',', '"'}), 0, 3, -1),
		rapid.StringOfN(rapid.SampledFrom([]rune{',', '\\'}), 0, 3, -1),
		rapid.SampledFrom([]string{
			"", "null", `"`, `","`, `",null,"`, "a", "A", "a,b", "\x00", "\\u0041", "ß", "ẞ", "ss", "k", "K", "\u212a", "ſ", "s", "σ", "ς", "é", "e\u0301", "İ", "i̇",
		}),
		rapid.String(),
	)
	signups := rapid.Custom(func(t *rapid.T) map[string]any {
		signup := map[string]any{"other": rapid.SampledFrom([]string{"x", "y"}).Draw(t, "other")}
		for _, name := range key {
			if rapid.Bool().Draw(t, "has "+name) {
				signup[name] = texts.Draw(t, name)
			}
		}
		return signup
	})
	same := func(a, b map[string]any) bool {
		for _, name := range key {
			x, inA := a[name].(string)
			y, inB := b[name].(string)
			if name == "case_id" {
				x, y = strings.ToLower(x), strings.ToLower(y)
			}
			if inA != inB || x != y {
				return false
			}
		}
		return true
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := signups.Draw(t, "a"), signups.Draw(t, "b")
		if rapid.Bool().Draw(t, "shifted") {
			b = shifted(t, a)
		}
		x, y := p.SignupKey(provider.Spelt(a)), p.SignupKey(provider.Spelt(b))
		if (x == y) != same(a, b) {
			t.Fatalf("%v has the key %s, %v has %s", a, x, b, y)
		}
	})
}

// shifted is a signup whose key reads the same when its parts are put together
// with commas, but may have its border elsewhere.
func shifted(t *rapid.T, signup map[string]any) map[string]any {
	first, _ := signup["case_id"].(string)
	second, _ := signup["store_id"].(string)
	parts := strings.Split(first+","+second, ",")
	border := rapid.IntRange(1, len(parts)-1).Draw(t, "border")
	return map[string]any{
		"case_id":  strings.Join(parts[:border], ","),
		"store_id": strings.Join(parts[border:], ","),
	}
}

func TestNullInASignupKeyIsLikeAnAbsentMember(t *testing.T) {
	p := &provider.Provider{Signup: provider.Signup{Many: true, Key: []string{"case_id", "store_id"}}}
	for data, want := range map[string]string{
		`{"case_id":"a"}`:                     `["a",null]`,
		`{"case_id":"a","store_id":null}`:     `["a",null]`,
		`{"case_id":"a","store_id":"null"}`:   `["a","null"]`,
		`{"case_id":"a\"b","store_id":"[\\"}`: `["a\"b","[\\"]`,
		`{}`:                                  `[null,null]`,
	} {
		if got := p.SignupKey([]byte(data)); got != want {
			t.Errorf("%s has the key %s", data, got)
		}
	}
}
