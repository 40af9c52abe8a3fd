package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/hook"
	"mooring/internal/store"
)

// hookDelivery is the shape of HookDelivery, of which the list has the first
// members.
type hookDelivery struct {
	ID          string           `json:"id"`
	Delivery    string           `json:"event_delivery"`
	CreatedAt   string           `json:"created_at"`
	Status      int64            `json:"status"`
	Event       string           `json:"event"`
	EventID     string           `json:"event_id"`
	Attempt     int64            `json:"attempt"`
	Error       string           `json:"error,omitzero"`
	PagingToken string           `json:"paging_token,omitzero"`
	URL         string           `json:"url,omitzero"`
	Request     *hookMessage     `json:"request,omitzero"`
	Response    *hookMessage     `json:"response,omitzero"`
	Details     *hookDetails     `json:"details,omitzero"`
	Outstanding *hookOutstanding `json:"outstanding,omitzero"`
}

type hookMessage struct {
	Headers map[string]string `json:"headers"`
	Body    jsontext.Value    `json:"body,omitzero"`
}

type hookDetails struct {
	At       string  `json:"delivery_at"`
	Duration float64 `json:"delivery_duration"`
	Success  bool    `json:"delivery_success"`
}

// hookOutstanding is the shape of HookOutstanding.
type hookOutstanding struct {
	Delivery    string `json:"event_delivery"`
	Event       string `json:"event"`
	EventID     string `json:"event_id"`
	State       string `json:"state"`
	Attempts    int64  `json:"attempts"`
	FirstAt     string `json:"first_attempt_at,omitzero"`
	NextAt      string `json:"next_attempt_at,omitzero"`
	Error       string `json:"error,omitzero"`
	CreatedAt   string `json:"created_at"`
	PagingToken string `json:"paging_token,omitzero"`
}

func showOutstanding(d store.Delivery) hookOutstanding {
	shown := hookOutstanding{
		Delivery: d.ID, Event: d.Type, EventID: d.Entry, State: d.State, Attempts: d.Attempts, FirstAt: onWire(d.FirstAt),
		NextAt: onWire(d.DueAt), Error: d.LastError, CreatedAt: onWire(d.CreatedAt),
	}
	if d.State == store.DeliveryDead || d.State == store.DeliveryWaiting {
		shown.NextAt = ""
	}
	return shown
}

func showAttempt(a store.Attempt) hookDelivery {
	return hookDelivery{
		ID: a.ID, Delivery: a.Delivery, CreatedAt: onWire(a.At), Status: a.Status, Event: a.Type, EventID: a.Entry,
		Attempt: a.Number, Error: a.Error,
	}
}

// listHookDeliveries pages through the attempts to tell an endpoint, newest
// first.
func (o operations) listHookDeliveries(ctx context.Context, call *gate.Call, _ struct{}) ([]hookDelivery, error) {
	q := store.AttemptQuery{Limit: limitOf(call)}
	q.Event, _ = call.Query("event")
	q.Success, _ = call.Query("success")
	var err error
	if q.Since, err = queryTime(call, "since"); err != nil {
		return nil, err
	}
	if q.Until, err = queryTime(call, "until"); err != nil {
		return nil, err
	}
	if q.Before, err = o.startingAfter(call); err != nil {
		return nil, err
	}
	sub, err := o.hookOf(ctx, call)
	if err != nil {
		return nil, err
	}
	attempts, err := o.Store.Attempts(ctx, sub.Subscription, q)
	shown := make([]hookDelivery, len(attempts))
	for i, a := range attempts {
		shown[i] = showAttempt(a)
		shown[i].PagingToken = o.pagingToken(call, a.ID)
	}
	return shown, err
}

// readHookDelivery shows one attempt whole: what was sent, but for what proves
// who sent it, and what was answered.
func (o operations) readHookDelivery(ctx context.Context, call *gate.Call, _ struct{}) (hookDelivery, error) {
	sub, err := o.hookOf(ctx, call)
	if err != nil {
		return hookDelivery{}, err
	}
	a, entry, left, err := o.Store.AttemptOf(ctx, sub.Subscription, deliveryOf(call))
	if err != nil {
		return hookDelivery{}, err
	}
	shown := showAttempt(a)
	shown.URL = a.Target
	shown.Request = requestOf(sub.Subscription, entry, a.At)
	shown.Details = &hookDetails{At: onWire(a.At), Duration: a.Took.Seconds(), Success: a.Status >= 200 && a.Status <= 299}
	if a.Answer != nil {
		shown.Response = new(hookMessage)
		if err := json.Unmarshal(a.Answer, shown.Response); err != nil {
			return hookDelivery{}, err
		}
	}
	if left.ID != "" {
		outstanding := showOutstanding(left)
		shown.Outstanding = &outstanding
	}
	return shown, nil
}

// requestOf is a message as the subscription would be sent it. There is no body
// once the account was erased.
func requestOf(sub hook.Subscription, entry hook.Entry, at time.Time) *hookMessage {
	body, err := hook.Message(sub, entry)
	if err != nil {
		body = nil
	}
	request := &hookMessage{Headers: map[string]string{}, Body: body}
	for name, values := range hook.Headers(sub, hook.Secrets{}, entry, body, at) {
		request.Headers[strings.ToLower(name)] = values[0]
	}
	return request
}

// deliveryOf is the id of a delivery in the path.
func deliveryOf(call *gate.Call) string { return strings.ToLower(call.Path("delivery_id")) }

// resendHookDelivery has one message sent again.
func (o operations) resendHookDelivery(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	d, err := o.deedOn(ctx, call, call.Account("aid"), hidOf(call)+"/"+deliveryOf(call))
	if err != nil {
		return gate.Reply{}, err
	}
	answer, err := o.Store.Resend(ctx, d, hidOf(call), hookKinds, deliveryOf(call), o.Now(), func(row store.Delivery) (store.Answer, error) {
		body, err := encode(showOutstanding(row))
		return store.Answer{Body: body}, err
	})
	return replyWith(call, answer, err)
}

type recoverBody struct {
	Since   string `json:"since"`
	After   string `json:"after"`
	Include string `json:"include"`
}

// recovered is the shape of HookRecovery.
type recovered struct {
	Include    string `json:"include"`
	Deliveries *int64 `json:"deliveries,omitzero"`
}

// recoverHook has an endpoint told again what it was not told, or everything,
// since a time or an event.
func (o operations) recoverHook(ctx context.Context, call *gate.Call, in recoverBody) (gate.Reply, error) {
	all := in.Include == "all"
	after, err := o.recoverFrom(ctx, call, in)
	if err != nil {
		return gate.Reply{}, err
	}
	d, err := o.deedOn(ctx, call, call.Account("aid"), hidOf(call))
	if err != nil {
		return gate.Reply{}, err
	}
	what := store.Recovery{After: after, All: all}
	answer, err := o.Store.Recover(ctx, d, hidOf(call), hookKinds, what, o.Now(), func(due int64) (store.Answer, error) {
		shown := recovered{Include: "all"}
		if !all {
			shown = recovered{"undelivered", &due}
		}
		body, err := encode(shown)
		return store.Answer{Body: body}, err
	})
	return replyWith(call, answer, err)
}

// recoverFrom is the position after which everything is to be told again.
func (o operations) recoverFrom(ctx context.Context, call *gate.Call, in recoverBody) (int64, error) {
	if (in.Since == "") == (in.After == "") {
		return 0, fault.Refused(problemIn("#/since", "ONE_OF", "name either since or after"))
	}
	if in.Since != "" {
		since, err := time.Parse(time.RFC3339, in.Since)
		if err != nil {
			return 0, fault.Refused(problemIn("#/since", "INVALID_FORMAT", "since must be a time, such as 2026-05-12T09:30:00Z"))
		}
		return o.Store.FeedAt(ctx, since)
	}
	if _, err := o.Store.Account(ctx, call.Caller, call.Account("aid")); err != nil {
		return 0, err
	}
	at, err := o.Store.PositionOf(ctx, call.Account("aid"), strings.ToLower(in.After))
	if err != nil && fault.From(err).Kind == fault.NotFound {
		err = fault.Refused(problemIn("#/after", "UNKNOWN_EVENT", "after must be the id of an event that the account may be told of"))
	}
	return at, err
}

// listOutstanding pages through what an endpoint was not told, in the order in
// which it happened.
func (o operations) listOutstanding(ctx context.Context, call *gate.Call, _ struct{}) ([]hookOutstanding, error) {
	state, given := call.Query("state")
	if !given {
		state = store.DeliveryDead
	}
	position, err := o.startingAfter(call)
	if err != nil {
		return nil, err
	}
	at, id, _ := strings.Cut(position, "/")
	after, _ := strconv.ParseInt(at, 10, 64) // we wrote it
	sub, err := o.hookOf(ctx, call)
	if err != nil {
		return nil, err
	}
	rows, err := o.Store.DeliveriesIn(ctx, sub.Subscription, state, after, id, limitOf(call))
	shown := make([]hookOutstanding, len(rows))
	for i, row := range rows {
		shown[i] = showOutstanding(row)
		shown[i].PagingToken = o.pagingToken(call, strconv.FormatInt(row.Position, 10)+"/"+row.ID)
	}
	return shown, err
}
