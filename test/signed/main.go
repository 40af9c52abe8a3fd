// Command signed prints messages as subscriptions get them, one JSON object a
// line, for verifiers in other languages: the secrets that are in force, the
// headers and the body.
package main

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	random "math/rand/v2"
	"net/http"
	"os"
	"time"

	"mooring/internal/hook"
	"mooring/internal/hook/hooktest"
	"mooring/internal/secret"
)

// message is one line.
type message struct {
	Current  string      `json:"current"`  // whsec_
	Old      string      `json:"old"`      // whsec_
	Public   string      `json:"public"`   // whpk_
	Contract string      `json:"contract"` // key of event-signature
	Headers  http.Header `json:"headers"`
	Body     []byte      `json:"body"` // as base64
}

func main() {
	n := flag.Int("n", 10_000, "how many messages")
	flag.Parse()
	if err := run(*n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(n int) error {
	out := bufio.NewWriter(os.Stdout)
	lines := json.NewEncoder(out)
	draw := random.New(random.NewPCG(1, 2))
	private, public := hook.NewPair()
	m := message{Current: shared(), Old: shared(), Public: public, Contract: "a key of the subscriber, æ"}
	keys := hook.Secrets{
		Contract: secret.NewPlain(m.Contract), Standard: []secret.Plain{secret.NewPlain(m.Current), secret.NewPlain(m.Old)},
		Asymmetric: []secret.Plain{private},
	}
	for range n {
		now := time.Now()
		s, e := hooktest.Subscription(), hooktest.Entry(hook.AccountUpdate, hooktest.Members(draw), now)
		body, err := hook.Message(s, e)
		if err != nil {
			return err
		}
		m.Body, m.Headers = body, hook.Headers(s, keys, e, body, now)
		if err := lines.Encode(m); err != nil {
			return err
		}
	}
	return out.Flush()
}

// shared draws a secret of the form of hook.NewStandard, which must be shown
// here.
func shared() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails; it would end the program
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}
