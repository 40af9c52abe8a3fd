package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// What the examples of the reference are made of.
const (
	sampleTime   = "2026-05-12T09:30:00Z"
	sampleLater  = "2026-05-12T09:41:20Z"
	sampleExpiry = "2026-06-11T09:30:00Z"
	sampleSignup = "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01"
	sampleLink   = "https://connections.example.com/s/4Jx0TqfWgV7mXn2kRb8uLQ"
	sampleClient = "1c92f7e1-2897-4d46-bdcc-c127a914fb4e"
)

// sampledAt is when the sample signup was made.
var sampledAt = time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC)

// sampleEvents are the ids of the events in an example, oldest first.
var sampleEvents = []string{"01990f29-1a00-7c31-8a40-3f0e9c1b2a55", "01990f33-7b80-7e10-b5d7-91f4a7c06d33"}

// requestExamples are the valid examples of the file as request bodies.
func (p *Provider) requestExamples() map[string]any {
	all := map[string]any{}
	for i, e := range p.file.Examples.Valid {
		value := e.Signup
		if !p.Signup.Whole {
			value = map[string]any{"signup": e.Signup}
		}
		all["signup"+strconv.Itoa(i+1)] = map[string]any{"summary": e.Summary, "value": value}
	}
	return all
}

// pendingExample is the connection right after the file's first example.
func (p *Provider) pendingExample() map[string]any {
	events := []any{sampleEvent(0, "pending", signupReceived, sampleTime)}
	return map[string]any{
		"summary": "The signup was received",
		"value":   p.sampleConnection("pending", sampleTime, events, nil),
	}
}

// answeredExample is that connection once the provider has answered.
func (p *Provider) answeredExample(answer Report) map[string]any {
	events := []any{
		sampleEvent(0, "pending", signupReceived, sampleTime),
		sampleEvent(1, answer.Status, answer.Event, sampleLater),
	}
	return map[string]any{
		"summary": "The provider has answered",
		"value":   p.sampleConnection(answer.Status, sampleLater, events, p.sampleConfiguration(answer.Configuration)),
	}
}

func (p *Provider) sampleConnection(status, updatedAt string, events []any, configuration map[string]any) map[string]any {
	whole := map[string]any{
		"events": events, "created_at": sampleTime, "created_by": sampleClient, "updated_at": updatedAt,
		"metadata": map[string]any{}, "status": status, "schema": json.Number(fmt.Sprint(p.Schema)),
	}
	if p.Signup.Many {
		whole["signups"] = []any{p.sampleSignup()}
	} else {
		whole["signup"] = p.sampleSignup()
	}
	if configuration != nil {
		whole["configuration"] = configuration
	}
	return whole
}

// sampleConfiguration is what the connection's own GET shows of a
// configuration.
func (p *Provider) sampleConfiguration(configuration []byte) map[string]any {
	if configuration == nil {
		return nil
	}
	return plainObject(p.Disclose(p.SplitConfiguration(configuration)))
}

// sampleSignup shows the file's first example as the view has it, before the
// provider called back.
func (p *Provider) sampleSignup() map[string]any {
	view, signup := p.Signup.View, map[string]any{}
	kept, _ := p.SplitSignup(p.example)
	for _, name := range view.Members {
		if name != "callback_at" {
			signup[name] = generated[name]["examples"].([]any)[0]
		}
	}
	for name, value := range view.Constants {
		signup[name] = value
	}
	switch view.Data {
	case "":
	case inline:
		maps.Copy(signup, plainObject(kept))
	default:
		signup[view.Data] = plainObject(kept)
	}
	return signup
}

func sampleEvent(number int, status, name, at string) map[string]any {
	return map[string]any{
		"status": status, "event": name, "id": sampleEvents[number], "created_at": at, "created_by": sampleClient,
	}
}
