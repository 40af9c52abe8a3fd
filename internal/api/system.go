package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/provider"
)

type state struct {
	Status string `json:"status"`
}

// health says that the process answers.
func (o operations) health(context.Context, *gate.Call, struct{}) (state, error) {
	return state{"ok"}, nil
}

// ready says whether requests should be sent here.
func (o operations) ready(ctx context.Context, _ *gate.Call, _ struct{}) (state, error) {
	if err := o.Ready(ctx); err != nil {
		return state{}, fault.New(fault.Unavailable, fault.CodeUnavailable, "not ready").Because(err)
	}
	return state{"ready"}, nil
}

func (o operations) metrics(context.Context, *gate.Call, struct{}) (gate.Reply, error) {
	body, mediaType, err := o.Metrics()
	return gate.Reply{Type: mediaType, Body: body}, err
}

func (o operations) openAPIJSON(context.Context, *gate.Call, struct{}) (gate.Reply, error) {
	return gate.Reply{Body: o.Document.JSON(o.PublicURL)}, nil
}

func (o operations) openAPIYAML(context.Context, *gate.Call, struct{}) (gate.Reply, error) {
	return gate.Reply{Type: "application/yaml", Body: o.Document.YAML(o.PublicURL)}, nil
}

func (o operations) referenceIndex(context.Context, *gate.Call, struct{}) (gate.Reply, error) {
	return gate.Reply{Type: "text/plain; charset=utf-8", Body: o.Pages.Index()}, nil
}

func (o operations) referencePage(_ context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	page, ok := o.Pages.Page(strings.TrimSuffix(call.Path("page"), ".md"))
	if !ok {
		return gate.Reply{}, fault.Missing()
	}
	return gate.Reply{Type: "text/markdown; charset=utf-8", Body: page}, nil
}

//go:embed signup.html
var signupHTML string

var (
	signupTemplate = template.Must(template.New("signup").Parse(signupHTML))
	signupPolicy   = "default-src 'none'; style-src 'sha256-" + styleHash(signupHTML) + "'; frame-ancestors 'none'"
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

// signupPage shows where the signup behind a link stands. A link that leads
// nowhere is answered with a page too: it is people who follow it.
func (o operations) signupPage(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	c, signup, err := o.Store.SignupByToken(ctx, call.Path("token"))
	if fault.From(err).Kind == fault.NotFound || err == nil && !o.Serves(c.Account) {
		return page(http.StatusNotFound, "Unknown link", "This link is not known. Please check that it is complete.")
	}
	if err != nil {
		return gate.Reply{}, err
	}
	p, err := o.provider(c.Provider)
	if err != nil {
		return gate.Reply{}, err
	}
	return page(http.StatusOK, p.Title, fmt.Sprintf(o.sentence(c, signup, p), p.Title))
}

// sentence says how a signup stands, with a place for the provider's name.
func (o operations) sentence(c *connection.Connection, signup connection.Signup, p *provider.Provider) string {
	switch {
	case signup.Seq != c.LastSignup && !p.Signup.Many:
		return "This application to %s was replaced by a newer one."
	case c.Status == connection.Pending && !o.Now().Before(signup.ExpiresAt):
		return "The link of this application to %s has expired."
	default:
		return sentences[c.Status]
	}
}

func page(status int, title, sentence string) (gate.Reply, error) {
	var html bytes.Buffer
	err := signupTemplate.Execute(&html, map[string]string{"Title": title, "Sentence": sentence})
	return gate.Reply{
		Status: status, Type: "text/html; charset=utf-8", Body: html.Bytes(),
		Header: map[string]string{
			"Content-Security-Policy": signupPolicy,
			"Referrer-Policy":         "no-referrer",
		},
	}, err
}
