// Command naive is the service that one writes first: net/http, database/sql
// with a pool, a transaction for each request that is synced before it is
// answered, and the token's signature verified each time. It does the same
// three writes.
//
//	naive DIR ADDRESS CONNECTIONS
//
// It prints a token once it is about to answer.
package main

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	_ "modernc.org/sqlite"
)

const schema = `
CREATE TABLE IF NOT EXISTS connection (id INTEGER PRIMARY KEY, account TEXT NOT NULL, provider TEXT NOT NULL, status TEXT NOT NULL,
	last_event TEXT NOT NULL, updated_at TEXT NOT NULL, UNIQUE (account, provider));
CREATE INDEX IF NOT EXISTS connection_status ON connection (provider, status, updated_at);
CREATE TABLE IF NOT EXISTS event (id TEXT PRIMARY KEY, connection INTEGER NOT NULL, status TEXT NOT NULL, event TEXT NOT NULL,
	description TEXT, metadata TEXT, created_at TEXT NOT NULL, created_by TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_of ON event (connection, created_at);
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, connection INTEGER NOT NULL, event TEXT NOT NULL, created_at TEXT NOT NULL);`

const fill = `INSERT INTO connection (account, provider, status, last_event, updated_at)
	WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
	SELECT printf('T2%07d', i), 'vipps', 'pending', '', '' FROM n`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("naive DIR ADDRESS CONNECTIONS")
	}
	size, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	db, err := open(filepath.Join(args[0], "naive.db"), size)
	if err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.RegisteredClaims{
		Issuer: "bench", Subject: "bench", Audience: jwt.ClaimStrings{"bench"}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}).SignedString(private)
	if err != nil {
		return err
	}
	s := service{db, public}
	http.HandleFunc("POST /accounts/{account}/connections/{provider}/events", s.post)
	fmt.Println(token)
	return http.ListenAndServe(args[1], nil)
}

func open(path string, size int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", path+"?_txlock=immediate&_pragma=busy_timeout(30000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(32)
	db.SetMaxIdleConns(32)
	if _, err := db.Exec(schema); err != nil {
		return nil, err
	}
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM connection`).Scan(&n); err != nil || n > 0 {
		return db, err
	}
	_, err = db.Exec(fill, size)
	return db, err
}

type service struct {
	db     *sql.DB
	public ed25519.PublicKey
}

type event struct {
	Status      string          `json:"status"`
	Event       string          `json:"event"`
	Description *string         `json:"description,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	ID          string          `json:"id"`
	CreatedAt   string          `json:"created_at"`
	CreatedBy   string          `json:"created_by"`
}

func (s service) post(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return s.public, nil }, jwt.WithAudience("bench")); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	var e event
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil || e.Status == "" || e.Event == "" {
		http.Error(w, "no event", http.StatusBadRequest)
		return
	}
	e.ID, e.CreatedAt, e.CreatedBy = uuid.NewString(), time.Now().UTC().Format(time.RFC3339Nano), "bench"
	switch err := s.store(r.Context(), r.PathValue("account"), r.PathValue("provider"), e); {
	case errors.Is(err, sql.ErrNoRows):
		http.NotFound(w, r)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(e) // whoever asked may be gone
	}
}

func (s service) store(ctx context.Context, account, provider string, e event) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var id int64
	if err := tx.QueryRowContext(ctx, `SELECT id FROM connection WHERE account = $1 AND provider = $2`, account, provider).Scan(&id); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO event (id, connection, status, event, description, metadata, created_at, created_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, e.ID, id, e.Status, e.Event, e.Description, string(e.Metadata), e.CreatedAt, e.CreatedBy); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE connection SET status = $2, last_event = $3, updated_at = $4 WHERE id = $1`, id, e.Status, e.ID, e.CreatedAt); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO outbox (connection, event, created_at) VALUES ($1, $2, $3)`, id, e.ID, e.CreatedAt); err != nil {
		return err
	}
	return tx.Commit()
}
