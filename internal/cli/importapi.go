package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"mooring/internal/outbound"
	"mooring/internal/secret"
)

type importAPICommand struct {
	importFlags
	Upstream           string `required:"" placeholder:"URL" help:"Base URL of the server to read, without /v1."`
	UpstreamAccount    string `required:"" placeholder:"ID" help:"Account there whose accounts are read: a partner, or the platform."`
	UpstreamClient     string `required:"" placeholder:"ID" help:"API client of that account."`
	UpstreamSecretFile string `required:"" placeholder:"FILE" type:"existingfile" help:"File with the secret of that client."`
	UpstreamAudience   string `placeholder:"URL" help:"Audience to ask a token for there. Default: URL/v1/accounts/ID."`
	Owner              string `placeholder:"ID" help:"Owner here of the merchants that are read. Default: the partner that each says it is of."`
	State              string `default:"mooring-upstream" placeholder:"NAME" help:"Name of the files beside: NAME.import says how far it has come, NAME.errors.csv what was refused."`
}

// Help is shown below the flags.
func (importAPICommand) Help() string {
	return `Reads the documented list of accounts, page by page, and takes in what it shows.
At the end it says what no answer shows, such as secrets: those must come some
other way. Accounts that own others come first: read the platform's list, then
each partner's.

Examples:
  mooring import api --upstream https://other.example.com --upstream-account T11200000 \
      --upstream-client ID --upstream-secret-file FILE --dry-run
  mooring import api --upstream https://other.example.com --upstream-account T00000000 \
      --upstream-client ID --upstream-secret-file FILE --url https://connections.example.com --client ID --secret-file FILE`
}

// Run reads the other server and takes in what it shows.
func (c importAPICommand) Run(ctx context.Context, stdio Stdio) error {
	if err := checkRemoteURL(c.Upstream); err != nil {
		return errors.New(strings.Replace(err.Error(), "--url", "--upstream", 1))
	}
	source := strings.TrimSuffix(c.Upstream, "/") + " " + c.UpstreamAccount
	i, err := c.begin(ctx, stdio, c.State, source, 0)
	if err != nil {
		return err
	}
	in := &upstreamReader{
		ctx: ctx, account: c.UpstreamAccount, owner: c.Owner, page: i.state.Page, done: i.state.Line,
		seen: map[string]bool{i.state.Page: true}, unseen: map[unseen]int{},
	}
	if in.server, err = c.login(ctx); err == nil {
		err = i.run(ctx, in)
	}
	err = i.finish(ctx, stdio, err)
	in.tell(stdio.Out)
	return err
}

// login gets a token from the other server by the documented call.
func (c importAPICommand) login(ctx context.Context) (*remote, error) {
	text, err := os.ReadFile(c.UpstreamSecretFile)
	if err != nil {
		return nil, err
	}
	r := &remote{base: strings.TrimSuffix(c.Upstream, "/"), header: http.Header{}, http: outbound.Local(remoteTimeout)}
	if c.UpstreamAudience == "" {
		c.UpstreamAudience = r.base + accountPath(c.UpstreamAccount)
	}
	r.bearer, err = r.documentedToken(ctx, c.UpstreamAccount, c.UpstreamAudience, c.UpstreamClient, secret.NewPlain(strings.TrimSpace(string(text))))
	return r, err
}

// upstreamReader reads the accounts of another server as rows.
type upstreamReader struct {
	ctx     context.Context
	server  *remote
	account string
	owner   string
	page    string // the paging token behind which the next page begins
	done    int    // how many accounts were read before
	rows    []importRow
	over    bool
	seen    map[string]bool // paging tokens that pages ended with
	unseen  map[unseen]int
}

func (r *upstreamReader) next() (importRow, error) {
	for len(r.rows) == 0 {
		if r.over {
			return importRow{}, io.EOF
		}
		if err := r.read(); err != nil {
			return importRow{}, fmt.Errorf("reading %s: %w", r.server.base, err)
		}
	}
	row := r.rows[0]
	r.rows = r.rows[1:]
	return row, nil
}

// upstreamPage is how many accounts are asked for at once.
const upstreamPage = 100

// read asks for one page.
func (r *upstreamReader) read() error {
	query := url.Values{"limit": {fmt.Sprint(upstreamPage)}}
	if r.page != "" {
		query.Set("starting_after", r.page)
	}
	var found []json.RawMessage
	path := accountPath(r.account) + "/management/accounts?" + query.Encode()
	if err := r.server.call(r.ctx, http.MethodGet, path, nil, &found); err != nil {
		return err
	}
	last := ""
	for _, text := range found {
		r.done++
		row, token, err := r.taken(text)
		if err != nil {
			return err
		}
		if token != "" {
			r.page, last = token, token
		}
		row.line, row.page = r.done, r.page
		r.rows = append(r.rows, row)
	}
	if r.over = last == ""; !r.over && r.seen[last] {
		return errors.New("its list of accounts repeats itself: a page ends where one before it did, so nobody knows what comes after")
	}
	r.seen[last] = true
	return nil
}

// taken is an account as a row, and its paging token. One that is not as
// documented is a row that says so, and stops no other.
func (r *upstreamReader) taken(text json.RawMessage) (row importRow, token string, err error) {
	var account map[string]json.RawMessage
	var connections map[string]map[string]json.RawMessage
	odd := func(path, code, message string) {
		row.wrong = append(row.wrong, importProblem{Path: path, Code: code, Message: message})
	}
	if json.Unmarshal(text, &account) != nil || account == nil {
		odd("", "INVALID_TYPE", "the other server shows an account that is no object")
		return row, "", nil
	}
	row.id, token = textOf(account["account_id"]), textOf(account["paging_token"])
	if row.id == "" {
		odd("account_id", "REQUIRED", "the other server shows an account without account_id")
	}
	if raw := account["connections"]; raw != nil && json.Unmarshal(raw, &connections) != nil {
		odd("connections", "INVALID_TYPE", "the other server shows connections that are no objects")
	}
	if row.wrong == nil {
		row.row, err = json.Marshal(r.row(account))
	}
	return row, token, err
}

func textOf(raw json.RawMessage) string {
	var text string
	_ = json.Unmarshal(raw, &text)
	return text
}

// The members of an account object: what it says of itself, and what only
// answers show.
var (
	profileMembers = []string{
		"applicant", "company", "billing", "language_code", "progression", "account_manager", "reseller_id", "jwks", "services",
		"subscription", "configuration", "custom_price_package", "price_package", "sale_channel",
	}
	shownMembers = []string{
		"id", "account_id", "partner_id", "active", "livemode", "created_at", "created_by", "updated_at", "updated_by",
		"deleted_at", "deleted_by", "statistics", "connections", "paging_token",
	}
)

// row is an account as the server is told of it.
func (r *upstreamReader) row(account map[string]json.RawMessage) map[string]any {
	row, profile := map[string]any{"id": account["account_id"]}, map[string]json.RawMessage{}
	for name, value := range account {
		switch {
		case string(value) == "null" || slices.Contains(shownMembers, name):
		case slices.Contains(profileMembers, name):
			profile[name] = value
		default:
			r.unseen[unseen{"the member " + printable(name) + ", which accounts do not have here", "account"}]++
		}
	}
	if len(profile) > 0 {
		row["profile"] = profile
	}
	if at := textOf(account["created_at"]); at != "" {
		row["created_at"] = at
	}
	id := textOf(account["account_id"])
	switch partner := textOf(account["partner_id"]); {
	case strings.HasSuffix(id, "00000"):
		row["owner"] = id[:1] + "000"
	case r.owner != "":
		row["owner"] = r.owner
	case partner != "":
		row["owner"] = partner
	}
	if connections := r.connections(account["connections"]); len(connections) > 0 {
		row["connections"] = connections
	}
	r.unseen[unseen{"comments, clients and cases", "account"}]++
	return row
}

// connections are those of an account's map. Some stand one step deeper, under
// the name of a product.
func (r *upstreamReader) connections(raw json.RawMessage) []any {
	var all map[string]map[string]json.RawMessage
	_ = json.Unmarshal(raw, &all)
	var rows []any
	for _, name := range slices.Sorted(maps.Keys(all)) {
		shown := all[name]
		if len(shown) == 0 {
			continue
		}
		if _, whole := shown["status"]; !whole {
			for _, product := range slices.Sorted(maps.Keys(shown)) {
				var inner map[string]json.RawMessage
				if json.Unmarshal(shown[product], &inner) == nil && inner["status"] != nil {
					rows = append(rows, r.connection(name, inner))
					break
				}
			}
			continue
		}
		rows = append(rows, r.connection(name, shown))
	}
	return rows
}

// shownEvents is how many events of a connection a server of ours shows in an
// account.
const shownEvents = 20

// connection is one connection as the server is told of it.
func (r *upstreamReader) connection(name string, shown map[string]json.RawMessage) map[string]any {
	c := map[string]any{"connection": name}
	for _, member := range []string{"status", "created_at", "created_by", "updated_at", "metadata", "configuration"} {
		if value, ok := shown[member]; ok && string(value) != "null" {
			c[member] = value
		}
	}
	var signups []json.RawMessage
	if json.Unmarshal(shown["signups"], &signups) != nil || signups == nil {
		if one, ok := shown["signup"]; ok && string(one) != "null" {
			signups = []json.RawMessage{one}
		}
	}
	var rows []any
	for _, one := range signups {
		rows = append(rows, map[string]any{"as_shown": one})
	}
	if rows != nil {
		c["signups"] = rows
	}
	var events []map[string]json.RawMessage
	if json.Unmarshal(shown["events"], &events) == nil && len(events) > 0 {
		c["events"] = eventRows(events)
	}
	if len(events) >= shownEvents {
		r.unseen[unseen{"events before the newest that are shown", "connection"}]++
	}
	if _, ok := shown["configuration"]; ok {
		r.unseen[unseen{"secrets of a configuration", "connection"}]++
	}
	if rows != nil {
		r.unseen[unseen{"links of signups, which are new here, and what is sealed of signups", "connection"}]++
	}
	return c
}

// eventRows are events as the server is told of them: those of its members that
// an answer shows.
func eventRows(events []map[string]json.RawMessage) []any {
	var rows []any
	for _, e := range events {
		row := map[string]any{}
		for _, member := range []string{"status", "event", "description", "metadata", "created_at", "created_by"} {
			if value, ok := e[member]; ok && string(value) != "null" {
				row[member] = value
			}
		}
		if id := textOf(e["id"]); isUUID(id) {
			row["id"] = id
		}
		rows = append(rows, row)
	}
	return rows
}

// unseen is something that no answer shows, of accounts or of connections.
type unseen struct{ what, of string }

// tell says what could not be seen.
func (r *upstreamReader) tell(w io.Writer) {
	if len(r.unseen) == 0 {
		return
	}
	fmt.Fprintln(w, "What could not be seen or kept:")
	for _, u := range slices.SortedFunc(maps.Keys(r.unseen), func(a, b unseen) int { return strings.Compare(a.what, b.what) }) {
		fmt.Fprintf(w, "  %s (%s)\n", u.what, counted(r.unseen[u], u.of))
	}
}

// isUUID says whether a text is a UUID in lower case.
func isUUID(text string) bool { return uuidForm.MatchString(text) }

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
