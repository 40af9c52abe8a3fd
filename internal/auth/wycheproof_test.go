package auth

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
)

// vectors are cases that nobody here has thought up.
type vectors struct {
	TestGroups []struct {
		Comment         string
		Public, Private json.RawMessage // a key, or a set of keys
		Tests           []struct {
			TCID    int
			Comment string
			JWS     any // a text, or an object in the JSON serialisation, which we don't take
			Result  string
			Flags   []string
		}
	}
}

func wycheproofFile(t *testing.T, name string) vectors {
	t.Helper()
	file, err := wycheproof.TestVectors.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var v vectors
	if err := json.NewDecoder(file).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// isSet says whether a JWK is a set of them.
func isSet(key json.RawMessage) bool {
	var set struct{ Keys []json.RawMessage }
	return json.Unmarshal(key, &set) == nil && set.Keys != nil
}

// TestOutsideKeysVerifyWhatWycheproofSays holds keys of others against the JWS
// and JWK vectors: what is invalid is refused, and what is valid is taken, if
// it is signed by an algorithm that we take with a key that is public.
func TestOutsideKeysVerifyWhatWycheproofSays(t *testing.T) {
	for name, want := range map[string]struct{ taken, refused int }{
		"json_web_signature_test.json": {taken: 10, refused: 350},
		"json_web_key_test.json":       {taken: 0, refused: 21},
		"json_web_crypto_test.json":    {taken: 2, refused: 40},
	} {
		taken, refused := 0, 0
		for _, group := range wycheproofFile(t, name).TestGroups {
			key := group.Public
			if key == nil {
				key = group.Private // symmetric, which nobody may publish
			}
			set := key
			if !isSet(key) {
				set = slices.Concat([]byte(`{"keys":[`), key, []byte(`]}`))
			}
			keys, unread := ParseOutsideKeys(set)
			for _, test := range group.Tests {
				token, compact := test.JWS.(string)
				if !compact {
					continue // encryption, or the JSON serialisation
				}
				payload, _, err := keys.open(token)
				good := unread == nil && err == nil
				ours := strings.Contains(headerOf(token), `"RS256"`) || strings.Contains(headerOf(token), `"PS256"`) ||
					strings.Contains(headerOf(token), `"ES256"`)
				switch {
				case good && test.Result == "invalid":
					t.Errorf("%s %d (%s, %s): accepted, with payload %q", name, test.TCID, group.Comment, test.Comment, payload)
				case !good && test.Result == "valid" && ours && group.Public != nil && keys.Len() > 0:
					t.Errorf("%s %d (%s, %s): refused: %v", name, test.TCID, group.Comment, test.Comment, err)
				case good:
					taken++
				default:
					refused++
				}
			}
		}
		t.Logf("%s: %d taken, %d refused", name, taken, refused)
		if taken < want.taken || refused < want.refused {
			t.Errorf("%s: only %d were taken and %d refused", name, taken, refused)
		}
	}
}

// TestNoTokenOfWycheproofIsOurs: the keyring takes none of them, not even what
// is signed well.
func TestNoTokenOfWycheproofIsOurs(t *testing.T) {
	ring := testRing(t, RS256)
	for _, name := range []string{"json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json"} {
		for _, group := range wycheproofFile(t, name).TestGroups {
			for _, test := range group.Tests {
				token, _ := test.JWS.(string)
				_, access := ring.Verify(token, testNow)
				_, callback := ring.VerifyCallback(token, testNow)
				_, exchange := ring.VerifyExchange(token, testNow)
				if access == nil || callback == nil || exchange == nil {
					t.Errorf("%s %d: accepted", name, test.TCID)
				}
			}
		}
	}
}

func headerOf(token string) string {
	header, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		return ""
	}
	return string(text)
}
