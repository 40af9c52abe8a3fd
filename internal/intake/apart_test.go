package intake_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/intake"
)

func TestItemsAreTakenOutWhateverIsWrongInside(t *testing.T) {
	for body, want := range map[string][]string{
		`{"rows":[{"a":1},{"a":2}]}`: {`{"a":1}`, `{"a":2}`},
		` { "dry_run" : true , "rows" : [ {"a":"],}\"" } , 5 ,null] , "more":{"rows":[1]} } `: {`{"a":"],}\"" }`, `5`, `null`},
		`{"r\u006fws":[1]}`: {`1`},
		`{"rows":[` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `,{}]}`: {strings.Repeat("[", 20000) + strings.Repeat("]", 20000), `{}`},
		"{\"rows\":[{\"\xff\":\"\\ud800\",\"a\":1e999,\"a\":01},{}]}":                   {"{\"\xff\":\"\\ud800\",\"a\":1e999,\"a\":01}", `{}`},
		`{"rows":[{} {}]}`:       {`{} {}`},
		`{"rows":[]}`:            nil,
		`{"rows":5}`:             nil,
		`{"other":{"rows":[1]}}`: nil,
		`[]`:                     nil,
		``:                       nil,
	} {
		frame, items := intake.Apart([]byte(body), "rows")
		var got []string
		for _, item := range items {
			got = append(got, string(item))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%.80s: %s", body, diff)
		}
		var left struct{ Rows []struct{} }
		if want != nil && (json.Unmarshal(frame, &left) != nil || len(left.Rows) != len(want)) {
			t.Errorf("%.80s leaves %.80s", body, frame)
		}
	}
}

func TestATextWhoseItemsCanNotBeToldApartIsNoJSONAfterwardsEither(t *testing.T) {
	for _, body := range []string{
		`{"rows":[{},]}`, `{"rows":[,{}]}`, `{"rows":[{}`, `{"rows":[{}}`, `{"rows":["]}`, `{"rows":[1:2]}`, `{"rows":[1]}]`, `{"rows":[1],}`,
		`{"rows" [1]}`, `{rows:[1]}`, `{"a":1 "rows":[1]}`, `{"rows":[{]}`, `{"rows":[1\`, `{"rows":["\`,
	} {
		if frame, _ := intake.Apart([]byte(body), "rows"); json.Valid(frame) {
			t.Errorf("%s leaves %s", body, frame)
		}
	}
}

// Whatever is JSON is taken apart as JSON says.
func FuzzApart(f *testing.F) {
	for _, seed := range []string{`{"rows":[{"a":[1,"]"]},"\\",-1.5e3,null]}`, `{"a":{"rows":[1]},"rows":[[],{}]}`, `{"rows":[ ] }`, `{"rows":[1],"rows":[2]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		frame, items := intake.Apart([]byte(body), "rows")
		var whole map[string]json.RawMessage
		if json.Unmarshal([]byte(body), &whole) != nil || strings.Count(body, "rows")+strings.Count(body, `\u`) > 1 {
			return
		}
		if !json.Valid(frame) {
			t.Fatalf("%q leaves %q", body, frame)
		}
		var want []json.RawMessage
		_ = json.Unmarshal(whole["rows"], &want)
		if len(want) != len(items) {
			t.Fatalf("%q has %d items, not %d", body, len(want), len(items))
		}
		for i := range want {
			if string(want[i]) != string(items[i]) {
				t.Errorf("%q has %q, not %q", body, want[i], items[i])
			}
		}
	})
}
