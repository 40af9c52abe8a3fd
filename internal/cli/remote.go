package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"mooring/internal/outbound"
	"mooring/internal/secret"
)

// remoteFlags are what every command that talks to a running server takes.
// Such a command embeds them, calls connect, and then call for each request:
//
//	server, err := c.connect(ctx, "test account "+c.Account)
//	if err != nil {
//		return err
//	}
//	var clock struct{ Now time.Time `json:"now"` }
//	err = server.call(ctx, http.MethodPost, accountPath(c.Account)+"/clock/advance", map[string]any{"by": "3d"}, &clock)
//
// With nothing set they mean the `mooring dev` that this user has running, and
// its platform client, which covers every account of the test world.
type remoteFlags struct {
	cacheFlags
	URL        string `placeholder:"URL" help:"Base URL of the server. Default: the mooring dev that runs on this machine."`
	Client     string `placeholder:"ID" help:"API client to log in as: of a platform, a partner or a merchant. Default: the platform client of that mooring dev."`
	SecretFile string `placeholder:"FILE" help:"File with the secret of --client; or set MOORING_CLIENT_SECRET to the secret itself."`
}

// remote is a server that knows who is calling.
type remote struct {
	base    string
	http    *http.Client
	bearer  secret.Plain
	account string      // that the token is for
	header  http.Header // sent with each call; a command may add to it
	issuer  string      // the address that the server is known under, once it was asked for
	about   string      // what is not there when the server says that something is not
}

// A call is given remoteTimeout for its answer, of which at most maxAnswer is
// read.
const (
	remoteTimeout = 5 * time.Minute
	maxAnswer     = 64 << 20
)

// connect finds the server and logs in. about is what the command asks for, such
// as "account T11223351"; "" when it can't be missing.
func (f remoteFlags) connect(ctx context.Context, about string) (*remote, error) {
	base, client, plain, err := f.login()
	if err != nil {
		return nil, err
	}
	r := &remote{base: base, header: http.Header{}, http: outbound.Local(remoteTimeout)}
	if r.bearer, err = r.token(ctx, client, plain); err != nil {
		return nil, err
	}
	r.about = about
	return r, nil
}

// login is where to go and as whom: what the flags say, and what they leave
// open as the running dev server says. Its secret is sent nowhere else.
func (f remoteFlags) login() (base, client string, plain secret.Plain, err error) {
	if f.URL != "" {
		if err := checkRemoteURL(f.URL); err != nil {
			return "", "", plain, err
		}
		if f.Client == "" {
			return "", "", plain, errors.New("name the API client for this URL too, with --client and --secret-file")
		}
	}
	base, client = strings.TrimSuffix(f.URL, "/"), f.Client
	if base == "" {
		found, err := f.discover()
		if err != nil {
			return "", "", plain, err
		}
		base = found.URL
		if client == "" {
			return base, found.Client, secret.NewPlain(found.Secret), nil
		}
	}
	plain, err = f.secret()
	return base, client, plain, err
}

// secret reads the client's secret from where no process list shows it.
func (f remoteFlags) secret() (secret.Plain, error) {
	if f.SecretFile == "" {
		text := os.Getenv("MOORING_CLIENT_SECRET")
		if text == "" {
			return secret.Plain{}, errors.New("name the file with the secret of this client: --secret-file FILE")
		}
		return secret.NewPlain(text), nil
	}
	text, err := os.ReadFile(f.SecretFile)
	if err != nil {
		return secret.Plain{}, err
	}
	return secret.NewPlain(strings.TrimSpace(string(text))), nil
}

// checkRemoteURL refuses a base that a secret should not be sent to.
func checkRemoteURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "":
		return errors.New("--url must look like https://connections.example.com")
	case u.Scheme == "http" && u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback():
		return errors.New("--url must begin with https:// unless the server is this machine: a secret is sent to it")
	}
	return nil
}

// token logs in. The extension's token call takes the account from the client.
func (r *remote) token(ctx context.Context, client string, plain secret.Plain) (secret.Plain, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+"/v1/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return secret.Plain{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(plain.Reveal())) // RFC 6749, section 2.3.1
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := r.send(request, &answer); err != nil {
		return secret.Plain{}, fmt.Errorf("can't log in as %s: %w", client, err)
	}
	r.account = accountOf(answer.AccessToken)
	return secret.NewPlain(answer.AccessToken), nil
}

// documentedToken logs in by the documented call, which every server of this
// API has.
func (r *remote) documentedToken(ctx context.Context, id, audience, client string, plain secret.Plain) (secret.Plain, error) {
	body, err := json.Marshal(map[string]string{"grant_type": "client_credentials", "audience": audience})
	if err != nil {
		return secret.Plain{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+accountPath(id)+"/auth/token", bytes.NewReader(body))
	if err != nil {
		return secret.Plain{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.SetBasicAuth(client, plain.Reveal())
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := r.send(request, &answer); err != nil {
		return secret.Plain{}, fmt.Errorf("can't log in as %s: %w", client, err)
	}
	return secret.NewPlain(answer.AccessToken), nil
}

// accountOf is the account that a token is for, as its audience says; "" when
// it can't be read. Whether the token is good is for the server to say.
func accountOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Audience string `json:"aud"`
	}
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return ""
	}
	audience, err := url.Parse(claims.Audience)
	if err != nil {
		return ""
	}
	return audience.User.Username()
}

// because sends the reason of what is done, for the audit.
func (r *remote) because(reason string) {
	if reason != "" {
		r.header.Set("Mooring-Reason", reason)
	}
}

// call sends one request. in is what is sent as JSON, nil for nothing and
// []byte for bytes as they are; out takes the JSON that comes back, nil drops
// it and a *[]byte takes the bytes as they are. What the server refuses comes
// back as one sentence.
func (r *remote) call(ctx context.Context, method, path string, in, out any) error {
	body, err := bodyOf(in)
	if err != nil {
		return err
	}
	request, err := r.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	if in != nil && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/json")
	}
	return r.send(request, out)
}

// pages reads a list page after page, up to a limit or to its end; 0 is no limit.
func (r *remote) pages(ctx context.Context, path string, query url.Values, limit int, item func(json.RawMessage) error) error {
	for left := limit; limit == 0 || left > 0; {
		size := maxPage
		if limit > 0 {
			size = min(left, maxPage)
		}
		query.Set("limit", strconv.Itoa(size))
		var page []json.RawMessage
		if err := r.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		var last struct {
			PagingToken string `json:"paging_token"`
		}
		for _, raw := range page {
			if err := item(raw); err != nil {
				return err
			}
			_ = json.Unmarshal(raw, &last) // no page, and what has no token, ends the list
		}
		if last.PagingToken == "" {
			return nil
		}
		query.Set("starting_after", last.PagingToken)
		left -= len(page)
	}
	return nil
}

// request makes a request that says who is calling.
func (r *remote) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range r.header {
		request.Header[name] = values
	}
	request.Header.Set("Authorization", "Bearer "+r.bearer.Reveal())
	return request, nil
}

func bodyOf(in any) ([]byte, error) {
	switch in := in.(type) {
	case nil:
		return nil, nil
	case []byte:
		return in, nil
	}
	return json.Marshal(in)
}

func (r *remote) send(request *http.Request, out any) error {
	answer, err := r.http.Do(request)
	if err != nil {
		return r.unreachable(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the answer of %s broke off: %w", r.base, err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return r.refused(answer, body)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = body
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s does not answer like a Mooring server", r.base)
	}
	return nil
}

func (r *remote) unreachable(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the method and the whole URL
	}
	return fmt.Errorf("can't reach %s: %w", r.base, err)
}

// refused is what the server said, as one sentence with the code and the id to
// look for in its log.
func (r *remote) refused(answer *http.Response, body []byte) error {
	var told struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Errors  []struct {
				Message string `json:"message"`
			} `json:"errors"`
		} `json:"error"`
		Description string `json:"error_description"` // of the OAuth calls
	}
	_ = json.Unmarshal(body, &told) // what is no JSON leaves the status
	said := []string{told.Error.Message + told.Description}
	for _, problem := range told.Error.Errors { // of which the first is the message once more
		if problem.Message != "" && !slices.Contains(said, problem.Message) {
			said = append(said, problem.Message)
		}
	}
	code := fmt.Sprint(answer.StatusCode)
	if told.Error.Code != "" {
		code += " " + told.Error.Code
	}
	switch {
	case answer.StatusCode == http.StatusNotFound && r.about != "":
		said = []string{"there is no " + r.about + " that this client can see"}
	case said[0] == "":
		said[0] = http.StatusText(answer.StatusCode)
	}
	if id := answer.Header.Get("X-Request-Id"); id != "" {
		code += ", request " + id
	}
	return &refusedError{answer.StatusCode, printable(strings.Join(said, "; ") + " (" + code + ")")}
}

// refusedError is an answer that is none of success.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string { return e.text }

// printable keeps what a server says from moving the terminal's cursor, and from
// being shown in another order.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, text)
}

// accountPath is where the things of an account are.
func accountPath(id string) string { return "/v1/accounts/" + url.PathEscape(id) }

// operatorPath is where a platform finds the things of an account.
func operatorPath(id string) string { return "/v1/operator/accounts/" + url.PathEscape(id) }
