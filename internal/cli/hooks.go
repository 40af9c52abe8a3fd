package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"mooring/internal/hook"
)

type hooksCommand struct {
	List    hooksListCommand    `cmd:"" help:"List subscriptions."`
	Create  hooksCreateCommand  `cmd:"" help:"Subscribe an endpoint to events."`
	Show    hooksShowCommand    `cmd:"" help:"Show one subscription."`
	Update  hooksUpdateCommand  `cmd:"" help:"Change a subscription."`
	Delete  hooksDeleteCommand  `cmd:"" help:"Delete a subscription."`
	Ping    hooksPingCommand    `cmd:"" help:"Send a ping to the endpoint."`
	Rotate  hooksRotateCommand  `cmd:"" help:"Give a subscription another Standard Webhooks secret."`
	Enable  hooksEnableCommand  `cmd:"" help:"Switch a subscription on again; it goes on where it was."`
	Disable hooksDisableCommand `cmd:"" help:"Switch a subscription off; it keeps its place."`
}

// Help is shown below the flags.
func (hooksCommand) Help() string {
	return `Whoever subscribes an endpoint is told there of what happens to an account.

Examples:
  mooring hooks create --account T11223352 https://shop.example.com/hook --events account_connection_update
  mooring hooks list --account T11223352`
}

// hooksFlags say whose subscriptions a command is about.
type hooksFlags struct {
	remoteFlags
	Account string `placeholder:"ID" help:"Account whose subscriptions they are. Default: the account of the API client."`
}

// path is where the subscriptions are.
func (f hooksFlags) path(r *remote) string {
	account := f.Account
	if account == "" {
		account = r.account
	}
	return accountPath(account) + "/hooks/subscriptions"
}

// hookFlags name one subscription.
type hookFlags struct {
	hooksFlags
	ID string `arg:"" help:"The subscription, by its id."`
}

// open connects, and gives the server and where the subscription is.
func (f hookFlags) open(ctx context.Context) (*remote, string, error) {
	server, err := f.connect(ctx, "subscription "+f.ID)
	if err != nil {
		return nil, "", err
	}
	return server, f.path(server) + "/" + url.PathEscape(f.ID), nil
}

// subscription is what a subscription says of itself.
type subscription struct {
	ID        string `json:"id"`
	CreatedAt string `json:"created_at"`
	CreatedBy string `json:"created_by"`
	UpdatedAt string `json:"updated_at"`
	Active    bool   `json:"active"`
	Config    struct {
		URL         string `json:"url"`
		InsecureSSL int    `json:"insecure_ssl"`
		Asymmetric  bool   `json:"asymmetric"`
		Secret      struct {
			Type string `json:"type"`
		} `json:"secret"`
	} `json:"config"`
	Health struct {
		State        string `json:"state"`
		SucceededAt  string `json:"succeeded_at"`
		FailingSince string `json:"failing_since"`
		NextProbeAt  string `json:"next_probe_at"`
		Reason       string `json:"reason"`
	} `json:"health"`
	PublicKey     string   `json:"public_key"`
	Events        []string `json:"events"`
	Fields        string   `json:"fields"`
	ExcludeFields []string `json:"exclude_fields"`
	Secret        string   `json:"webhook_secret"` // of the answer that gives it, alone
}

func (s subscription) print(w io.Writer) {
	var rows [][]string
	for _, line := range [][]string{
		{"subscription", s.ID},
		{"endpoint", s.Config.URL},
		{"state", s.Health.State},
		{"because", s.Health.Reason},
		{"failing since", s.Health.FailingSince},
		{"asked again at", s.Health.NextProbeAt},
		{"last success", s.Health.SucceededAt},
		{"events", strings.Join(s.Events, ", ")},
		{"fields", s.Fields},
		{"without", strings.Join(s.ExcludeFields, ", ")},
		{"own secret", s.Config.Secret.Type},
		{"certificate", map[bool]string{true: "not looked at"}[s.Config.InsecureSSL != 0]},
		{"created", s.CreatedAt},
		{"by", s.CreatedBy},
		{"updated", s.UpdatedAt},
		{"public key", s.PublicKey},
		{"secret", s.Secret},
	} {
		if line[1] != "" {
			rows = append(rows, []string{line[0], printable(line[1])})
		}
	}
	printTable(w, rows)
}

// jsonFlag chooses how an answer is printed.
type jsonFlag struct {
	JSON bool `name:"json" help:"Print JSON as the server gave it."`
}

// printAnswer prints an answer of the server: as it is, or as show does of what
// it says.
func printAnswer[T any](f jsonFlag, out io.Writer, answer json.RawMessage, show func(T)) error {
	if f.JSON {
		return printJSON(out, answer)
	}
	var value T
	if err := json.Unmarshal(answer, &value); err != nil {
		return errors.New("the server does not answer like a Mooring server")
	}
	show(value)
	return nil
}

type hooksListCommand struct {
	hooksFlags
	jsonFlag
}

// Help is shown below the flags.
func (hooksListCommand) Help() string {
	return `Examples:
  mooring hooks list --account T11223352
  mooring hooks list --json`
}

// Run prints a line for each subscription.
func (c hooksListCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "account "+c.Account)
	if err != nil {
		return err
	}
	var answer json.RawMessage
	if err := server.call(ctx, http.MethodGet, c.path(server), nil, &answer); err != nil {
		return err
	}
	return printAnswer(c.jsonFlag, stdio.Out, answer, func(all []subscription) {
		rows := [][]string{{"SUBSCRIPTION", "STATE", "ENDPOINT", "EVENTS", "SINCE"}}
		for _, s := range all {
			rows = append(rows, []string{
				printable(s.ID), printable(s.Health.State), printable(s.Config.URL), printable(strings.Join(s.Events, " ")), printable(s.CreatedAt),
			})
		}
		printTable(stdio.Out, rows)
	})
}

// hookSettings are what a subscription may say of itself.
type hookSettings struct {
	Events            []string `placeholder:"NAME" help:"Events to tell of, such as account_connection_update; may be repeated."`
	HMACSecretFile    string   `name:"hmac-secret-file" xor:"own" placeholder:"FILE" help:"File with a secret that the header event-signature is made with (HMAC-SHA1)."`
	AuthorizationFile string   `xor:"own" placeholder:"FILE" help:"File with what is sent as the header Authorization."`
	Fields            *string  `placeholder:"MASK" help:"Send only these members, such as account_id,connection(connection,status); empty for everything."`
	Exclude           []string `sep:"none" placeholder:"MASK" help:"Leave these members out, such as connection(since,due); may be repeated. Empty for none."`
	InsecureSSL       *bool    `name:"insecure-ssl" negatable:"" help:"Send to whoever answers, whatever certificate they show; the operator must allow it."`
	Asymmetric        *bool    `negatable:"" help:"Sign with a key pair too (v1a), so that the receiver need not keep a secret."`
}

// body is what the flags say, as the server takes it.
func (s hookSettings) body(endpoint string) (map[string]any, error) {
	body, config := map[string]any{}, map[string]any{}
	if endpoint != "" {
		config["url"] = endpoint
	}
	if len(s.Events) > 0 {
		body["events"] = s.Events
	}
	if s.Fields != nil {
		body["fields"] = *s.Fields
		if *s.Fields == "" {
			body["fields"] = nil
		}
	}
	if slices.Equal(s.Exclude, []string{""}) {
		body["exclude_fields"] = nil
	} else if len(s.Exclude) > 0 {
		body["exclude_fields"] = s.Exclude
	}
	if s.InsecureSSL != nil {
		config["insecure_ssl"] = map[bool]int{true: 1}[*s.InsecureSSL]
	}
	if s.Asymmetric != nil {
		config["asymmetric"] = *s.Asymmetric
	}
	for kind, file := range map[string]string{hook.SecretHMAC: s.HMACSecretFile, hook.SecretAuthorization: s.AuthorizationFile} {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		config["secret"] = map[string]any{"type": kind, "value": strings.TrimSpace(string(text))}
	}
	if len(config) > 0 {
		body["config"] = config
	}
	return body, nil
}

type hooksCreateCommand struct {
	hooksFlags
	jsonFlag
	hookSettings
	Endpoint string `arg:"" help:"URL that events are posted to."`
	Inactive bool   `help:"Tell nothing yet."`
}

// Help is shown below the flags.
func (hooksCreateCommand) Help() string {
	return `Sends the endpoint a ping. Prints the secret of Standard Webhooks, which is not
shown again: mooring hooks rotate gives another.

Examples:
  mooring hooks create --account T11223352 http://localhost:3000/hook --events account_connection_update
  mooring hooks create https://shop.example.com/hook --events account_add,account_update \
      --hmac-secret-file hook.secret --url https://connections.example.com --client ID --secret-file FILE`
}

// Run makes a subscription.
func (c hooksCreateCommand) Run(ctx context.Context, stdio Stdio) error {
	if len(c.Events) == 0 {
		return errors.New("say what to tell of, such as --events account_connection_update")
	}
	server, err := c.connect(ctx, "account "+c.Account)
	if err != nil {
		return err
	}
	body, err := c.body(c.Endpoint)
	if err != nil {
		return err
	}
	if c.Inactive {
		body["active"] = false
	}
	var answer json.RawMessage
	if err := server.call(ctx, http.MethodPost, c.path(server), body, &answer); err != nil {
		return err
	}
	return printAnswer(c.jsonFlag, stdio.Out, answer, func(s subscription) { s.print(stdio.Out) })
}

type hooksShowCommand struct {
	hookFlags
	jsonFlag
}

// Help is shown below the flags.
func (hooksShowCommand) Help() string {
	return `Examples:
  mooring hooks show --account T11223352 01990f35-02bb-7e10-b5d7-91f4a7c06d33
  mooring hooks show 01990f35-02bb-7e10-b5d7-91f4a7c06d33 --json`
}

// Run prints one subscription.
func (c hooksShowCommand) Run(ctx context.Context, stdio Stdio) error {
	return c.ask(ctx, stdio, c.jsonFlag, http.MethodGet, "", nil)
}

// ask sends a request about a subscription, and prints it as it is then.
func (f hookFlags) ask(ctx context.Context, stdio Stdio, form jsonFlag, method, part string, body any) error {
	server, path, err := f.open(ctx)
	if err != nil {
		return err
	}
	var answer json.RawMessage
	if err := server.call(ctx, method, path+part, body, &answer); err != nil {
		return err
	}
	return printAnswer(form, stdio.Out, answer, func(s subscription) { s.print(stdio.Out) })
}

type hooksDeleteCommand struct{ hookFlags }

// Help is shown below the flags.
func (hooksDeleteCommand) Help() string {
	return `What waited for it is told to nobody. To keep its place, disable it instead.

Examples:
  mooring hooks delete --account T11223352 01990f35-02bb-7e10-b5d7-91f4a7c06d33
  mooring hooks delete 01990f35-02bb-7e10-b5d7-91f4a7c06d33`
}

// Run deletes a subscription.
func (c hooksDeleteCommand) Run(ctx context.Context, stdio Stdio) error {
	return c.do(ctx, stdio, http.MethodDelete, "", "deleted")
}

type hooksPingCommand struct{ hookFlags }

// Help is shown below the flags.
func (hooksPingCommand) Help() string {
	return `A ping is sent once. mooring deliveries list shows what became of it.

Examples:
  mooring hooks ping --account T11223352 01990f35-02bb-7e10-b5d7-91f4a7c06d33
  mooring hooks ping 01990f35-02bb-7e10-b5d7-91f4a7c06d33`
}

// Run sends a ping.
func (c hooksPingCommand) Run(ctx context.Context, stdio Stdio) error {
	return c.do(ctx, stdio, http.MethodPost, "/ping", "a ping is on its way")
}

// do asks for something that has no answer, and says that it is done.
func (f hookFlags) do(ctx context.Context, stdio Stdio, method, part, done string) error {
	server, path, err := f.open(ctx)
	if err != nil {
		return err
	}
	if err := server.call(ctx, method, path+part, nil, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdio.Out, done)
	return err
}

type hooksRotateCommand struct {
	hookFlags
	jsonFlag
	Overlap string `default:"24h" placeholder:"DURATION" help:"For how long messages are signed with the secret before, too, such as 90s, 1h or 7d; 0 ends it at once."`
}

// Help is shown below the flags.
func (hooksRotateCommand) Help() string {
	return `Prints the new secret, which is not shown again.

Examples:
  mooring hooks rotate --account T11223352 01990f35-02bb-7e10-b5d7-91f4a7c06d33
  mooring hooks rotate 01990f35-02bb-7e10-b5d7-91f4a7c06d33 --overlap 0`
}

// Run gives another secret.
func (c hooksRotateCommand) Run(ctx context.Context, stdio Stdio) error {
	return c.ask(ctx, stdio, c.jsonFlag, http.MethodPost, "/rotate-secret?overlap="+url.QueryEscape(c.Overlap), nil)
}
