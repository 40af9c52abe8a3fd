package notice

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/hook"
)

// Writer puts entries into words.
type Writer struct {
	Title func(slug string) string // what people call a provider
	Link  string                   // where readers find more; {account} and {connection} stand for what it is about
}

// Text is what people are told.
type Text struct {
	Subject string
	Lines   []string // "" is a gap
	Link    string
	Stop    string // where a reader may say that it is enough; "" when there is no such place
}

// What a digest says at most; what is more is counted.
const (
	maxGroups = 40
	maxListed = 20
)

// Tell puts what a rule is due to tell into words: one entry, or those of a
// digest.
func (w Writer) Tell(s hook.Subscription, entries []hook.Entry) Text {
	var n hook.NoticeSettings
	if s.Settings.Notice != nil {
		n = *s.Settings.Notice
	}
	if n.Digest == nil && len(entries) == 1 {
		return w.one(s, n, entries[0])
	}
	return w.digest(s, n, entries)
}

// one tells of one entry.
func (w Writer) one(s hook.Subscription, n hook.NoticeSettings, e hook.Entry) Text {
	var says []string
	for _, cause := range n.Of(e) {
		says = append(says, sentence(cause, e))
	}
	about, lines := w.about(e), []string{"Account: " + string(e.Account)}
	if e.Provider != "" {
		lines = append(lines, "Provider: "+w.title(e.Provider))
	}
	if e.Status != "" {
		lines = append(lines, "Status: "+e.Status)
	}
	if id := endpointOf(e); id != "" {
		lines = append(lines, "Endpoint: "+id)
	}
	lines = append(lines, "Time: "+e.At.UTC().Format("2006-01-02 15:04 MST"), "")
	for _, one := range says {
		lines = append(lines, upper(one)+".")
	}
	return Text{
		Subject: subject(s, about+": "+strings.Join(says, ", ")), Lines: lines,
		Link: w.link(e.Account, e.Provider),
	}
}

// about names what an entry is about.
func (w Writer) about(e hook.Entry) string {
	if e.Provider == "" {
		return string(e.Account)
	}
	return w.title(e.Provider) + " of " + string(e.Account)
}

// group is what a digest tells of at once.
type group struct {
	says  string
	ids   []string // of accounts, or of endpoints
	times int
}

// digest counts what has come together.
func (w Writer) digest(s hook.Subscription, n hook.NoticeSettings, entries []hook.Entry) Text {
	groups := w.groups(n, entries)
	total := 0
	for _, g := range groups {
		total += g.times
	}
	lines := []string{fmt.Sprintf("%s for %s, from %s to %s.", counted(total, "notice"), s.Account, day1(entries), dayN(entries))}
	for _, g := range groups[:min(len(groups), maxGroups)] {
		lines = append(lines, "", fmt.Sprintf("%d × %s", g.times, g.says), "    "+listed(g.ids))
	}
	if more := len(groups) - maxGroups; more > 0 {
		lines = append(lines, "", "And "+counted(more, "more group")+".")
	}
	return Text{Subject: subject(s, fmt.Sprintf("%s for %s", counted(total, "notice"), s.Account)), Lines: lines, Link: w.link(s.Account, "")}
}

func (w Writer) groups(n hook.NoticeSettings, entries []hook.Entry) []*group {
	var all []*group
	by := map[string]*group{}
	for _, e := range entries {
		for _, cause := range n.Of(e) {
			says := upper(sentence(cause, e))
			if e.Provider != "" {
				says = w.title(e.Provider) + ": " + sentence(cause, e)
			}
			g := by[says]
			if g == nil {
				g = &group{says: says}
				by[says], all = g, append(all, g)
			}
			g.times++
			if id := cmp.Or(endpointOf(e), string(e.Account)); !slices.Contains(g.ids, id) {
				g.ids = append(g.ids, id)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *group) int { return b.times - a.times })
	return all
}

// Test tells that a rule works.
func (w Writer) Test(s hook.Subscription) Text {
	return Text{
		Subject: subject(s, "test of a notice for "+string(s.Account)),
		Lines:   []string{fmt.Sprintf("Notices for %s come here. This is a test; nothing has happened.", s.Account)},
		Link:    w.link(s.Account, ""),
	}
}

// Confirm asks the reader of an address whether notices may come, behind a
// link. Whoever did not ask for them has nothing to do.
func (w Writer) Confirm(s hook.Subscription, link string) Text {
	return Text{
		Subject: subject(s, "please confirm notices for "+string(s.Account)),
		Lines: []string{
			fmt.Sprintf("%s wants to send notices about its connections to this address.", s.Account),
			"", "To get them, confirm the address here:", link, "",
			"If you do not want them, do nothing: nothing more is sent.",
		},
	}
}

func (w Writer) title(slug string) string {
	if title := w.Title(slug); title != "" {
		return title
	}
	return slug
}

func (w Writer) link(id account.ID, slug string) string {
	return strings.NewReplacer("{account}", url.PathEscape(string(id)), "{connection}", url.PathEscape(slug)).Replace(w.Link)
}

// turns are who must act, in words.
var turns = map[string]string{
	"":         "nobody must act any more",
	"merchant": "the merchant must act", "partner": "the partner must act",
	"provider": "the provider must act", "operator": "the operator must act",
}

// sentence is what a cause says of an entry, without the stop at the end.
func sentence(cause hook.Cause, e hook.Entry) string {
	switch cause {
	case hook.TurnChanged:
		return turns[hook.TurnAfter(e)]
	case hook.Stalled:
		return "the next step is overdue"
	case hook.Enabled:
		return "it is ready to use"
	case hook.Declined:
		return "it was declined"
	case hook.Failed:
		return "it failed"
	case hook.CredentialExpiring:
		return "a credential in force ends soon"
	case hook.FailingEndpoint:
		return fmt.Sprintf("an endpoint of hooks fails, and %d %% of the time is over after which it is switched off", percentOf(e))
	default:
		return "an endpoint of hooks was switched off"
	}
}

// endpoint is what the entries about an endpoint say of it.
type endpoint struct {
	Subscription struct{ ID string }
	Percent      int
}

func readEndpoint(e hook.Entry) (told endpoint) {
	if e.Type == hook.EndpointFailing || e.Type == hook.EndpointDisabled {
		_ = json.Unmarshal(e.Body, &told) // an erased entry says nothing
	}
	return told
}

func endpointOf(e hook.Entry) string { return readEndpoint(e).Subscription.ID }

func percentOf(e hook.Entry) int { return readEndpoint(e).Percent }

// subject says of which world a message is.
func subject(s hook.Subscription, says string) string {
	if s.Account.World() == account.Test {
		return "[Mooring test] " + says
	}
	return "[Mooring] " + says
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func counted(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

func listed(ids []string) string {
	if more := len(ids) - maxListed; more > 0 {
		return strings.Join(ids[:maxListed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(ids, ", ")
}

func day1(entries []hook.Entry) string { return spell(entries[0].ToldAt) }

func dayN(entries []hook.Entry) string { return spell(entries[len(entries)-1].ToldAt) }

func spell(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
