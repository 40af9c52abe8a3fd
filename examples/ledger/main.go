// Command ledger is an example of a program that reads the feed of Mooring: it
// keeps where each connection of its account stands, and how many events it
// had. It keeps that and its cursor in one write, so that it does each item
// exactly once, whoever breaks off when.
//
//	go run ./examples/ledger --url http://127.0.0.1:8080 --account T11200000 \
//		--client-id ID --secret-file client.secret --file ledger.json
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

func main() {
	r := reader{client: &http.Client{Timeout: time.Minute}}
	flag.StringVar(&r.url, "url", "http://127.0.0.1:8080", "where Mooring answers")
	flag.StringVar(&r.account, "account", "", "whose feed to read")
	flag.StringVar(&r.id, "client-id", "", "the client to log in as")
	secretFile := flag.String("secret-file", "", "file with the client's secret")
	file := flag.String("file", "ledger.json", "where to keep the ledger")
	flag.Parse()
	secret, err := os.ReadFile(*secretFile)
	if err != nil {
		log.Fatal(err)
	}
	r.secret = strings.TrimSpace(string(secret))
	log.Fatal(follow(&r, *file))
}

// follow reads on for ever. It fails when the ledger can't be kept; when
// Mooring can't be reached it tries again.
func follow(r *reader, file string) error {
	l, err := open(file)
	if err != nil {
		return err
	}
	for {
		page, err := r.after(l.Cursor)
		if err != nil {
			log.Print(err)
			time.Sleep(time.Second)
			continue
		}
		if page.Cursor == l.Cursor {
			continue // nothing new
		}
		if err := l.take(page, file); err != nil {
			return err
		}
		fmt.Printf("%d items\n", len(page.Items))
	}
}

// ledger is what this program makes of the feed, and how far it is.
type ledger struct {
	Cursor      string              `json:"cursor"`
	Connections map[string]standing `json:"connections"`
}

type standing struct {
	Status string `json:"status"`
	Events int    `json:"events"`
}

func open(file string) (*ledger, error) {
	l := &ledger{Connections: map[string]standing{}}
	kept, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(kept, l)
	}
	return l, err
}

// take works on a page, and keeps what came of it together with the cursor: if
// it breaks off before, the page comes again and nothing of it was done.
func (l *ledger) take(p page, file string) error {
	for _, item := range p.Items {
		if item.Event != "account_connection_update" {
			continue
		}
		key := item.Account + "/" + item.Connection
		l.Connections[key] = standing{item.Status, l.Connections[key].Events + 1}
	}
	l.Cursor = p.Cursor
	return l.save(file)
}

// save replaces the file as a whole. A program with a database does the same
// in a transaction.
func (l *ledger) save(file string) error {
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	next, err := os.Create(file + ".next")
	if err != nil {
		return err
	}
	_, err = next.Write(text)
	if err = errors.Join(err, next.Sync(), next.Close()); err != nil {
		return err
	}
	return os.Rename(file+".next", file)
}

// reader asks Mooring.
type reader struct {
	client                          *http.Client
	url, account, id, secret, token string
}

type page struct {
	Items []struct {
		Event      string `json:"event"`
		Account    string `json:"account_id"`
		Connection string `json:"connection"`
		Status     string `json:"status"`
	} `json:"items"`
	Cursor string `json:"cursor"`
}

// after is what there is after a cursor, or what comes within a while.
func (r *reader) after(cursor string) (p page, err error) {
	if r.token == "" {
		if err := r.logIn(); err != nil {
			return p, err
		}
	}
	query := url.Values{"wait": {"20"}}
	if cursor != "" {
		query.Set("after", cursor)
	}
	ask, err := http.NewRequest(http.MethodGet, r.url+"/v1/accounts/"+r.account+"/feed?"+query.Encode(), nil)
	if err != nil {
		return p, err
	}
	ask.Header.Set("Authorization", "Bearer "+r.token)
	status, err := r.do(ask, &p)
	if status == http.StatusUnauthorized {
		r.token = "" // it has ended
	}
	return p, err
}

func (r *reader) logIn() error {
	ask, err := http.NewRequest(http.MethodPost, r.url+"/v1/oauth/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		return err
	}
	ask.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	ask.SetBasicAuth(r.id, r.secret)
	var answer struct {
		Token string `json:"access_token"`
	}
	_, err = r.do(ask, &answer)
	r.token = answer.Token
	return err
}

func (r *reader) do(ask *http.Request, into any) (status int, err error) {
	answer, err := r.client.Do(ask)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return answer.StatusCode, fmt.Errorf("%s is answered with %s", ask.URL.Path, answer.Status)
	}
	return answer.StatusCode, json.NewDecoder(answer.Body).Decode(into)
}
