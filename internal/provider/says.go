package provider

import "encoding/json"

// Says is what a question learns of a step: what its call says, whether or not
// it arrives.
func (p *Provider) Says(step Step, by Signed) Report {
	if step.Callback != nil {
		return Report{
			Status: p.Callback.To, Event: p.Callback.Event, Configuration: p.Configure(Fill(step.Callback, by), by.Data),
		}
	}
	var said struct {
		Status        string          `json:"status"`
		Event         string          `json:"event"`
		Code          string          `json:"code"`
		ProviderCode  string          `json:"provider_code"`
		Configuration json.RawMessage `json:"configuration"`
	}
	_ = json.Unmarshal(Fill(step.Report, by), &said) // it was checked with its file
	return Report{
		Status: said.Status, Event: said.Event, Code: said.Code, ProviderCode: said.ProviderCode, Configuration: said.Configuration,
	}
}
