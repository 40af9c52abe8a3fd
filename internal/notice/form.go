package notice

import (
	"encoding/json"
	"strings"
)

// Plain is a text as a mailbox shows it.
func (t Text) Plain() string {
	lines := t.Lines
	if t.Link != "" {
		lines = append(append([]string{}, lines...), "", t.Link)
	}
	if t.Stop != "" {
		lines = append(append([]string{}, lines...), "", "-- ", "To get no more of these: "+t.Stop)
	}
	return strings.Join(lines, "\n") + "\n"
}

// escapeSlack takes from a text what Slack reads as a mention or a link.
var escapeSlack = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Slack is a text as an incoming webhook of Slack takes it.
func (t Text) Slack() []byte {
	all := append([]string{t.Subject, ""}, t.Lines...)
	if t.Link != "" {
		all = append(all, "", t.Link)
	}
	return mustJSON(map[string]any{
		"text": escapeSlack.Replace(strings.Join(all, "\n")), "mrkdwn": false, "unfurl_links": false, "unfurl_media": false,
	})
}

// block is a paragraph of an adaptive card.
type block struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Wrap   bool   `json:"wrap"`
	Weight string `json:"weight,omitempty"`
}

// escapeTeams takes from a text what a card would read as Markdown.
var escapeTeams = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "`", "\\`")

// Teams is a text as an incoming webhook of Microsoft Teams takes it: an
// adaptive card.
func (t Text) Teams() []byte {
	body := []block{{Type: "TextBlock", Text: escapeTeams.Replace(t.Subject), Wrap: true, Weight: "bolder"}}
	for _, line := range t.Lines {
		if line = strings.TrimSpace(line); line != "" {
			body = append(body, block{Type: "TextBlock", Text: escapeTeams.Replace(line), Wrap: true})
		}
	}
	card := map[string]any{
		"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body,
	}
	if t.Link != "" {
		card["actions"] = []any{map[string]string{"type": "Action.OpenUrl", "title": "Open", "url": t.Link}}
	}
	return mustJSON(map[string]any{
		"type": "message",
		"attachments": []any{map[string]any{
			"contentType": "application/vnd.microsoft.card.adaptive", "content": card,
		}},
	})
}

// mustJSON encodes what always can be: maps and texts of ours.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
