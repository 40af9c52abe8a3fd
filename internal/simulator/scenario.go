package simulator

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/provider"
	"mooring/internal/store"
)

// Due is what a new signup makes due at the provider of a test account: one
// task for each step of its scenario, in the account's own time. A production
// account's provider plays nothing.
func Due(acc account.Account, p *provider.Provider, signup connection.Signup, newID func() string) []store.Task {
	if acc.ID.World() != account.Test {
		return nil
	}
	return tasks(acc.ID, p, signup, func(step provider.Step) time.Time { return signup.CreatedAt.Add(step.After) }, newID)
}

func tasks(
	id account.ID, p *provider.Provider, signup connection.Signup, at func(provider.Step) time.Time, newID func() string,
) []store.Task {
	var all []store.Task
	for i, step := range scenarioOf(p, signup).Steps {
		all = append(all, store.Task{
			Account: id, ID: newID(), Kind: store.TaskStep, Provider: p.Slug,
			Signup: signup.ID, Step: int64(i), DueAt: at(step), State: "due",
		})
	}
	return all
}

// scenarioOf is what a signup's provider plays. One that was stored before
// there were scenarios, or whose scenario the file no longer has, is happy.
func scenarioOf(p *provider.Provider, signup connection.Signup) provider.Scenario {
	if played, ok := p.Scenarios[signup.Scenario]; ok {
		return played
	}
	return p.Scenarios[provider.Happy]
}

// report is the body of a call to the callback for events, as far as a
// question's answer or a person needs to know it.
type report struct {
	Status        string          `json:"status"`
	Event         string          `json:"event"`
	Code          string          `json:"code"`
	ProviderCode  string          `json:"provider_code"`
	Configuration json.RawMessage `json:"configuration"`
}

// says is what a question learns of a step.
func says(p *provider.Provider, step provider.Step, signup connection.Signup) provider.Report {
	if step.Callback != nil {
		return provider.Report{
			Status: p.Callback.To, Event: p.Callback.Event,
			Configuration: p.Configure(fill(step.Callback, signup), signup.Data),
		}
	}
	var said report
	_ = json.Unmarshal(fill(step.Report, signup), &said) // the file was checked when it was loaded
	return provider.Report{
		Status: said.Status, Event: said.Event, Code: said.Code, ProviderCode: said.ProviderCode, Configuration: said.Configuration,
	}
}

// eventOf is the name of the event that a step records.
func eventOf(p *provider.Provider, step provider.Step) string {
	if step.Callback != nil {
		return p.Callback.Event
	}
	var said report
	_ = json.Unmarshal(step.Report, &said) // likewise
	return said.Event
}

// blank is a place in a text that is filled in from the signup: {signup.id},
// {signup:/pointer} for a member of its data, {signup+2h} for a time after it.
var blank = regexp.MustCompile(`\{signup(?:\.id|:(/[^{}]*)|\+(\d+)([mhd]))\}`)

var units = map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

// fill fills the blanks of all texts in a JSON value. A member that the signup
// has not leaves nothing.
func fill(body []byte, signup connection.Signup) []byte {
	if !blank.Match(body) {
		return body
	}
	var data any
	_ = json.Unmarshal(signup.Data, &data) // it was stored as an object
	return blank.ReplaceAllFunc(body, func(found []byte) []byte {
		parts := blank.FindSubmatch(found)
		switch {
		case len(parts[1]) > 0:
			return inText(member(data, string(parts[1])))
		case len(parts[2]) > 0:
			n, _ := strconv.Atoi(string(parts[2])) // digits
			return inText(signup.CreatedAt.Add(time.Duration(n) * units[string(parts[3])]).Format(time.RFC3339))
		default:
			return inText(signup.ID)
		}
	})
}

// inText spells a text as it stands inside the quotes of a JSON string.
func inText(text string) []byte {
	quoted, _ := json.Marshal(text) // a string always can be
	return quoted[1 : len(quoted)-1]
}

// member is the text of a member by its JSON pointer; "" when there is none.
func member(data any, pointer string) string {
	for _, token := range strings.Split(pointer, "/")[1:] {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch inside := data.(type) {
		case map[string]any:
			data = inside[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(inside) {
				return ""
			}
			data = inside[i]
		default:
			return ""
		}
	}
	switch value := data.(type) {
	case string:
		return value
	case nil:
		return ""
	}
	text, _ := json.Marshal(data) // it came out of JSON
	return string(text)
}
