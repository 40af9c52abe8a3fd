// Command bare is as little as a server can do: it reads an event as strict
// JSON and answers one, and it answers a file that it has in memory. It checks
// nobody and stores nothing.
//
//	bare ADDRESS FILE
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"
)

type posted struct {
	Status      string          `json:"status"`
	Event       string          `json:"event"`
	Description string          `json:"description,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
}

type answered struct {
	posted
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("bare ADDRESS FILE")
	}
	same, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	length := strconv.Itoa(len(same))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /events", echo)
	mux.HandleFunc("GET /same", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", length)
		_, _ = w.Write(same) // whoever asked may be gone
	})
	return http.ListenAndServe(args[0], mux)
}

func echo(w http.ResponseWriter, r *http.Request) {
	var e posted
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, err := json.Marshal(answered{e, "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01", time.Now().UTC(), "bench"})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // whoever asked may be gone
}
