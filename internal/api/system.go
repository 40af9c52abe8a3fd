package api

import (
	"context"
	"strings"

	"mooring/internal/fault"
	"mooring/internal/gate"
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
