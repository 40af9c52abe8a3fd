package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/simulator"
	"mooring/internal/store"
)

//go:embed signup.html
var signupHTML string

var (
	signupTemplate = template.Must(template.New("signup").Parse(signupHTML))
	signupPolicy   = "default-src 'none'; style-src 'sha256-" + styleHash(signupHTML) + "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

// styleHash is what a content security policy names to allow the one style
// sheet inside the page.
func styleHash(page string) string {
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// sentences say a connection's state to the person who followed the link.
var sentences = map[connection.Status]string{
	connection.Pending:  "Your application to %s has been received and is being processed.",
	connection.Enabled:  "%s is connected and ready to use.",
	connection.Failed:   "The application to %s could not be completed.",
	connection.Declined: "The application to %s was declined.",
}

// page is what the template shows.
type page struct {
	Title    string
	Sentence string
	Status   connection.Status // "" when the link leads nowhere
	Asks     *asked            // nil unless somebody may sign here
	Buttons  []button          // other decisions that may be made here
	Test     bool              // nothing on it is real
}

// asked is what a simulated provider asks the merchant to sign.
type asked struct {
	Provider, Business string
	Facts              []fact
	Until              string
}

type fact struct{ Name, Value string }

// button sends a decision.
type button struct {
	Decision, Label string
	First           bool // it is the usual one
}

var unknownLink = page{Title: "Unknown link", Sentence: "This link is not known. Please check that it is complete."}

// found is what a link leads to.
type found struct {
	connection *connection.Connection
	signup     connection.Signup
	account    account.Account
	provider   *provider.Provider
}

// signupPage shows where the signup behind a link stands. A link that leads
// nowhere is answered with a page too: it is people who follow it.
func (o operations) signupPage(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	f, err := o.behindLink(ctx, call.Path("token"))
	if err != nil {
		return deadLink(err)
	}
	return o.show(f)
}

type decisionBody struct {
	Decision string `json:"decision"`
}

// decisions are the scenarios whose rest is played at once.
var decisions = map[string]string{"sign": provider.Happy, "decline": "declined"}

// decideSignup lets a simulated provider act as if the merchant had decided on
// its page.
func (o operations) decideSignup(ctx context.Context, call *gate.Call, in decisionBody) (gate.Reply, error) {
	f, err := o.behindLink(ctx, call.Path("token"))
	if err != nil {
		return deadLink(err)
	}
	if o.Clocks == nil || f.account.ID.World() != account.Test {
		return unknownLink.reply(http.StatusNotFound)
	}
	if o.asks(f) {
		err = o.Clocks.Hold(ctx, f.account.ID, func(h *simulator.Hold) error {
			_, _, err := h.Play(ctx, simulator.Wish{
				Place:  store.Place{Account: f.account.ID, Provider: f.provider.Slug},
				Signup: f.signup.ID, Scenario: decisions[in.Decision], AtOnce: true,
			})
			return err
		})
		if err != nil && fault.From(err).Code != fault.CodeSignupSettled { // somebody else decided first
			return gate.Reply{}, err
		}
	}
	if f, err = o.behindLink(ctx, call.Path("token")); err != nil {
		return deadLink(err)
	}
	return o.show(f)
}

var errDeadLink = errors.New("the link leads nowhere")

// behindLink finds what a link leads to, for whoever has it.
func (o operations) behindLink(ctx context.Context, token string) (found, error) {
	c, signup, err := o.Store.SignupByToken(ctx, token)
	if fault.From(err).Kind == fault.NotFound || err == nil && !o.Serves(c.Account) {
		return found{}, errDeadLink
	}
	if err != nil {
		return found{}, err
	}
	p, err := o.provider(c.Provider)
	if err != nil {
		return found{}, err
	}
	acc, err := o.Store.Account(ctx, auth.Caller{Account: account.Platform(c.Account.World())}, c.Account)
	return found{c, signup, acc, p}, err
}

func deadLink(err error) (gate.Reply, error) {
	if errors.Is(err, errDeadLink) {
		return unknownLink.reply(http.StatusNotFound)
	}
	return gate.Reply{}, err
}

func (o operations) show(f found) (gate.Reply, error) {
	p := page{
		Title: f.provider.Title, Sentence: fmt.Sprintf(o.sentence(f), f.provider.Title),
		Status: f.connection.Status, Test: f.account.ID.World() == account.Test,
	}
	if o.asks(f) {
		p.Asks = &asked{
			Provider: f.provider.Title, Business: f.account.Company.BusinessName, Facts: facts(f.signup.Data),
			Until: f.signup.ExpiresAt.Format("2 January 2006"),
		}
	}
	return p.reply(http.StatusOK)
}

// asks says whether the page stands in for a provider that waits for the
// merchant.
func (o operations) asks(f found) bool {
	return o.Clocks != nil && f.account.ID.World() == account.Test &&
		f.connection.Status == connection.Pending && !f.replaced() && !o.expired(f)
}

func (f found) replaced() bool {
	return f.signup.Seq != f.connection.LastSignup && !f.provider.Signup.Many
}

// expired says whether the link is over, by the account's own time.
func (o operations) expired(f found) bool { return !f.account.Now(o.Now()).Before(f.signup.ExpiresAt) }

// sentence says how a signup stands, with a place for the provider's name.
func (o operations) sentence(f found) string {
	switch {
	case f.replaced():
		return "This application to %s was replaced by a newer one."
	case f.connection.Status == connection.Pending && o.expired(f):
		return "The link of this application to %s has expired."
	default:
		return sentences[f.connection.Status]
	}
}

// maxFacts and maxFactLen bound what the page repeats of a signup.
const (
	maxFacts   = 12
	maxFactLen = 80
)

// facts are the texts and numbers of a signup that may rest in clear.
func facts(data []byte) []fact {
	var members map[string]any
	if json.Unmarshal(data, &members) != nil {
		return nil
	}
	var all []fact
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch members[name].(type) {
		case string, float64, bool:
			value := []rune(fmt.Sprint(members[name]))
			if len(value) > maxFactLen {
				value = append(value[:maxFactLen-1], '…')
			}
			all = append(all, fact{strings.ReplaceAll(name, "_", " "), string(value)})
		}
	}
	return all[:min(len(all), maxFacts)]
}

func (p page) reply(status int) (gate.Reply, error) {
	var html bytes.Buffer
	err := signupTemplate.Execute(&html, p)
	return gate.Reply{
		Status: status, Type: "text/html; charset=utf-8", Body: html.Bytes(),
		Header: map[string]string{
			"Content-Security-Policy": signupPolicy,
			"Referrer-Policy":         "no-referrer",
		},
	}, err
}
