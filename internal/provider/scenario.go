package provider

import (
	"maps"
	"slices"
)

// Happy is the scenario that a test account's provider plays unless it is told
// to play another.
const Happy = "happy"

// ScenarioNames lists the scenarios of the file, by name.
func (p *Provider) ScenarioNames() []string { return slices.Sorted(maps.Keys(p.Scenarios)) }
