package cli

import (
	"context"
	"net/http"
	"net/url"
)

type driftCommand struct {
	remoteFlags
}

// Help is shown below the flags.
func (driftCommand) Help() string {
	return `Lists enabled connections that their provider sees otherwise. Nothing was
changed: a sync takes the provider's word for it, an event says otherwise.

Examples:
  mooring drift
  mooring drift --url https://connections.example.com --client ID --secret-file FILE`
}

// Run prints the list.
func (c driftCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "")
	if err != nil {
		return err
	}
	rows := [][]string{{"ACCOUNT", "CONNECTION", "HERE", "THERE", "SINCE"}}
	for after := ""; ; {
		var page []struct {
			Account    string `json:"account_id"`
			Connection string `json:"connection"`
			Status     string `json:"provider_status"`
			Since      string `json:"since"`
		}
		if err := server.call(ctx, http.MethodGet, "/v1/operator/drift?limit=100"+after, nil, &page); err != nil {
			return err
		}
		for _, d := range page {
			rows = append(rows, []string{printable(d.Account), printable(d.Connection), "enabled", printable(d.Status), printable(d.Since)})
		}
		if len(page) == 0 {
			printTable(stdio.Out, rows)
			return nil
		}
		last := page[len(page)-1]
		after = "&starting_after=" + url.QueryEscape(last.Account+"/"+last.Connection)
	}
}
