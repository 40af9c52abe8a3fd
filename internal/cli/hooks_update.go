package cli

import (
	"context"
	"errors"
	"net/http"
)

type hooksUpdateCommand struct {
	hookFlags
	jsonFlag
	hookSettings
	Endpoint string `placeholder:"URL" help:"URL that events are posted to from now on; it gets a ping."`
}

// Help is shown below the flags.
func (hooksUpdateCommand) Help() string {
	return `What no flag names stays as it is.

Examples:
  mooring hooks update 01990f35-02bb-7e10-b5d7-91f4a7c06d33 --endpoint https://shop.example.com/v2/hook
  mooring hooks update 01990f35-02bb-7e10-b5d7-91f4a7c06d33 --events account_add,account_update`
}

// Run changes a subscription.
func (c hooksUpdateCommand) Run(ctx context.Context, stdio Stdio) error {
	body, err := c.body(c.Endpoint)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return errors.New("say what is to change, such as --events account_connection_update")
	}
	return c.ask(ctx, stdio, c.jsonFlag, http.MethodPut, "", body)
}

type hooksEnableCommand struct {
	hookFlags
	jsonFlag
}

// Help is shown below the flags.
func (hooksEnableCommand) Help() string {
	return `Also for one that was switched off because its endpoint failed for days: what
happened meanwhile is told first.

Examples:
  mooring hooks enable --account T11223352 01990f35-02bb-7e10-b5d7-91f4a7c06d33
  mooring hooks enable 01990f35-02bb-7e10-b5d7-91f4a7c06d33`
}

// Run switches a subscription on.
func (c hooksEnableCommand) Run(ctx context.Context, stdio Stdio) error {
	return c.ask(ctx, stdio, c.jsonFlag, http.MethodPut, "", map[string]any{"active": true})
}

type hooksDisableCommand struct {
	hookFlags
	jsonFlag
}

// Help is shown below the flags.
func (hooksDisableCommand) Help() string {
	return `Examples:
  mooring hooks disable --account T11223352 01990f35-02bb-7e10-b5d7-91f4a7c06d33
  mooring hooks disable 01990f35-02bb-7e10-b5d7-91f4a7c06d33`
}

// Run switches a subscription off.
func (c hooksDisableCommand) Run(ctx context.Context, stdio Stdio) error {
	return c.ask(ctx, stdio, c.jsonFlag, http.MethodPut, "", map[string]any{"active": false})
}
