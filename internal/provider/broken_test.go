package provider_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/provider"
)

// brokenFiles is what can be wrong with a file: one edit of a good one, and
// everything that is said about it.
var brokenFiles = map[string]struct{ old, new, want string }{
	// not the YAML that a provider file may be
	"a tab":              {"title: Acme", "\ttitle: Acme", `2:1: not YAML: found a tab character that violates indentation`},
	"two documents":      {"scenarios:", "---\nscenarios:", `1:1: a provider file is one YAML document, this one has more`},
	"a name twice":       {"title: Acme Pay", "title: Acme Pay\ntitle: Acme", `3:1: "title" stands here twice`},
	"an anchor":          {"[acme.card]\npartner", "&cards [acme.card]\npartner", `6:10: anchors and aliases are not allowed: write the value out`},
	"a merge key":        {"prefix: Acme", "prefix: Acme\n<<: {}", `5:1: the name of a member must be plain text`},
	"a tag":              {"prefix: Acme", "prefix: !!binary QWNtZQ==", `4:9: tags are not allowed: quote the value to make it text`},
	"a number beyond":    {"schema: 2", "schema: .inf", `5:9: the value is neither text nor a number, true, false or null that JSON has`},
	"too deeply nested":  {"signup: {}", "signup: {a: " + strings.Repeat("[", 80) + strings.Repeat("]", 80) + "}", `195:79: nested too deeply`},
	"bytes and no text":  {"Acme Pay", "Acme \xff", `1:1: not YAML: invalid leading UTF-8 octet`},
	"a colon in a value": {"about: Lets", "about: Note: lets", `3:1: not YAML: mapping values are not allowed in this context`},

	// not the members that a provider file may have
	"an unknown member":      {"prefix: Acme", "prefix: Acme\ncolour: red", `5:1: "colour" does not belong here`},
	"a missing member":       {"prefix: Acme\n", "", `1:1: "prefix" is missing`},
	"a slug with capitals":   {"slug: acme", "slug: Acme", `1:1: must be lower-case letters and digits, with single hyphens between, such as fjord-pay`},
	"a slug that is a path":  {"slug: acme", "slug: acme/x", `1:1: must be lower-case letters and digits, with single hyphens between, such as fjord-pay`},
	"a slug of another file": {"slug: acme", "slug: other", `1:1: the file of the provider other must be named other.yaml`},
	"an empty title":         {"title: Acme Pay", `title: ""`, `2:1: must have 1 or more characters`},
	"a title of two lines":   {"title: Acme Pay", `title: "Acme\nPay"`, `2:1: must be one line`},
	"an unknown method":      {"  post:\n", "  delete: {id: x, evidence: seed, summary: x}\n  post:\n", `13:3: "delete" does not belong here`},
	"no get": {
		"  get:\n    id: acme_get\n    evidence: inferred\n    summary: Read the Acme connection\n    sync: documented\n", "",
		`12:1: "get" is missing`,
	},
	"evidence that is none":         {"evidence: inferred\n    summary: Apply", "evidence: rumour\n    summary: Apply", `15:5: must be one of seed, documented-2026, documented-2021, inferred, extension`},
	"sync where nothing is read":    {"    deprecated:", "    sync: documented\n    deprecated:", `17:5: "sync" does not belong here`},
	"an operation without a name":   {"    id: acme_get\n", "", `18:3: "id" is missing`},
	"a model that does not exist":   {"model: many", "model: several", `30:3: must be one of many, single`},
	"an unknown generated member":   {"callback_at]", "finished_at]", `36:27: must be one of id, url, created_at, callback_at, expires_at`},
	"a version that is no number":   {"\n  1:\n", "\n  first:\n", `39:3: "first" does not belong here`},
	"a misspelt keyword":            {"maxLength: 8", "maxlength: 8", `52:48: "maxlength" does not belong here`},
	"a keyword we do without":       {"{type: string, minLength", "{type: string, oneOf: [], minLength", `52:34: "oneOf" does not belong here`},
	"a schema without a type":       {"name: {type: string, pattern", "name: {pattern", `61:15: "type" is missing`},
	"an unknown type":               {"case_id: {type: string, format", "case_id: {type: text, format", `51:19: must be one of object, array, string, number, integer, boolean`},
	"a request that is text":        {"  2:\n    request:\n      type: object", "  2:\n    request:\n      type: string", `48:7: must be object`},
	"a request without members":     {"      properties:\n        case_id: {type: string}\n        store_id: {type: string}\n", "", `40:5: "properties" is missing`},
	"a reference":                   {"case_id: {type: string, format: uuid}", `case_id: {$ref: "#/versions/1/request"}`, "51:9: \"type\" is missing\n51:19: \"$ref\" does not belong here"},
	"a simulated status":            {"      status: enabled\n      event", "      status: active\n      event", `133:7: must be one of pending, enabled, failed, declined`},
	"an event in capitals":          {"enrolled:\n", "ENROLLED:\n", `107:3: "ENROLLED" does not belong here`},
	"too few invalid examples":      {"    - summary: No case\n      signup: {}\n      wrong: /case_id\n", "", `193:3: must have 3 or more items`},
	"an example without its place":  {"      wrong: /owners/0/name\n", "", `200:7: "wrong" is missing`},
	"a format that nobody checks":   {"format: uuid", "format: iban", `51:33: must be one of date, date-time, email, uri, uuid`},
	"a secret that may not be one":  {"writeOnly: true}\n        keys", "writeOnly: false}\n        keys", `88:32: must be true`},
	"an alias twice":                {"[acme.card]\npartner", "[acme.card, acme.card]\npartner", `6:1: must not have the same item twice`},
	"a minimum that is a text":      {"minItems: 1", "minItems: one", `55:11: must be of type integer, not string`},
	"a path without its values":     {"  enum: [acme.card]\n", "", `8:1: "enum" is missing`},
	"a parameter that exists":       {"parameter: product", "parameter: aid", `9:3: the path has a parameter aid already`},
	"a prefix in small letters":     {"prefix: Acme", "prefix: acme", `4:1: must be a word of at most 32 letters and digits that begins with a capital letter, such as FjordPay`},
	"an alias that is the own slug": {"[acme.card]\npartner", "[acme]\npartner", `6:11: the name "acme" is taken by acme.yaml`},

	// well-formed, and wrong
	"no such version":            {"schema: 2", "schema: 3", `5:1: there is no version 3 in versions`},
	"a version that is not used": {"\n  1:\n", "\n  7:\n", `39:3: version 7 is newer than schema, which is 2`},
	"a required stranger":        {"  2:\n    request:\n      type: object\n      required: [case_id]", "  2:\n    request:\n      type: object\n      required: [case]", `49:18: "case" is required but not declared in properties`},
	"a pattern with look-ahead":  {`"^[A-Z]"`, `"^(?=A)[A-Z]"`, "61:36: not a pattern that RE2 can execute: error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
	"a pattern with back-reference": {
		`"^[A-Z]"`, `"^(A)\\1"`, "61:36: not a pattern that RE2 can execute: error parsing regexp: invalid escape sequence: `\\1`",
	},
	"a rule for another type":      {"share: {type: number, minimum", "share: {type: number, maxLength: 3, minimum", `62:37: maxLength says nothing about a value of type number`},
	"limits the wrong way round":   {"minLength: 1, maxLength: 8", "minLength: 9, maxLength: 8", `52:34: minLength is greater than maxLength`},
	"an array of anything":         {"{type: string, minLength: 1, maxLength: 8}", "{type: array}", `52:9: an array must say what its items are`},
	"many without a key":           {"  key: [case_id, store_id]\n", "", `29:1: the model many needs a key`},
	"a key that nobody sends":      {"key: [case_id, store_id]", "key: [case_id, shop]", "31:18: \"shop\" is not a member of the request in version 1\n31:18: \"shop\" is not a member of the request in version 2"},
	"a key that is a list":         {"key: [case_id, store_id]", "key: [owners]", "31:9: \"owners\" is not a member of the request in version 1\n31:9: \"owners\" is not a string in version 2"},
	"one signup with a key":        {"model: many", "model: single", "31:3: the model single has no key\n32:3: the model single has one signup, and no rule for several"},
	"a restart of many":            {"  get:\n", "  put: {id: acme_put, evidence: inferred, summary: Again}\n  get:\n", "18:3: a put restarts the one signup of the model single\n18:3: a signup with classed members can't be started again: it has to be sent again"},
	"a view without the request":   {"    data: data\n", "", `34:3: view.data says where the request's members go: it stands there exactly when there is a request`},
	"a member shown twice":         {"data: data", "data: created_at", `35:5: "created_at" is shown twice: as a generated member and as the request's members`},
	"a constant shown twice":       {"constants: {type: direct}", "constants: {created_at: now}", `37:17: "created_at" is shown twice: as a generated member and as a constant`},
	"a sent member shown twice":    {"data: data\n    members: [created_at, callback_at]\n    constants: {type: direct}", "data: inline\n    constants: {store_id: direct}", "44:9: \"store_id\" is shown already as a constant\n51:9: \"store_id\" is shown already as a constant"},
	"an unexplained signup":        {"  signup_received:\n", "  received:\n", `99:1: "signup_received" is missing: every signup records it`},
	"a schema against its example": {"examples: [60]", "examples: [60, 160]", `62:78: the schema refuses its own value: must be at most 100`},
	"a schema against its enum":    {"status: {type: string, enum: [on, off]", "status: {type: string, enum: [on, 1]", `87:43: the schema refuses its own value: must be of type string, not number`},
	"a good example that is bad":   {"[{name: Kari, share", "[{name: kari, share", `190:19: the example is refused: must match the pattern ^[A-Z]`},
	"an example of two mistakes":   {"{name: Kari, share: 60, email", "{share: -1, email", "190:18: the example is refused: \"name\" is missing\n190:19: the example is refused: must be at least 0"},
	"an undeclared example":        {"share: 60, email", "shares: 60, email", `190:31: the request does not declare this member`},
	"a bad example that is good":   {"signup: {case_id: case-17}", "signup: {case_id: 3c90c3cc-0d44-4b50-8888-8dd25736052a}", `197:7: the example is accepted`},
	"an example bad elsewhere":     {"wrong: /owners/0/name", "wrong: /owners", `202:7: what is wrong stands at "/owners/0/name"`},
	"an event out of nothing":      {"      event: enrolled\n", "      event: accepted\n", `134:7: "accepted" is not among the events`},
	"sync in other words":          {"    sync: documented\n", "    sync: true\n", `22:5: must be one of documented, extension`},
	"a simulated stranger":         {"      event: enrolled\n", "      event: enrolled\n      configuration: {status: on, secret: x, phase: x}\n", `135:46: the schema does not declare this member`},
	"a simulated contradiction":    {"      event: enrolled\n", "      event: enrolled\n      configuration: {status: maybe}\n", "135:7: the schema refuses it: \"secret\" is missing\n135:23: the schema refuses it: must be one of on, off"},

	// what is classed
	"a class of its own":           {`born: {type: string, format: date, class: identity}`, `born: {type: string, class: private}`, `64:36: must be one of secret, identity, financial, contact`},
	"an account number in figures": {`account: {type: string, pattern: "^[0-9]{11}$", class: financial}`, `account: {type: integer, class: financial}`, `65:34: only text can be masked: class the members, or use another class`},
	"a contact that is sealed":     {"class: contact}", "class: contact, writeOnly: true}", `63:68: a contact rests in clear and is shown: what must not be has another class`},
	"a class within a class":       {"        owners:\n          type: array\n", "        owners:\n          type: array\n          class: identity\n", "64:15: what this stands in is taken out whole already\n65:15: what this stands in is taken out whole already"},
	"items that are classed":       {"          items:\n            type: object\n            required: [name]\n", "          items:\n            type: object\n            class: identity\n            required: [name]\n", "57:11: an item can't be taken out of its list: class the list, or a member of its items\n57:11: what this stands in is taken out whole already\n64:15: what this stands in is taken out whole already\n65:15: what this stands in is taken out whole already"},
	"a whole that is classed":      {"    configuration:\n      type: object\n", "    configuration:\n      type: object\n      class: secret\n", "83:5: the whole can't be classed: class its members\n89:9: what this stands in is taken out whole already\n96:15: what this stands in is taken out whole already\n97:9: what this stands in is taken out whole already\n98:9: what this stands in is taken out whole already"},
	"a key that is classed":        {"store_id: {type: string, minLength", "store_id: {type: string, class: identity, minLength", `31:18: signups are told apart by "store_id", so it can't be classed, as in version 2`},
	"anything in a configuration":  {"    configuration:\n      type: object\n", "    configuration:\n      type: object\n      additionalProperties: true\n", `85:7: only the top of a request may have members that are not known`},
	"anything below a request":     {"            required: [name]\n", "            required: [name]\n            additionalProperties: true\n", `60:13: only the top of a request may have members that are not known`},

	// the callback
	"a callback without its body":           {"    callback:\n      type: object\n      required: [mode, apiSecret]\n", "    callbacks:\n      type: object\n      required: [mode, apiSecret]\n", `67:5: "callbacks" does not belong here`},
	"a callback that nobody makes":          {"  callback:\n    id: acme_callback_post\n    evidence: inferred\n    summary: Complete the Acme signup\n    success: 202\n    scopes: [\"write:accounts:/management/settings/connections/acme\"]\n", "", `12:1: a documented callback has four parts: operations.callback, callback, the callback of the version, and examples.callback`},
	"a success that is none":                {"success: 202", "success: 201", `27:5: must be one of 200, 202`},
	"a scope that is a path":                {`["write:accounts:/management/settings/connections/acme"]`, `["/management"]`, `28:14: must be a scope such as write:accounts:/management/settings/connections/fjordpay`},
	"a callback's unknown event":            {"  event: enrolled\n  status: enabled\n  map:", "  event: accepted\n  status: enabled\n  map:", `116:3: "accepted" is not among the events`},
	"a callback's other status":             {"  event: enrolled\n  status: enabled\n  map:", "  event: enrolled\n  status: failed\n  map:", `117:3: the event "enrolled" comes with the status enabled`},
	"a rename of nothing":                   {"    mode: status", "    state: status", `119:5: "state" is not a member of the callback`},
	"a rename to nothing":                   {"    mode: status", "    mode: state", `119:5: "state" is not a member of the configuration`},
	"a rename to another type":              {"    mode: status", "    mode: keys", "119:5: \"keys\" is filled from \"Keys\" already\n119:5: a value of type string can't stand where one of type array is"},
	"a rename out of the seal":              {"    apiSecret: secret", "    apiSecret: brand", `120:5: what is sealed in the one is in clear in the other`},
	"two renames to one":                    {"    p12: cert", "    p12: pass", `125:5: "pass" is filled from "p12" already`},
	"an item renamed from nothing":          {"{label: name, value: key}", "{title: name, value: key}", `123:15: "title" is not a member of the callback`},
	"an item renamed to nothing":            {"{label: name, value: key}", "{label: title, value: key}", `123:15: "title" is not a member of the configuration`},
	"an item out of the seal":               {"{label: name, value: key}", "{value: name, label: key}", `123:15: what is sealed in the one is in clear in the other`},
	"a rename without its end":              {"      to: keys\n", "", `121:5: "to" is missing`},
	"a kept stranger":                       {"keep: [brand]", "keep: [colour]", `126:10: "colour" is not a member of the request`},
	"a kept seal":                           {"keep: [brand]", "keep: [account]", `126:10: "account" is not a member of the configuration`},
	"a kept member with no room":            {"keep: [brand]", "keep: [case_id]", `126:10: "case_id" is not a member of the configuration`},
	"a certificate nowhere":                 {"{member: cert, passphrase: pass}", "{member: pem, passphrase: pass}", `128:6: "pem" is not a member of the configuration`},
	"a certificate that is a list":          {"{member: cert, passphrase: pass}", "{member: keys}", `128:6: "keys" is not text`},
	"a passphrase in clear":                 {"{member: cert, passphrase: pass}", "{member: cert, passphrase: brand}", `128:20: "brand" opens a certificate and is in clear`},
	"a good callback that is bad":           {"body: {mode: on, apiSecret: s3cr3t-of-acme, Keys", "body: {mode: no, apiSecret: s3cr3t-of-acme, Keys", `206:16: the schema refuses it: must be one of on, off`},
	"an undeclared callback":                {"Keys: [{label: one", "Extra: 1, Keys: [{label: one", `206:53: the schema does not declare this member`},
	"a bad callback that is good":           {"body: {mode: on, apiSecret: s}", "body: {mode: on, apiSecret: secret}", `214:9: the example is accepted`},
	"a callback bad elsewhere":              {"wrong: /apiSecret", "wrong: /mode/x", `216:9: what is wrong stands at "/apiSecret"`},
	"a callback that configures too little": {"    mode: status\n", "", `204:9: the configuration that it makes is refused at "/status": "status" is missing`},

	// events and reasons
	"an event without a meaning": {"    meaning:\n      en: Acme has taken the merchant on.\n", "", `107:3: "meaning" is missing`},
	"a meaning in no language":   {"nb: Søknaden er mottatt.", "norwegian_bokmal: Søknaden er mottatt.", `105:50: "norwegian_bokmal" does not belong here`},
	"a meaning without English":  {"{en: The application was received., nb:", "{nb:", `105:5: "en" is missing`},
	"a reason in capitals":       {"reason: under_review", "reason: UNDER_REVIEW", `104:5: must be a name of lower-case letters, digits and underscores that begins with a letter, such as contract_signed`},
	"a turn of nobody":           {"turn: provider", "turn: bank", `102:5: must be one of merchant, partner, provider, operator`},
	"a wait of no length":        {"wait: 2d", "wait: two days", `103:5: must be a number up to 9999 and m, h or d, such as 90m, 12h or 3d`},
	"a wait for nobody":          {"    turn: provider\n", "", `102:5: nobody waits when it is nobody's turn`},
	"a reason of its own":        {"reason: under_review", "reason: waiting", `104:5: "waiting" is not a reason code; docs/reasons.md lists them`},
	"a secret in a meaning":      {"Acme does not take the merchant on.", "Acme does not take 12345678903.", `111:3: everybody may read this, and it says what /account holds in an example`},
	"a secret in metadata":       {"https://acme.example/{signup.id}", "https://acme.example/?key=k3y-of-acme", `137:59: everybody may read this, and it says what /keys/0/key holds in an example`},

	// scenarios
	"no happy scenario":            {"  happy:\n    summary", "  sad:\n    summary", "129:1: \"happy\" is missing\n130:3: \"sad\" does not belong here"},
	"a scenario of its own":        {"  never_signs:\n", "  sometimes_signs:\n", `140:3: "sometimes_signs" does not belong here`},
	"a step of no call":            {"        failed: true", "        failed: true\n      - after: 4d", `156:9: a step makes one call: a callback or a report`},
	"a step of two calls":          {"        times: 2", "        times: 2\n        report: {status: enabled, event: enrolled}", `150:9: a step makes one call: a callback or a report`},
	"a step before the one above":  {"      - after: 3d\n        callback: {mode: off", "      - after: 3m\n        callback: {mode: off", `153:9: the step above this one comes later`},
	"a step at no time":            {"after: 30d", "after: 30 days", `145:9: must be a number up to 9999 and m, h or d, such as 90m, 12h or 3d`},
	"a call that is never made":    {"times: 2", "times: 0", `152:9: must be at least 1`},
	"an example beyond the last":   {"      - after: 1d\n        callback: {$example: 0}\n  never_signs", "      - after: 1d\n        callback: {$example: 1}\n  never_signs", `139:9: $example stands alone and is the number of a valid callback example, from 0`},
	"an example and more":          {"callback: {$example: 0}, lost", "callback: {$example: 0, mode: on}, lost", `159:21: $example stands alone and is the number of a valid callback example, from 0`},
	"a simulated bad callback":     {`{mode: on, apiSecret: "{signup:/case_id}"}`, `{mode: on, apiSecret: "{signup:/brand}", colour: red}`, `151:60: the schema does not declare this member`},
	"a callback without a value":   {`{mode: on, apiSecret: "{signup:/case_id}"}`, `{mode: on, apiSecret: "{signup:/missing}"}`, `151:30: the schema refuses it: must have 4 or more characters`},
	"a report of an unknown event": {"{status: declined, event: turned_down, code: link_expired}", "{status: declined, event: gone}", `146:36: "gone" is not among the events`},
	"a report of another status":   {"{status: declined, event: turned_down, code: link_expired}", "{status: failed, event: turned_down}", `146:18: the event "turned_down" comes with the status declined`},
	"a report of no reason":        {"code: link_expired", "code: too_late", `146:56: "too_late" is not a reason code; docs/reasons.md lists them`},
	"a report with more":           {"code: link_expired", "reason: link_expired", `146:56: no report is like this: "reason" does not belong here`},
	"a report at no time":          {"{signup+1h}", "{signup+1w}", `166:59: no report is like this: must be of the format date-time`},
	"a report that configures":     {"code: credit_declined,", "code: credit_declined, configuration: {status: on},", `171:79: the schema refuses it: "secret" is missing`},
	"a lost call nobody asks for":  {"    sync: documented\n", "", "131:5: nobody asks unless operations.get has sync\n158:46: nobody can ask for what was lost unless operations.get has sync"},
	"magic in a list":              {"member: /brand", "member: /owners", `173:3: /owners is not text in the request`},
	"magic nowhere":                {"member: /brand", "member: /owners/first/name", `173:3: /owners/first/name is not text in the request`},
	"magic that is too long":       {"AUTO_DECLINE: declined", "AUTO_DECLINE_WITH_MANY_WORDS: declined", `174:33: the request does not take this value: must have 16 or fewer characters`},
	"magic without a scenario":     {"AUTO_DECLINE: declined", "AUTO_DECLINE: refused", `174:33: must be one of happy, never_signs, link_expires, callback_twice, callback_lost, out_of_order, declined`},

	// batch
	"a separator of two":             {`separator: ";"`, `separator: ";;"`, `176:3: must be one of ,, ;, |, 	`},
	"a column twice":                 {"{name: CASE, from: /case_id}", "{name: REFERENCE, from: /case_id}", `177:50: there is a column REFERENCE already`},
	"a column of nothing":            {"from: /case_id", "from: /case", `177:62: /case is not in the request`},
	"a column of a list":             {"from: /case_id", "from: /owners", `177:62: a column has room for one value, and /owners holds several`},
	"a column of what we know":       {"from: account}", "from: partner}", `177:95: must be reference, account, or a JSON pointer into the request such as /store_id`},
	"no reference":                   {"{name: REFERENCE, from: reference}, ", "", `177:3: without a column from reference no answer can be matched`},
	"an outcome of an unknown event": {"OK: {status: enabled, event: enrolled}", "OK: {status: enabled, event: taken}", `183:29: "taken" is not among the events`},
	"an outcome of no reason":        {"reason: rejected_by_provider}", "reason: no}", `184:50: "no" is not a reason code; docs/reasons.md lists them`},

	// who takes signups
	"nobody takes signups":      {"  post:\n    id: acme_post\n    evidence: inferred\n    summary: Apply for Acme\n    deprecated: Deprecated since 2025-01-01.\n", "", `12:1: signups are taken by a post, or by a put with the role signup, and not by both`},
	"two take signups":          {"  get:\n", "  put: {id: acme_put, evidence: inferred, summary: Again, role: signup}\n  get:\n", `12:1: signups are taken by a post, or by a put with the role signup, and not by both`},
	"a whole body of a restart": {"  get:\n", "  put: {id: acme_put, evidence: inferred, summary: Again, body: whole}\n  get:\n", "18:3: a put restarts the one signup of the model single\n18:3: a signup with classed members can't be started again: it has to be sent again\n18:59: there is no request that could be the whole body"},
	"a rule for one":            {"model: many\n  key: [case_id, store_id]\n", "model: single\n", `31:3: the model single has one signup, and no rule for several`},
	"a rule that is none":       {"rule: any_enabled", "rule: all_enabled", `32:3: must be one of last_event, any_enabled`},
}

func TestABrokenFileIsRefusedWithPlaceAndReason(t *testing.T) {
	good := acmeText(t)
	for name, test := range brokenFiles {
		t.Run(name, func(t *testing.T) {
			if strings.Count(good, test.old) != 1 {
				t.Fatalf("%q stands %d times in the good file", test.old, strings.Count(good, test.old))
			}
			_, err := provider.Load(files("acme.yaml", strings.Replace(good, test.old, test.new, 1)))
			if err == nil {
				t.Fatal("the file was loaded")
			}
			if diff := cmp.Diff(test.want, strings.ReplaceAll(err.Error(), "acme.yaml:", "")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
