package stories

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"mooring/internal/gate/gatetest"
	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

type storyKey struct{}

// story is the state of one story while it is told.
type story struct {
	seen     *coverage
	binary   string
	database string
	strict   *storetest.StrictProxy // before the database; nil when there is none
	faults   storetest.Faults       // that it has while the server runs
	dir      string

	args    []string // of the running server
	server  *drive.Server
	client  *drive.Client
	checker *gatetest.Checker

	contract []byte // as published

	outside ed25519.PrivateKey // of an issuer beside the server

	tokens     map[string]string // by name of the client
	token      string            // "" for nobody
	extra      []string          // headers of the next request
	answer     drive.Answer
	expected   bool // whether the answer was looked at
	remembered map[string]drive.Answer
}

// words are the commands of stories beside those of testscript.
var words = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"start": word(start), "restart": word(restart), "as": word(as), "token": word(useToken), "send": word(send),
	"GET": request("GET"), "HEAD": request("HEAD"), "POST": request("POST"), "PUT": request("PUT"),
	"DELETE": request("DELETE"), "PATCH": request("PATCH"), "OPTIONS": request("OPTIONS"), "TRACE": request("TRACE"),
	"expect": word(expect), "json": word(checkJSON), "problem": word(problem), "problems": word(problems),
	"visit": word(visit), "submit": word(submit), "unknown": word(unknown), "preflight": word(preflight),
	"header": word(header), "body": body, "keep": word(keep), "basic": word(basic), "write": word(write),
	"every": word(every), "remember": word(remember), "same-as": word(sameAs), "log": log,
	"publish-keys": word(publishKeys), "assert": word(assert), "await": word(await),
	"receiver": word(receiver), "until": word(until), "flood": word(flood),
}

// word makes a command of a function that has no use for "!".
func word(run func(*testscript.TestScript, *story, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this word takes no !")
		}
		run(ts, ts.Value(storyKey{}).(*story), args)
	}
}

func start(ts *testscript.TestScript, s *story, args []string) {
	if s.database != "" {
		args = append(args, "--database", s.database)
	}
	s.args = append(args, "--data", filepath.Join(s.dir, "data"))
	s.tokens, s.remembered, s.expected = map[string]string{}, map[string]drive.Answer{}, true
	s.sure()
	boot(ts, s, "127.0.0.1:0")
	s.unsure()
	ts.Defer(func() {
		s.server.Kill()
		if !s.expected {
			ts.Fatalf("the last request has no expect")
		}
	})
	name(ts, s)
	document, err := s.client.Do("GET", "/openapi.json", http.Header{}, nil)
	ts.Check(err)
	s.checker, err = s.seen.checker(bytes.ReplaceAll(document.Body, []byte(s.server.BaseURL), []byte("https://mooring.example.com")))
	ts.Check(err)
	s.contract = document.Body
	ts.Check(s.seen.contract(document.Body))
}

// restart stops the server politely and starts it again with the same data at
// the same address, so that the tokens that were issued stay good.
func restart(ts *testscript.TestScript, s *story, _ []string) {
	code, err := s.server.Stop()
	ts.Check(err)
	if code != 0 {
		ts.Fatalf("the server ended with %d\n%s", code, s.server.Log())
	}
	s.sure()
	boot(ts, s, strings.TrimPrefix(s.server.BaseURL, "http://"))
	s.unsure()
}

func boot(ts *testscript.TestScript, s *story, listen string) {
	var err error
	s.server, err = drive.Start(context.Background(), s.binary, append(s.args, "--listen", listen)...)
	ts.Check(err)
	s.client = drive.NewClient(s.server.BaseURL)
}

// name gives stories words for what the server started with.
func name(ts *testscript.TestScript, s *story) {
	account, partner := s.server.Account, s.server.PartnerAccount
	for name, value := range map[string]string{
		"account": account, "second": s.server.SecondAccount, "partner": partner,
		"owner": s.server.Owner, "platform": s.server.PlatformAccount, "base": s.server.BaseURL,
		"host":      strings.TrimPrefix(s.server.BaseURL, "http://"),
		"merchants": "/v1/accounts/" + account + "/management/settings/connections",
		"partners":  "/v1/accounts/" + partner + "/management/accounts",
	} {
		ts.Setenv(name, value)
	}
	for name, who := range s.server.Clients() {
		ts.Setenv(name+"_id", who.ID)
		ts.Setenv(name+"_secret", who.Secret)
		ts.Setenv(name+"_basic", drive.Basic(who))
		encoded := drive.Credentials{ID: percent(who.ID), Secret: percent(who.Secret)}
		ts.Setenv(name+"_percent_basic", drive.Basic(encoded))
	}
}

// percent spells every byte of s in percent-encoding, which RFC 6749 allows
// for a client's id and secret.
func percent(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func as(ts *testscript.TestScript, s *story, args []string) {
	name := only(ts, args)
	if name == "nobody" {
		s.token = ""
		return
	}
	who, ok := s.server.Clients()[name]
	if !ok {
		ts.Fatalf("nobody is called %s", name)
	}
	if s.tokens[name] == "" {
		token, err := s.login(who)
		ts.Check(err)
		s.tokens[name] = token
		ts.Setenv(name+"_token", token)
	}
	s.token = s.tokens[name]
}

func useToken(ts *testscript.TestScript, s *story, args []string) { s.token = only(ts, args) }

func send(ts *testscript.TestScript, s *story, args []string) {
	s.extra = append(s.extra, only(ts, args))
}

func request(method string) func(*testscript.TestScript, bool, []string) {
	return word(func(ts *testscript.TestScript, s *story, args []string) {
		s.make(ts, method, args)
		s.extra = nil
	})
}

// make makes one request.
func (s *story) make(ts *testscript.TestScript, method string, args []string) {
	if !s.expected {
		ts.Fatalf("the request before this one has no expect")
	}
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("say %s /path [body]", method)
	}
	var content []byte
	if len(args) == 2 {
		content = []byte(args[1])
		if file, ok := strings.CutPrefix(args[1], "@"); ok {
			content = []byte(ts.ReadFile(file))
		}
	}
	answer, err := s.ask(method, args[0], s.headers(content != nil), content)
	ts.Check(err)
	s.answer, s.expected = answer, false
	ts.Logf("%d %s", answer.Status, answer.Body)
}

// visit follows a link of this server.
func visit(ts *testscript.TestScript, s *story, args []string) {
	target, ours := strings.CutPrefix(only(ts, args), s.server.BaseURL)
	if !ours {
		ts.Fatalf("%s leads elsewhere", args[0])
	}
	request("GET")(ts, false, []string{target})
}

// submit sends the form of a page of this server.
func submit(ts *testscript.TestScript, s *story, args []string) {
	if len(args) != 2 {
		ts.Fatalf("say submit URL FORM")
	}
	target, ours := strings.CutPrefix(args[0], s.server.BaseURL)
	if !ours {
		ts.Fatalf("%s leads elsewhere", args[0])
	}
	s.extra = append(s.extra, "Content-Type: application/x-www-form-urlencoded")
	request("POST")(ts, false, []string{target, args[1]})
}

// unknown expects what a path that does not exist is answered with. The
// contract has no such path, so it can't be asked.
func unknown(ts *testscript.TestScript, s *story, _ []string) {
	s.expected = true
	if s.answer.Status != http.StatusNotFound {
		ts.Fatalf("the answer is %d: %s", s.answer.Status, s.answer.Body)
	}
	ts.Check(match(s.answer.Body, ".error.code", "==", "NOT_FOUND"))
	ts.Check(match(s.answer.Body, ".error.message", "==", "unknown resource"))
	ts.Check(match(s.answer.Body, ".error.errors[0].description", "is", "string"))
}

// preflight expects a browser's question to be answered with yes.
func preflight(ts *testscript.TestScript, s *story, _ []string) {
	s.expected = true
	if s.answer.Status != http.StatusNoContent || len(s.answer.Body) > 0 {
		ts.Fatalf("the answer is %d: %s", s.answer.Status, s.answer.Body)
	}
}

// headers are those of the next request: a token, a media type for a body, and
// what `send` asked for.
func (s *story) headers(hasBody bool) http.Header {
	h := http.Header{}
	if s.token != "" {
		h.Set("Authorization", "Bearer "+s.token)
	}
	if hasBody {
		h.Set("Content-Type", "application/json")
	}
	for _, line := range s.extra {
		name, _, _ := strings.Cut(line, ":")
		h.Del(strings.TrimPrefix(name, "-")) // what is sent replaces what would have been
	}
	for _, line := range s.extra {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Add(name, strings.TrimSpace(value))
		}
	}
	return h
}

// expect checks the status, the error code, and the answer against the contract.
func expect(ts *testscript.TestScript, s *story, args []string) {
	s.expected = true
	if len(args) == 0 || strconv.Itoa(s.answer.Status) != args[0] {
		ts.Fatalf("the answer is %d: %s", s.answer.Status, s.answer.Body)
	}
	if len(args) == 2 {
		ts.Check(match(s.answer.Body, ".error.code", "==", args[1]))
	}
	if s.answer.Header.Get("X-Request-Id") == "" {
		ts.Fatalf("the answer has no X-Request-Id")
	}
	ts.Check(s.check())
}

// check holds the answer against the contract and remembers that it was seen.
func (s *story) check() error {
	s.seen.saw(s.checker.Operation(s.answer.Method, s.answer.Target), s.answer.Status)
	return s.checker.Check(s.answer.Method, s.answer.Target, s.answer.Status, s.answer.Header, s.answer.Body)
}

func checkJSON(ts *testscript.TestScript, s *story, args []string) {
	if len(args) != 3 {
		ts.Fatalf("say json PATH RELATION VALUE")
	}
	ts.Check(match(s.answer.Body, args[0], args[1], args[2]))
}

// problem demands one entry of a refusal's errors.
func problem(ts *testscript.TestScript, s *story, args []string) {
	if len(args) != 2 {
		ts.Fatalf("say problem /path CODE")
	}
	if !slices.ContainsFunc(refusal(ts, s), func(p listed) bool { return p.Path == "#"+args[0] && p.Code == args[1] }) {
		ts.Fatalf("no problem %s at %s in %s", args[1], args[0], s.answer.Body)
	}
}

func problems(ts *testscript.TestScript, s *story, args []string) {
	if all := refusal(ts, s); strconv.Itoa(len(all)) != only(ts, args) {
		ts.Fatalf("%d problems in %s", len(all), s.answer.Body)
	}
}

type listed struct{ Path, Code string }

func refusal(ts *testscript.TestScript, s *story) []listed {
	var answer struct{ Error struct{ Errors []listed } }
	ts.Check(json.Unmarshal(s.answer.Body, &answer))
	return answer.Error.Errors
}

func header(ts *testscript.TestScript, s *story, args []string) {
	value := s.answer.Header.Get(args[0])
	switch {
	case len(args) == 2 && args[1] == "missing" && value == "":
	case len(args) == 3 && args[1] == "==" && value == args[2]:
	case len(args) == 3 && args[1] == "matches" && regexp.MustCompile(args[2]).MatchString(value):
	default:
		ts.Fatalf("%s is %q", args[0], value)
	}
}

func body(ts *testscript.TestScript, neg bool, args []string) {
	text := string(ts.Value(storyKey{}).(*story).answer.Body)
	if len(args) != 2 {
		ts.Fatalf("say body == TEXT or body contains TEXT")
	}
	if ok := args[0] == "==" && text == args[1] || args[0] == "contains" && strings.Contains(text, args[1]); ok == neg {
		ts.Fatalf("the body is %s", text)
	}
}

func keep(ts *testscript.TestScript, s *story, args []string) {
	value, err := find(s.answer.Body, args[1])
	ts.Check(err)
	ts.Setenv(args[0], show(value))
}

func basic(ts *testscript.TestScript, _ *story, args []string) {
	if len(args) != 3 {
		ts.Fatalf("say basic NAME ID SECRET")
	}
	ts.Setenv(args[0], drive.Basic(drive.Credentials{ID: args[1], Secret: args[2]}))
}

func remember(ts *testscript.TestScript, s *story, args []string) {
	s.remembered[only(ts, args)] = s.answer
}

func sameAs(ts *testscript.TestScript, s *story, args []string) {
	first := s.remembered[only(ts, args)]
	if s.answer.Status != first.Status || string(s.answer.Body) != string(first.Body) {
		ts.Fatalf("the answer was %d %s\nand is %d %s", first.Status, first.Body, s.answer.Status, s.answer.Body)
	}
}

var repeated = regexp.MustCompile(`(?s)^(.+)\*(\d+)$`)

func write(ts *testscript.TestScript, _ *story, args []string) {
	var text strings.Builder
	for _, part := range args[1:] {
		times := 1
		if m := repeated.FindStringSubmatch(part); m != nil {
			part = m[1]
			times, _ = strconv.Atoi(m[2]) // digits by the pattern
		}
		text.WriteString(strings.Repeat(part, times))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text.String()), 0o600))
}

func log(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(storyKey{}).(*story)
	if len(args) != 2 || args[0] != "contains" || strings.Contains(s.server.Log(), args[1]) == neg {
		ts.Fatalf("the log is %s", s.server.Log())
	}
}

func only(ts *testscript.TestScript, args []string) string {
	if len(args) != 1 {
		ts.Fatalf("this word takes one argument")
	}
	return args[0]
}
