package provider

// ScenarioHeader lets a signup of a test account choose a scenario.
const ScenarioHeader = "Mooring-Scenario"

// scenarioParameter is that header, as the contract of a signup declares it.
func (p *Provider) scenarioParameter() map[string]any {
	return map[string]any{
		"name": ScenarioHeader, "in": "header",
		"x-mooring-extension": true,
		"description":         scenarioText,
		"schema":              map[string]any{"type": "string", "enum": texts(p.ScenarioNames())},
		"example":             Happy,
	}
}

const scenarioText = "For test accounts only: what the simulated provider does after the signup. Without it a magic value in the signup decides,\n" +
	"or it is `happy`. A production account is refused with 400."
