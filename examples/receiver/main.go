// Command receiver is an example of what a program does with the hooks of
// Mooring, or with what `mooring listen` forwards: it verifies who sent a
// message, acts on each event once however often it arrives, and answers fast.
//
//	mooring listen --print-secret >hook.secret && chmod 600 hook.secret
//	go run ./examples/receiver --secret-file hook.secret
//	mooring listen --forward-to http://127.0.0.1:3000/hook
//
// With a subscription of its own the secret is what `mooring hooks create`
// printed.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxBody   = 1 << 20
	tolerance = 5 * time.Minute // between the clocks of both sides, and for how long a recorded message can be played again
)

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "address to listen on")
	secretFile := flag.String("secret-file", "", "file with the secret, or with two during a rotation, a line each")
	flag.Parse()
	if err := run(*listen, *secretFile); err != nil {
		log.Fatal(err)
	}
}

func run(listen, secretFile string) error {
	keys, err := readKeys(secretFile)
	if err != nil {
		return err
	}
	r := &receiver{keys: keys, done: map[string]bool{}, act: show}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hook", r.hook)
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Printf("receiving at http://%s/hook\n", listener.Addr())
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	return server.Serve(listener)
}

func readKeys(file string) ([][]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for line := range strings.Lines(string(text)) {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(line), "whsec_"))
		if err != nil || len(key) == 0 {
			return nil, fmt.Errorf("%s: each line must be whsec_ and a secret in base64", file)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s is empty", file)
	}
	return keys, nil
}

// message is what we need of a body.
type message struct {
	Account    string `json:"account_id"`
	Event      string `json:"event"`
	Connection struct {
		Provider string `json:"connection"`
		Status   string `json:"status"`
	} `json:"connection"`
}

func show(m message) {
	fmt.Println(strings.TrimSpace(strings.Join([]string{m.Event, m.Account, m.Connection.Provider, m.Connection.Status}, " ")))
}

// receiver knows what it has acted on.
type receiver struct {
	keys [][]byte
	act  func(message)

	mu   sync.Mutex
	done map[string]bool // by webhook-id; keep it in your database, written in the transaction of what you do
}

func (r *receiver) hook(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxBody))
	if err != nil {
		http.Error(w, "too large, or broken off", http.StatusBadRequest)
		return
	}
	if err := r.verify(q.Header, body, time.Now()); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	r.once(q.Header.Get("webhook-id"), func() { r.act(m) })
	w.WriteHeader(http.StatusNoContent) // also for what came again: it is done
}

// verify says why a message is not from whom we know, over the bytes as they
// came: JSON that was read and written again is other bytes.
func (r *receiver) verify(h http.Header, body []byte, now time.Time) error {
	id, stamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || err != nil {
		return errors.New("not signed")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age.Abs() > tolerance {
		return errors.New("too old, or from the future")
	}
	for _, key := range r.keys {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
		want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		for signature := range strings.FieldsSeq(h.Get("webhook-signature")) {
			if hmac.Equal([]byte(signature), want) {
				return nil
			}
		}
	}
	return errors.New("the signature is not that of a known secret")
}

// once does something unless it was done for this id.
func (r *receiver) once(id string, do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.done[id] {
		do()
		r.done[id] = true
	}
}
