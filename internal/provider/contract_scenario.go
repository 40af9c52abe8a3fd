package provider

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ScenarioHeader lets a signup of a test account choose a scenario.
const ScenarioHeader = "Mooring-Scenario"

// scenarioParameter is that header, as the contract of a signup declares it.
func (p *Provider) scenarioParameter() map[string]any {
	return map[string]any{
		"name": ScenarioHeader, "in": "header",
		"x-mooring-extension": true,
		"description":         paragraphs(scenarioText, p.magicText()),
		"schema":              map[string]any{"type": "string", "enum": texts(p.ScenarioNames())},
		"example":             Happy,
	}
}

const scenarioText = "For test accounts only: what the simulated provider does after the signup. A production account is refused with 400."

// magicText tells what chooses a scenario when the header does not.
func (p *Provider) magicText() string {
	if p.Magic.Member == "" {
		return "Without it the scenario is `" + Happy + "`."
	}
	var values []string
	for _, value := range slices.Sorted(maps.Keys(p.Magic.Values)) {
		values = append(values, fmt.Sprintf("`%s` for `%s`", value, p.Magic.Values[value]))
	}
	return fmt.Sprintf("Without it the member `%s` of the signup may choose: %s. Otherwise the scenario is `%s`.",
		p.Magic.Member, strings.Join(values, ", "), Happy)
}
