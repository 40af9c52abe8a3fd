package api

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
)

// queueRow is the shape of QueueRow.
type queueRow struct {
	Account      account.ID        `json:"account_id"`
	Partner      string            `json:"partner_id,omitempty"`
	BusinessName string            `json:"business_name,omitempty"`
	Connection   string            `json:"connection"`
	Title        string            `json:"title"`
	Status       connection.Status `json:"status"`
	Event        string            `json:"event"`
	Turn         string            `json:"turn,omitempty"`
	Since        string            `json:"since"`
	Due          string            `json:"due,omitempty"`
	Overdue      bool              `json:"overdue"`
	Code         string            `json:"code,omitempty"`
	Meaning      string            `json:"meaning,omitempty"`
	NextStep     string            `json:"next_step,omitempty"`
	Assignee     string            `json:"assignee,omitempty"`
	SnoozedUntil string            `json:"snoozed_until,omitempty"`
	PagingToken  string            `json:"paging_token,omitempty"`
}

// listQueue pages through what waits for somebody.
func (o operations) listQueue(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	owner, f, err := o.queueQuery(ctx, call)
	if err != nil {
		return gate.Reply{}, err
	}
	position, err := o.startingAfter(call)
	if err != nil {
		return gate.Reply{}, err
	}
	var after store.QueuePosition
	if position != "" {
		var ok bool
		if after, ok = store.ParseQueuePosition(position); !ok {
			return gate.Reply{}, badCursor()
		}
	}
	asCSV, limit := wantsCSV(call), limitOf(call)
	if _, given := call.Query("limit"); asCSV && !given {
		limit = maxQueueCSV
	}
	var found []store.QueueRow
	if owner != "" {
		if found, err = o.Store.Queue(ctx, call.Caller, owner, f, after, limit); err != nil {
			return gate.Reply{}, err
		}
	}
	rows, token := make([]queueRow, len(found)), o.pagingTokens(call)
	for i, r := range found {
		rows[i] = o.queueRow(r, f.Now)
		rows[i].PagingToken = token(f.Position(r).String())
	}
	if asCSV {
		return queueCSV(rows)
	}
	body, err := json.Marshal(rows)
	return gate.Reply{Body: body}, err
}

// queueRow is a row as it is shown at a real time.
func (o operations) queueRow(r store.QueueRow, real time.Time) queueRow {
	p, _ := o.Catalogue.Get(r.Provider)
	now := r.Account.Now(real)
	t := connection.TurnAt(r.Status, r.Stand, p, r.LinkEnds, now)
	shown := queueRow{
		Account: r.Account.ID, BusinessName: r.Account.Company.BusinessName, Connection: r.Provider, Title: r.Provider,
		Status: r.Status, Event: t.Event, Turn: t.Who, Since: onWire(t.Since), Due: onWire(t.Due),
		Overdue: !t.Due.IsZero() && now.After(t.Due), Code: t.Code, Meaning: t.Meaning, NextStep: t.Next, Assignee: r.Stand.Assignee,
	}
	if p != nil {
		shown.Title = p.Title
	}
	if owner := r.Account.Owner; owner != "" && !owner.IsPlatform() {
		shown.Partner = owner.PartnerID()
	}
	if r.Stand.SnoozedUntil.After(now) {
		shown.SnoozedUntil = onWire(r.Stand.SnoozedUntil)
	}
	return shown
}

// nobody is how the queue calls nobody's turn.
const nobody = "nobody"

// queueQuery reads whose queue a call asks for, zero for nobody's, and what it
// is narrowed to.
func (o operations) queueQuery(ctx context.Context, call *gate.Call) (owner account.ID, f store.QueueFilter, err error) {
	if err := o.ownerIsThere(ctx, call); err != nil {
		return "", f, err
	}
	f = store.QueueFilter{Now: o.Now(), Statuses: call.Queries()["status"], Codes: call.Queries()["code"]}
	for _, name := range call.Queries()["connection"] {
		if p, ok := o.Catalogue.Resolve(name); ok {
			name = p.Slug
		}
		f.Providers = append(f.Providers, name)
	}
	for _, turn := range call.Queries()["turn"] {
		if turn == nobody {
			turn = ""
		}
		f.Turns = append(f.Turns, turn)
	}
	if who, ok := call.Query("assignee"); ok {
		f.Assignee = &who
	}
	if text, ok := call.Query("older_than"); ok {
		if f.OlderThan, err = querySpan(text); err != nil {
			return "", f, err
		}
	}
	if f.DueBefore, err = queryTime(call, "due_before"); err != nil {
		return "", f, err
	}
	overdue, _ := call.Query("overdue")
	f.Overdue = overdue == "true"
	switch snoozed, _ := call.Query("snoozed"); snoozed {
	case "show":
		f.Snoozed = store.SnoozedShown
	case "only":
		f.Snoozed = store.SnoozedOnly
	}
	return queueOwner(call), f, nil
}

// queueOwner is whose queue a call asks for: that of the path, or of the
// partner that a platform is interested in; zero when that can't be any.
func queueOwner(call *gate.Call) account.ID {
	owner := call.Account("oid")
	name, given := call.Query("partner")
	if !given {
		return owner
	}
	partner, err := account.ParseOwner(name)
	if err != nil || partner != owner && (!owner.IsPlatform() || partner.World() != owner.World()) {
		return ""
	}
	return partner
}

func querySpan(text string) (time.Duration, error) {
	span, ok := parseSpan(text)
	if !ok {
		return 0, fault.Refused(fault.Problem{
			In: "query", Name: "older_than", Path: "#/older_than", Code: "OUT_OF_RANGE", Message: "older_than is at most 366 days",
		})
	}
	return span, nil
}

// wantsCSV says whether the answer is to be a table.
func wantsCSV(call *gate.Call) bool {
	if format, given := call.Query("format"); given {
		return format == "csv"
	}
	return firstAccepted(call) == "text/csv"
}

// queueCounts is the shape of QueueCounts.
type queueCounts struct {
	Connections int64                       `json:"connections"`
	Waiting     int64                       `json:"waiting"`
	Statuses    map[connection.Status]int64 `json:"statuses"`
	Turns       map[string]int64            `json:"turns"`
	Groups      []queueGroup                `json:"groups"`
}

type queueGroup struct {
	Connection string            `json:"connection"`
	Status     connection.Status `json:"status"`
	Turn       string            `json:"turn,omitempty"`
	Code       string            `json:"code,omitempty"`
	Waiting    bool              `json:"waiting"`
	Count      int64             `json:"count"`
}

// countQueue says how many connections stand how.
func (o operations) countQueue(ctx context.Context, call *gate.Call, _ struct{}) (queueCounts, error) {
	owner, f, err := o.queueQuery(ctx, call)
	if err != nil {
		return queueCounts{}, err
	}
	told := queueCounts{
		Statuses: map[connection.Status]int64{}, Groups: []queueGroup{},
		Turns: map[string]int64{"merchant": 0, "partner": 0, "provider": 0, "operator": 0, nobody: 0},
	}
	for _, status := range connection.Statuses {
		told.Statuses[status] = 0
	}
	if owner == "" {
		return told, nil
	}
	counts, err := o.Store.QueueCounts(ctx, call.Caller, owner, f)
	if err != nil {
		return queueCounts{}, err
	}
	for _, c := range counts {
		told.Connections += c.N
		told.Statuses[c.Status] += c.N
		if c.Open() {
			told.Waiting += c.N
			who := c.Turn
			if who == "" {
				who = nobody
			}
			told.Turns[who] += c.N
		}
		told.Groups = append(told.Groups, queueGroup{c.Provider, c.Status, c.Turn, c.Code, c.Open(), c.N})
	}
	return told, nil
}

type assignment struct {
	Assignee string `json:"assignee"`
}

// assign says who looks after a connection.
func (o operations) assign(ctx context.Context, call *gate.Call, in assignment) (gate.Reply, error) {
	return o.changeStand(ctx, call, func(c *connection.Connection, _ time.Time) error { return c.Assign(in.Assignee) })
}

// unassign lets nobody look after it.
func (o operations) unassign(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	return o.assign(ctx, call, assignment{})
}

type snooze struct {
	Until string `json:"until"`
	For   string `json:"for"`
}

// snooze puts a connection off.
func (o operations) snooze(ctx context.Context, call *gate.Call, in snooze) (gate.Reply, error) {
	until, err := parseTime("until", in.Until)
	if err != nil {
		return gate.Reply{}, err
	}
	span, ok := parseSpan(in.For)
	if in.For != "" && (!ok || span == 0) {
		return gate.Reply{}, fault.Refused(fault.Problem{
			In: "body", Name: "for", Path: "#/for", Code: "OUT_OF_RANGE", Message: "for is at least a second and at most 366 days",
		})
	}
	return o.changeStand(ctx, call, func(c *connection.Connection, now time.Time) error {
		if span > 0 {
			return c.Snooze(now.Add(span), now)
		}
		return c.Snooze(until, now)
	})
}

// wake shows a connection again.
func (o operations) wake(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	return o.changeStand(ctx, call, func(c *connection.Connection, now time.Time) error { return c.Snooze(time.Time{}, now) })
}

// changeStand changes who looks after a connection and when, and answers its
// row.
func (o operations) changeStand(
	ctx context.Context, call *gate.Call, change func(c *connection.Connection, now time.Time) error,
) (gate.Reply, error) {
	p, err := o.provider(call.Path("connection"))
	if err != nil {
		return gate.Reply{}, err
	}
	now := o.Now()
	return o.change(ctx, call, store.Change{
		Owner: call.Account("oid"), Account: call.Account("aid"), Provider: p.Slug, Whole: true,
		Decide: func(f store.Found) (store.Decision, error) {
			c := f.Connection
			if c == nil {
				return store.Decision{}, fault.Missing()
			}
			if err := change(c, f.Account.Now(now)); err != nil {
				return store.Decision{}, err
			}
			row := store.QueueRow{Account: f.Account, Provider: c.Provider, Status: c.Status, Stand: c.Stand}
			if n := len(c.Signups); n > 0 {
				row.LinkEnds = c.Signups[n-1].ExpiresAt
			}
			body, err := json.Marshal(o.queueRow(row, now))
			return store.Decision{Connection: c, Answer: store.Answer{Body: body}}, err
		},
	})
}
