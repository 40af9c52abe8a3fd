package product

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mooring/test/drive"
)

// TestSecretsStayHome drives the product at the loudest log level, with every
// secret it knows in every place where a client might put it by mistake, and
// searches everything that came out: logs, metrics, answers, the files of the
// database. What is an answer's purpose (a token, a link) may stand there, and
// nowhere else.
func TestSecretsStayHome(t *testing.T) {
	onBothEngines(t, searchEverything)
}

func searchEverything(t *testing.T, args ...string) {
	dir := filepath.Join(t.TempDir(), "data")
	s := dev(t, append(args, "--data", dir, "--listen", "127.0.0.1:0", "--log-level", "debug", "--log-format", "json")...)
	key, err := os.ReadFile(dir + ".key")
	if err != nil {
		t.Fatal(err)
	}
	w := &walker{t: t, server: s, client: drive.NewClient(s.BaseURL)}
	w.walk()

	secrets := map[string]string{"the key file": strings.TrimSpace(string(key))}
	for name, who := range s.Clients() {
		secrets["the secret of the "+name] = who.Secret
	}
	for i, token := range w.tokens {
		_, signature, _ := strings.Cut(token[strings.Index(token, ".")+1:], ".")
		secrets[fmt.Sprintf("token %d", i)] = signature // the part that makes it one
	}
	for i, value := range w.values {
		secrets[fmt.Sprintf("value %d of a refused request", i)] = value
	}
	home := map[string][]byte{"the log": []byte(s.Log()), "the metrics": w.get("/metrics").Body}
	for i, answer := range w.answers {
		home[fmt.Sprintf("answer %d, %s %s", i, answer.Method, answer.Target)] = answer.Body
	}
	for _, place := range []string{"the log", "the metrics"} {
		if !bytes.Contains(home[place], []byte("aid_auths_oauth_token_post")) {
			t.Errorf("%s knows nothing of what was done: %s", place, home[place])
		}
	}
	if code, err := s.Stop(); err != nil || code != 0 {
		t.Fatalf("ended with %d, %v", code, err)
	}
	var kept map[string][]byte
	if len(args) > 0 {
		kept = databaseRows(t, args[1])
	} else {
		kept = databaseFiles(t, dir)
	}
	for name, secret := range secrets {
		for place, text := range home {
			search(t, name, secret, place, text)
		}
		for place, text := range kept {
			search(t, name, secret, place, text)
		}
	}
	for _, link := range w.links {
		search(t, "the token of a link", link, "the log", home["the log"])
		search(t, "the token of a link", link, "the metrics", home["the metrics"])
	}
}

// TestTheSearchFindsWhatIsHidden keeps the test above honest.
func TestTheSearchFindsWhatIsHidden(t *testing.T) {
	const secret = "mk_7f/Qe+9 zÆ"
	for _, hidden := range []string{
		secret, "x" + base64.StdEncoding.EncodeToString([]byte("12"+secret+"3")),
		base64.RawURLEncoding.EncodeToString([]byte("1" + secret)), hex.EncodeToString([]byte("a" + secret)),
		url.QueryEscape(secret), url.PathEscape(secret), `{"a":"mk_7f\/Qe+9 z\u00c6"}`,
	} {
		if !contains([]byte("before "+hidden+" after"), secret) {
			t.Errorf("not found in %s", hidden)
		}
	}
}

func search(t *testing.T, name, secret, place string, text []byte) {
	t.Helper()
	if contains(text, secret) {
		t.Errorf("%s is in %s", name, place)
	}
}

// contains looks for a secret in plain, in base64 at each of the three
// alignments, in hex, and as URLs and JSON escape it.
func contains(text []byte, secret string) bool {
	forms := []string{
		secret, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
		url.QueryEscape(secret), url.PathEscape(secret),
		strings.ReplaceAll(secret, "/", `\/`), escapeJSON(secret),
	}
	for shift := range 3 {
		// Cut what the neighbouring bytes change: up to one quantum at each end.
		encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), secret...))
		if inner := encoded[4*min(shift, 1) : len(encoded)-2]; len(inner) > 8 {
			forms = append(forms, inner, strings.NewReplacer("+", "-", "/", "_").Replace(inner))
		}
	}
	for _, form := range forms {
		if bytes.Contains(text, []byte(form)) {
			return true
		}
	}
	return false
}

func escapeJSON(s string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(s, "/", `\/`) {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// databaseFiles reads every file of the data directory.
func databaseFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		found[filepath.Base(path)], err = os.ReadFile(path)
		return err
	})
	if err != nil || len(found) == 0 {
		t.Fatalf("the data directory has %d files, %v", len(found), err)
	}
	return found
}

// databaseRows reads every row of every table of a PostgreSQL database as text;
// bytes are in hex there, which is searched.
func databaseRows(t *testing.T, dsn string) map[string][]byte {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found := map[string][]byte{}
	for _, table := range column(t, db, `SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema = 'public'`) {
		for _, row := range column(t, db, "SELECT t::text FROM "+table+" t") {
			found[table] = append(found[table], row...)
		}
	}
	if len(found["event"])+len(found["events"]) == 0 {
		t.Fatalf("no events among the tables %v", slices.Sorted(maps.Keys(found)))
	}
	return found
}

func column(t *testing.T, db *sql.DB, query string) (values []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}

// walker uses the product, badly and well, and keeps what it was told.
type walker struct {
	t       *testing.T
	server  *drive.Server
	client  *drive.Client
	tokens  []string
	links   []string // the secret parts of signup links
	values  []string // what refused requests carried
	answers []drive.Answer
}

func (w *walker) do(method, target string, header http.Header, body string) drive.Answer {
	w.t.Helper()
	var content []byte
	if body != "" {
		content = []byte(body)
	}
	answer, err := w.client.Do(method, target, header, content)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer
}

func (w *walker) get(target string) drive.Answer {
	w.t.Helper()
	return w.do(http.MethodGet, target, http.Header{}, "")
}

// refuse sends a request that must not succeed, with secrets in it.
func (w *walker) refuse(method, target string, header http.Header, body string) {
	w.t.Helper()
	answer := w.do(method, target, header, body)
	if answer.Status < 400 || answer.Status >= 500 {
		w.t.Errorf("%s %s: %d", method, target, answer.Status)
	}
	w.answers = append(w.answers, answer)
}

func (w *walker) walk() {
	s := w.server
	for _, who := range s.Clients() {
		token, err := w.client.Token(who)
		if err != nil {
			w.t.Fatal(err)
		}
		w.tokens = append(w.tokens, token)
		w.misuse(who, token)
	}
	merchant, err := w.client.Token(s.Clients()["merchant"])
	if err != nil {
		w.t.Fatal(err)
	}
	w.tokens = append(w.tokens, merchant)
	connections := "/v1/accounts/" + s.Account + "/management/settings/connections/"
	signedUp := decode[struct{ Signup struct{ URL string } }](w.t, w.do(http.MethodPost, connections+"vipps", bearer(merchant), ""))
	link := strings.TrimPrefix(signedUp.Signup.URL, s.BaseURL)
	w.links = append(w.links, strings.TrimPrefix(link, "/s/"))
	w.answers = append(w.answers, w.get(link), w.get(link+"x"))
}

// misuse puts a client's secret and token where they don't belong.
func (w *walker) misuse(who drive.Credentials, token string) {
	token0 := "/v1/accounts/" + who.Account + "/auth/token"
	connection := "/v1/accounts/" + who.Account + "/management/settings/connections/mastercard-3ds"
	value := "canary-" + who.ID
	w.values = append(w.values, value)
	typed := http.Header{"Content-Type": {"application/json"}}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	w.refuse(http.MethodPost, token0, typed, `{"grant_type":"client_credentials","client_id":"`+who.ID+`","client_secret":"`+who.Secret+`"}`)
	w.refuse(http.MethodPost, token0, form, "grant_type=client_credentials&client_id="+who.ID+"&client_secret="+url.QueryEscape(who.Secret))
	w.refuse(http.MethodPost, token0, bearer(who.Secret), `{"grant_type":"`+who.Secret+`","audience":"`+token+`"}`)
	w.refuse(http.MethodPost, token0+"?client_secret="+url.QueryEscape(who.Secret), typed, `{"grant_type":`)
	w.refuse(http.MethodGet, connection+"?access_token="+token, http.Header{}, "")
	w.refuse(http.MethodGet, connection, bearer(token[:len(token)-3]), "")
	w.refuse(http.MethodGet, "/"+who.Secret, http.Header{}, "")
	w.refuse(http.MethodGet, "/v1/accounts/"+url.PathEscape(who.Secret)+"/auth/keys", bearer(token), "")
	w.refuse(http.MethodPost, connection, bearer(token), `{"signup":{"case_id":"`+value+`","`+value+`":1,"Case_id":"`+who.Secret+`"}}`)
	w.refuse(http.MethodPost, connection, bearer(token), `{"signup":"`+value+`"`)
	w.refuse("X-"+strings.ReplaceAll(who.ID, "-", ""), connection, bearer(token), "")
}
