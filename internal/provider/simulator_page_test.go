package provider_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/internal/provider"
	"mooring/providers"
)

func TestTheScenariosAreDocumented(t *testing.T) {
	catalogue, err := provider.Load(providers.FS)
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	page.WriteString(simulatorHead)
	for _, p := range catalogue.All() {
		fmt.Fprintf(&page, "\n## %s\n\n`%s`. %s\n\n| scenario | magic value | what happens | steps |\n| --- | --- | --- | --- |\n", p.Title, p.Slug, magicOf(p))
		for _, name := range p.ScenarioNames() {
			s := p.Scenarios[name]
			fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", name, valueOf(p, name), s.Summary, stepsOf(p, s))
		}
	}
	const name = "../../docs/simulator.md"
	if *update {
		if err := os.WriteFile(name, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, page.Bytes()) {
		t.Errorf("%s is not what the provider files say; write it anew with go test ./internal/provider -update", name)
	}
}

func magicOf(p *provider.Provider) string {
	if p.Magic.Member == "" {
		return "No member of the signup chooses a scenario; use the header."
	}
	return "Magic values stand in `" + p.Magic.Member + "` of the signup."
}

func valueOf(p *provider.Provider, scenario string) string {
	for _, value := range slices.Sorted(maps.Keys(p.Magic.Values)) {
		if p.Magic.Values[value] == scenario {
			return "`" + value + "`"
		}
	}
	return ""
}

// stepsOf tells each step by its time and event.
func stepsOf(p *provider.Provider, s provider.Scenario) string {
	var all []string
	for _, step := range s.Steps {
		said := p.Says(step, provider.Signed{Data: []byte(`{}`)})
		text := fmt.Sprintf("%s `%s` %s", span(step.After), said.Event, said.Status)
		switch {
		case step.Lost:
			text += ", lost"
		case step.Times > 1:
			text += fmt.Sprintf(", %d times", step.Times)
		}
		all = append(all, text)
	}
	if s.Answer != nil {
		all = append(all, fmt.Sprintf("when asked `%s` %s", s.Answer.Event, s.Answer.Status))
	}
	return strings.Join(all, "; ")
}

func span(d time.Duration) string {
	switch day := 24 * time.Hour; {
	case d%day == 0 && d > 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
}

const simulatorHead = `# Simulated providers

The providers of test accounts (` + "`T...`" + `) are simulated. After each signup they play a scenario, step by step, through the same
callbacks as real providers use. When a step happens is said by the account's own clock, which begins with real time and goes ahead
as you move it. A production account (` + "`P...`" + `) has none of this: no scenario, no clock, no buttons on its page.

## Choosing a scenario

In this order:

* the header ` + "`Mooring-Scenario`" + ` of the signup,
* a magic value in a member of the signup, as the tables below have them,
* ` + "`happy`" + `.

Later, while the signup is pending: ` + "`mooring simulate --account T11223352 --connection vipps --scenario declined`" + `, or
` + "`POST /v1/accounts/{aid}/connections/{connection}/simulate`" + `. The new scenario begins at once and what was left of the old one does not
happen. ` + "`mooring trigger --account T11223352 vipps declined --play`" + ` does the same, moves the clock to the end of it, and prints the events as
they come. A person can also follow ` + "`signup.url`" + ` and sign or decline: that plays the rest of ` + "`happy`" + ` or ` + "`declined`" + ` in one go.

## Letting time pass

` + "```text" + `
mooring clock show    --account T11223352
mooring clock advance --account T11223352 3d
mooring clock to-next --account T11223352
` + "```" + `

or ` + "`GET`" + ` and ` + "`POST /v1/accounts/{aid}/clock`" + ` with ` + "`{\"advance\": \"3d\"}`" + ` or ` + "`{\"to\": \"next\"}`" + `. The clock goes at most a year at once, and
never back. Everything that becomes due on the way happens in the order of time, whatever the connection, and the clock stands at each
step's time while it happens: ` + "`created_at`" + ` and ` + "`expires_at`" + ` are the account's time, too. Tokens, idempotency keys and limits live by
real time. Without being moved, the clock runs with real time, and what becomes due happens within seconds.

Among what becomes due are the reminders of certificates: an event ` + "`credential_expiring`" + ` 60, 30 and 7 days before one in force
ends. A move stops at each of them as it does at steps, ` + "`clock show`" + ` says when it is the next within a year, and ` + "`to-next`" + ` goes
there. While nobody moves the clock they are looked for every hour.

A call that is lost never arrives; asking with ` + "`?sync=true`" + ` learns what it would have said. Playing a step twice, after a crash
of the service, changes nothing.

# Scenarios by provider

Times are since the signup. This part is made from the provider files.
`
