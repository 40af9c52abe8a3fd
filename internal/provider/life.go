package provider

import (
	"strconv"
	"time"
)

// What a file says of a provider's behaviour: how signups reach it, and what
// the simulated one does.

type scenario struct {
	Summary string   `json:"summary"`
	Answer  *outcome `json:"answer"`
	Steps   []step   `json:"steps"`
}

type step struct {
	After    string         `json:"after"`
	Callback map[string]any `json:"callback"`
	Report   map[string]any `json:"report"`
	Times    int            `json:"times"`
	Lost     bool           `json:"lost"`
	Failed   bool           `json:"failed"`
}

type outcome struct {
	Status        string         `json:"status"`
	Event         string         `json:"event"`
	Reason        string         `json:"reason"`
	ProviderCode  string         `json:"provider_code"`
	Configuration map[string]any `json:"configuration"`
}

type magic struct {
	Member string            `json:"member"`
	Values map[string]string `json:"values"`
}

type batch struct {
	Separator string `json:"separator"`
	Reader    string `json:"reader"`
	Columns   []struct {
		Name string `json:"name"`
		From string `json:"from"`
	} `json:"columns"`
	Answer struct {
		Reference string             `json:"reference"`
		Status    string             `json:"status"`
		Code      string             `json:"code"`
		Outcomes  map[string]outcome `json:"outcomes"`
	} `json:"answer"`
}

func (o outcome) report() Report {
	r := Report{Status: o.Status, Event: o.Event, Code: o.Reason, ProviderCode: o.ProviderCode}
	if o.Configuration != nil {
		r.Configuration = canonical(o.Configuration)
	}
	return r
}

func (f file) scenarios() map[string]Scenario {
	all := map[string]Scenario{Happy: {}}
	for name, s := range f.Scenarios {
		played := Scenario{Summary: s.Summary}
		if s.Answer != nil {
			answer := s.Answer.report()
			played.Answer = &answer
		}
		for _, one := range s.Steps {
			played.Steps = append(played.Steps, f.step(one))
		}
		all[name] = played
	}
	return all
}

func (f file) step(s step) Step {
	made := Step{After: duration(s.After), Times: max(s.Times, 1), Lost: s.Lost, Failed: s.Failed}
	if body := f.callbackBody(s); body != nil {
		made.Callback = canonical(body)
	}
	if s.Report != nil {
		made.Report = canonical(s.Report)
	}
	return made
}

// callbackBody is the body of a step's call back: the one that stands there, or
// the valid example that {$example: N} names. It is nil when there is none.
func (f file) callbackBody(s step) any {
	if s.Callback == nil {
		return nil
	}
	named, ok := s.Callback["$example"]
	if !ok {
		return s.Callback
	}
	n, ok := wholeNumber(named)
	if !ok || n >= len(f.Examples.Callback.Valid) || len(s.Callback) > 1 {
		return nil
	}
	return f.Examples.Callback.Valid[n].Body
}

func (f file) batch() *Batch {
	if f.Batch == nil {
		return nil
	}
	b := &Batch{Separator: []rune(f.Batch.Separator)[0], Machine: f.Batch.Reader == "machine"}
	for _, c := range f.Batch.Columns {
		b.Columns = append(b.Columns, Column(c))
	}
	answer := f.Batch.Answer
	b.Answer = BatchAnswer{Reference: answer.Reference, Status: answer.Status, Code: answer.Code, Outcomes: map[string]Report{}}
	for text, o := range answer.Outcomes {
		b.Answer.Outcomes[text] = o.report()
	}
	return b
}

var units = map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}

// duration reads what the file's schema let through; "" is 0.
func duration(text string) time.Duration {
	if text == "" {
		return 0
	}
	last := len(text) - 1
	n, _ := strconv.Atoi(text[:last])
	return time.Duration(n) * units[text[last]]
}
