package api

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/hook"
	"mooring/internal/store"
)

const (
	usualFeedPage = 100
	feedLooks     = 10 // how many stretches of the feed one page looks through for what its filters let pass
)

// feedItem is the shape of FeedItem.
type feedItem struct {
	ID         string            `json:"id"`
	Event      string            `json:"event"`
	Account    account.ID        `json:"account_id"`
	Connection string            `json:"connection,omitempty"`
	Status     connection.Status `json:"status,omitempty"`
	CreatedAt  string            `json:"created_at"`
	ToldAt     string            `json:"told_at"`
	Erased     bool              `json:"erased,omitempty"`
	Data       json.RawMessage   `json:"data,omitempty"`
	Cursor     string            `json:"cursor"`
}

// feedPage is the shape of FeedPage.
type feedPage struct {
	Items  []feedItem `json:"items"`
	Cursor string     `json:"cursor"`
	More   bool       `json:"more"`
}

// feedReading is one call's reading of a feed.
type feedReading struct {
	o       operations
	call    *gate.Call
	of      account.Account
	query   store.FeedQuery
	cursors feedCursors
	wait    time.Duration // how long it waits for more; below 0 for ever
}

// readFeed answers with some of a feed, or with a stream of it.
func (o operations) readFeed(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	of, err := o.Store.Account(ctx, call.Caller, call.Account("aid"))
	if err != nil {
		return gate.Reply{}, err
	}
	r := &feedReading{o: o, call: call, of: of, cursors: newFeedCursors(o.Access.FingerprintKey(), of.ID)}
	streams := firstAccepted(call) == "text/event-stream"
	if text, given := call.Query("wait"); given {
		seconds, _ := strconv.Atoi(text)
		r.wait = time.Duration(seconds) * time.Second
	} else if streams {
		r.wait = -1
	}
	r.filter()
	if r.query.After, err = r.start(ctx); err != nil {
		return gate.Reply{}, err
	}
	if streams {
		return r.stream()
	}
	return r.page(ctx)
}

// firstAccepted is the media type that the caller would like best.
func firstAccepted(call *gate.Call) string {
	first, _, _ := strings.Cut(call.RequestHeader("Accept"), ",")
	mediaType, _, _ := strings.Cut(first, ";")
	return strings.ToLower(strings.TrimSpace(mediaType))
}

func (r *feedReading) filter() {
	asked := r.call.Queries()
	r.query = store.FeedQuery{Limit: usualFeedPage, Statuses: asked["status"], Types: asked["event"]}
	if text, given := r.call.Query("limit"); given {
		r.query.Limit, _ = strconv.Atoi(text)
	}
	for _, name := range asked["connection"] {
		if p, ok := r.o.Catalogue.Resolve(name); ok {
			name = p.Slug
		}
		r.query.Providers = append(r.query.Providers, name)
	}
	for _, id := range asked["account_id"] {
		r.query.Accounts = append(r.query.Accounts, account.ID(id))
	}
}

// start is the position after which the call wants to read: that of its
// cursor, or else of a time, the end, or the beginning.
func (r *feedReading) start(ctx context.Context) (int64, error) {
	in, name, cursor := "header", "Last-Event-ID", r.call.RequestHeader("Last-Event-ID")
	if cursor == "" {
		in, name = "query", "after"
		cursor, _ = r.call.Query("after")
	}
	if cursor != "" {
		end, err := r.o.Store.FeedEnd(ctx)
		if err != nil {
			return 0, err
		}
		position, ok := r.cursors.position(cursor)
		if !ok || position > end {
			return 0, fault.Refused(fault.Problem{
				In: in, Name: name, Path: "#/" + name, Code: "INVALID_CURSOR",
				Message: name + " must be a cursor of this very feed; one that was is refused after an older backup was restored",
			})
		}
		return position, nil
	}
	since, err := queryTime(r.call, "since")
	if err != nil {
		return 0, err
	}
	if !since.IsZero() {
		return r.o.Store.FeedAt(ctx, since)
	}
	if from, _ := r.call.Query("from"); from == "latest" {
		return r.o.Store.FeedEnd(ctx)
	}
	return 0, nil
}

// page answers with what there is, or waits until there is something.
func (r *feedReading) page(ctx context.Context) (gate.Reply, error) {
	if r.wait == 0 {
		page, err := r.next(ctx)
		return r.reply(page, err)
	}
	l, err := r.o.Feeds.listen(r.of.ID, r.call.Caller.Account)
	if err != nil {
		return gate.Reply{}, err
	}
	defer l.close()
	if err := r.call.TakesLong(); err != nil {
		return gate.Reply{}, err
	}
	over := time.NewTimer(r.wait)
	defer over.Stop()
	for ended := false; ; {
		page, err := r.next(ctx)
		if err != nil || len(page.Entries) > 0 || page.More || ended {
			return r.reply(page, err)
		}
		select {
		case <-l.woken:
		case <-over.C:
			ended = true
		case <-l.stopping:
			ended = true
		case <-ctx.Done():
			return r.reply(page, nil) // nobody reads it
		}
		if err := r.stillAllowed(ctx); err != nil {
			return gate.Reply{}, err
		}
	}
}

// next reads on, through so many stretches at most in which nothing passes the
// filters.
func (r *feedReading) next(ctx context.Context) (page store.FeedPage, err error) {
	for range feedLooks {
		page, err = r.o.Store.Feed(ctx, r.call.Caller, r.of, r.query)
		if err != nil {
			return page, err
		}
		r.query.After = page.Next
		if len(page.Entries) > 0 || !page.More {
			break
		}
	}
	return page, nil
}

// stillAllowed says whether the caller may be told more. What stands in a feed
// is not taken out of it, but who may read it can change.
func (r *feedReading) stillAllowed(ctx context.Context) error {
	if err := r.call.StillAllowed(); err != nil {
		return err
	}
	_, err := r.o.Store.Account(ctx, r.call.Caller, r.of.ID)
	return err
}

func (r *feedReading) reply(page store.FeedPage, err error) (gate.Reply, error) {
	if err != nil {
		return gate.Reply{}, err
	}
	shown := feedPage{Items: make([]feedItem, len(page.Entries)), Cursor: r.cursors.at(page.Next), More: page.More}
	for i, e := range page.Entries {
		if shown.Items[i], err = r.item(e); err != nil {
			return gate.Reply{}, err
		}
	}
	body, err := json.Marshal(shown)
	return gate.Reply{Body: body}, err
}

// item is an entry as the feed's account may see it.
func (r *feedReading) item(e hook.Entry) (feedItem, error) {
	e, err := e.SeenBy(r.of.ID)
	return feedItem{
		ID: e.ID, Event: e.Type, Account: e.Account, Connection: e.Provider, Status: connection.Status(e.Status),
		CreatedAt: onWire(e.At), ToldAt: onWire(e.ToldAt), Erased: e.Body == nil, Data: e.Body, Cursor: r.cursors.at(e.Position),
	}, err
}
