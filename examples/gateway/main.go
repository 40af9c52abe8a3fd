// Command gateway is an example of what a platform runs between Mooring and a
// payment provider. It speaks the protocol of docs/provider-gateway.yaml: it
// takes signups, hands them to a provider that says yes to everybody after a
// while, and calls back when it has.
//
//	printf 'whsec_%s\n' "$(head -c 32 /dev/urandom | base64)" > gateway.secret && chmod 600 gateway.secret
//	go run ./examples/gateway --secret-file gateway.secret
//	mooring serve ... --gateway vipps=http://127.0.0.1:9090 --gateway-secret-file gateway.secret --outbound-allow 127.0.0.0/8
package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9090", "address to listen on")
	secretFile := flag.String("secret-file", "", "file with the secret that Mooring signs with")
	after := flag.Duration("after", time.Second, "how long the provider takes to decide")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *secretFile, *after); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, listen, secretFile string, after time.Duration) error {
	secrets, err := readSecrets(secretFile)
	if err != nil {
		return err
	}
	g := &gateway{secrets: secrets, after: after, seen: map[string]bool{}, decided: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /signups", g.signup)
	mux.HandleFunc("POST /status", g.status)
	server := &http.Server{Addr: listen, Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	log.Printf("listening on %s", listen)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	g.underWay.Wait()
	return nil
}

func readSecrets(file string) ([][]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var secrets [][]byte
	for line := range strings.Lines(string(text)) {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(line), "whsec_"))
		if err != nil || len(raw) == 0 {
			return nil, fmt.Errorf("%s: each line must be whsec_ and a secret in base64", file)
		}
		secrets = append(secrets, raw)
	}
	return secrets, nil
}

// gateway knows what it was given and what the provider decided. A real one
// keeps both in a database: whatever it answered 202 to, it must not forget.
type gateway struct {
	secrets [][]byte
	after   time.Duration

	mu       sync.Mutex
	seen     map[string]bool   // by webhook-id
	decided  map[string]string // status by account and provider
	underWay sync.WaitGroup
}

// submission is what we need of a signup.
type submission struct {
	Provider string `json:"provider"`
	Account  struct {
		ID string `json:"id"`
	} `json:"account"`
	Signup struct {
		ID   string          `json:"id"`
		Data json.RawMessage `json:"data"`
	} `json:"signup"`
	Callback struct {
		EventsURL string `json:"events_url"`
		Token     string `json:"token"`
	} `json:"callback"`
}

func (g *gateway) signup(w http.ResponseWriter, r *http.Request) {
	body, err := g.verified(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	var s submission
	if err := json.Unmarshal(body, &s); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	if g.first(r.Header.Get("webhook-id")) {
		log.Printf("signup %s of %s for %s", s.Signup.ID, s.Account.ID, s.Provider)
		g.underWay.Go(func() { g.decide(s) })
	}
	w.WriteHeader(http.StatusAccepted)
}

// first says whether this is not a repetition. Mooring sends a signup again,
// under the same id, until it has seen our answer.
func (g *gateway) first(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	defer func() { g.seen[id] = true }()
	return !g.seen[id]
}

// decide plays the provider, then reports. The external id makes it harmless to
// report again when the answer got lost.
func (g *gateway) decide(s submission) {
	<-time.After(g.after)
	g.mu.Lock()
	g.decided[s.Account.ID+"/"+s.Provider] = "enabled"
	g.mu.Unlock()
	event, err := json.Marshal(map[string]string{
		"status": "enabled", "event": "enabled_by_provider", "external_id": "example:" + s.Signup.ID,
		"occurred_at": time.Now().UTC().Format(time.RFC3339),
	})
	if err != nil {
		log.Print(err)
		return
	}
	for wait := time.Second; wait < time.Minute; wait *= 2 {
		if err = report(s.Callback.EventsURL, s.Callback.Token, event); err == nil {
			log.Printf("signup %s is enabled", s.Signup.ID)
			return
		}
		log.Printf("reporting %s: %v", s.Signup.ID, err)
		<-time.After(wait)
	}
}

func report(url, token string, event []byte) error {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(event))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10)) // for the log alone
		return fmt.Errorf("%s: %s", res.Status, text)
	}
	return nil
}

func (g *gateway) status(w http.ResponseWriter, r *http.Request) {
	body, err := g.verified(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	var q struct {
		Provider string `json:"provider"`
		Account  struct {
			ID string `json:"id"`
		} `json:"account"`
		Status string `json:"status"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	status, ok := g.decided[q.Account.ID+"/"+q.Provider]
	g.mu.Unlock()
	if !ok {
		status = q.Status
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"status": status, "event": "status_asked"})
}

// verified reads a body and holds it to its signature, as Standard Webhooks has
// it: HMAC-SHA256 over id, time and body, with any of our secrets.
func (g *gateway) verified(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	stamp := r.Header.Get("webhook-timestamp")
	sent, err := strconv.ParseInt(stamp, 10, 64)
	if age := time.Since(time.Unix(sent, 0)); err != nil || age > 5*time.Minute || age < -5*time.Minute {
		return nil, errors.New("webhook-timestamp is not of now")
	}
	for signature := range strings.FieldsSeq(r.Header.Get("webhook-signature")) {
		given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signature, "v1,"))
		if err != nil {
			continue
		}
		for _, secret := range g.secrets {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(r.Header.Get("webhook-id") + "." + stamp + "."))
			mac.Write(body)
			if hmac.Equal(given, mac.Sum(nil)) {
				return body, nil
			}
		}
	}
	return nil, errors.New("no signature holds")
}
