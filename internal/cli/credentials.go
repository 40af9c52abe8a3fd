package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
)

type credentialsCommand struct {
	Release    releaseCommand    `cmd:"" help:"Have the credentials of a connection released, encrypted to recipients."`
	Recipients recipientsCommand `cmd:"" help:"Register, list and end recipients."`
	Expiring   expiringCommand   `cmd:"" help:"List certificates that end soon."`
}

type releaseCommand struct {
	remoteFlags
	Account    string   `required:"" placeholder:"ID" help:"Account that the connection is of."`
	Connection string   `required:"" placeholder:"NAME" help:"Provider of the connection."`
	To         []string `required:"" placeholder:"RECIPIENT" help:"Registered recipients that can open it; may be given again."`
	Reason     string   `placeholder:"TEXT" help:"Why, for the audit."`
}

// Help is shown below the flags.
func (releaseCommand) Help() string {
	return `Prints an age file in ASCII armour, which only the recipients can open. Who had
what released is audited.

Examples:
  mooring credentials release --account T11223352 --connection payex --to checkout > payex.age
  mooring credentials release --account T11223352 --connection payex --to checkout | age -d -i key.txt`
}

// Run prints the encrypted credentials.
func (c releaseCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "connection "+c.Connection+" of "+c.Account+" with credentials")
	if err != nil {
		return err
	}
	in := map[string]any{"recipients": c.To}
	if c.Reason != "" {
		in["reason"] = c.Reason
	}
	var released struct {
		Credentials string `json:"credentials"`
	}
	path := operatorPath(c.Account) + "/connections/" + url.PathEscape(c.Connection) + "/credentials"
	if err := server.call(ctx, http.MethodPost, path, in, &released); err != nil {
		return err
	}
	_, err = fmt.Fprint(stdio.Out, released.Credentials)
	return err
}

const recipientsPath = "/v1/operator/recipients"

type recipientsCommand struct {
	Add  addRecipientCommand   `cmd:"" help:"Register a public key of age."`
	List listRecipientsCommand `cmd:"" help:"List all recipients."`
	End  endRecipientCommand   `cmd:"" help:"End a recipient: nothing is released to it any more."`
}

type recipientLine struct {
	Name      string `json:"name"`
	PublicKey string `json:"public_key"`
	CreatedAt string `json:"created_at"`
	EndedAt   string `json:"ended_at"`
}

type addRecipientCommand struct {
	remoteFlags
	Name      string `arg:"" help:"Name of your choice."`
	PublicKey string `arg:"" help:"Public key, as age-keygen prints it."`
}

// Help is shown below the flags.
func (addRecipientCommand) Help() string {
	return `Examples:
  mooring credentials recipients add checkout age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
  mooring credentials recipients add checkout "$(age-keygen -y key.txt)"`
}

// Run registers a recipient.
func (c addRecipientCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "")
	if err != nil {
		return err
	}
	var line recipientLine
	in := map[string]string{"name": c.Name, "public_key": c.PublicKey}
	if err := server.call(ctx, http.MethodPost, recipientsPath, in, &line); err != nil {
		return err
	}
	return printRecipients(stdio, line)
}

type listRecipientsCommand struct{ remoteFlags }

// Help is shown below the flags.
func (listRecipientsCommand) Help() string {
	return `Examples:
  mooring credentials recipients list
  mooring credentials recipients list --url https://connections.example.com --client ID --secret-file FILE`
}

// Run lists the recipients.
func (c listRecipientsCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "")
	if err != nil {
		return err
	}
	var lines []recipientLine
	if err := server.call(ctx, http.MethodGet, recipientsPath, nil, &lines); err != nil {
		return err
	}
	return printRecipients(stdio, lines...)
}

type endRecipientCommand struct {
	remoteFlags
	Name string `arg:"" help:"Recipient to end."`
}

// Help is shown below the flags.
func (endRecipientCommand) Help() string {
	return `Examples:
  mooring credentials recipients end checkout
  mooring credentials recipients end terminal --url https://connections.example.com --client ID --secret-file FILE`
}

// Run ends a recipient.
func (c endRecipientCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "recipient "+c.Name)
	if err != nil {
		return err
	}
	var line recipientLine
	if err := server.call(ctx, http.MethodDelete, recipientsPath+"/"+url.PathEscape(c.Name), nil, &line); err != nil {
		return err
	}
	return printRecipients(stdio, line)
}

func printRecipients(stdio Stdio, lines ...recipientLine) error {
	table := tabwriter.NewWriter(stdio.Out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "NAME\tPUBLIC KEY\tSINCE\tENDED")
	for _, l := range lines {
		fmt.Fprintln(table, printable(l.Name)+"\t"+printable(l.PublicKey)+"\t"+printable(l.CreatedAt)+"\t"+printable(l.EndedAt))
	}
	return table.Flush()
}

type expiringCommand struct {
	remoteFlags
	Within int `default:"60" placeholder:"DAYS" help:"How many days ahead to look."`
	Limit  int `default:"100" help:"How many to list at most."`
}

// Help is shown below the flags.
func (expiringCommand) Help() string {
	return `Certificates of configurations in force, those that end first at the beginning.

Examples:
  mooring credentials expiring
  mooring credentials expiring --within 30`
}

// Run lists certificates that end soon.
func (c expiringCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "")
	if err != nil {
		return err
	}
	var found []struct {
		Account    string `json:"account_id"`
		Connection string `json:"connection"`
		Member     string `json:"member"`
		NotAfter   string `json:"not_after"`
		Days       int    `json:"days"`
	}
	path := fmt.Sprintf("/v1/operator/credentials/expiring?within=%dd&limit=%d", c.Within, c.Limit)
	if err := server.call(ctx, http.MethodGet, path, nil, &found); err != nil {
		return err
	}
	table := tabwriter.NewWriter(stdio.Out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "ACCOUNT\tCONNECTION\tMEMBER\tENDS\tDAYS LEFT")
	for _, e := range found {
		left := strconv.Itoa(e.Days)
		if e.Days < 0 {
			left = "ended"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", printable(e.Account), printable(e.Connection), printable(e.Member), printable(e.NotAfter), left)
	}
	return table.Flush()
}
