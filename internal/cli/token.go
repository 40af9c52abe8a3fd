package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/secret"
)

type tokenCommand struct {
	remoteFlags
	For    string `placeholder:"ACCOUNT" help:"Act for this merchant: exchange the token for one of its, as a partner does."`
	JSON   bool   `help:"Print the whole answer as JSON, not the token alone."`
	Decode bool   `help:"Explain a token instead of getting one: what it is, whose, until when, and why it would be refused."`
	File   string `arg:"" optional:"" placeholder:"FILE" help:"With --decode: the file with the token; without it the standard input."`
}

// Help is shown below the flags.
func (tokenCommand) Help() string {
	return `Without --decode it logs in and prints an access token, for use in other
programs. Whoever has the token is the client: don't put it where others read.

With --decode it asks the server for its public keys, checks the signature, and
whether the server still takes the token. It never prints the signature.

Examples:
  mooring token
  mooring token --for T11223351 --json
  mooring token | mooring token --decode
  mooring token --decode leaked.txt --url https://connections.example.com`
}

// Run gets a token, or explains one.
func (c tokenCommand) Run(ctx context.Context, stdio Stdio) error {
	if c.Decode {
		return c.decode(ctx, stdio)
	}
	if c.File != "" {
		return errors.New("a file is only read with --decode")
	}
	token, err := c.get(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(stdio.Out).Encode(map[string]any{
			"access_token": token.plain.Reveal(), "token_type": "Bearer", "expires_in": token.seconds,
		})
	}
	_, err = fmt.Fprintln(stdio.Out, token.plain.Reveal())
	return err
}

// gotten is a token that was just issued.
type gotten struct {
	plain   secret.Plain
	seconds int
}

// get logs in, and acts for a merchant when it is told to.
func (c tokenCommand) get(ctx context.Context) (gotten, error) {
	server, err := c.connect(ctx, "account "+c.For)
	if err != nil {
		return gotten{}, err
	}
	own := explain(server.bearer.Reveal())
	if c.For == "" {
		return gotten{server.bearer, int(own.Claims.ExpiresAt - own.Claims.IssuedAt)}, nil
	}
	if _, err := account.ParseID(c.For); err != nil {
		return gotten{}, errors.New("--for must be an account id, such as T11223351")
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := server.call(ctx, http.MethodPost, accountPath(own.account())+"/auth/exchange_token", map[string]string{"account_id": c.For}, &answer); err != nil {
		return gotten{}, err
	}
	server.bearer = secret.NewPlain(answer.AccessToken)
	ask := map[string]string{"grant_type": "client_credentials", "audience": own.Claims.Issuer + accountPath(c.For)}
	if err := server.call(ctx, http.MethodPost, accountPath(c.For)+"/auth/token", ask, &answer); err != nil {
		return gotten{}, err
	}
	return gotten{secret.NewPlain(answer.AccessToken), answer.ExpiresIn}, nil
}

// maxTokenFile is how much is read of what may be a token.
const maxTokenFile = 64 << 10

func (c tokenCommand) decode(ctx context.Context, stdio Stdio) error {
	in := io.Reader(os.Stdin)
	if c.File != "" {
		file, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxTokenFile))
	if err != nil {
		return err
	}
	token := strings.TrimSpace(string(text))
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	e := explain(token)
	e.judge(time.Now())
	c.ask(ctx, token, &e)
	return e.print(stdio.Out)
}
