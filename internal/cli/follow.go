package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mooring/internal/outbound"
)

// followFlags say which events of whose feed a command is about, and how they
// are shown.
type followFlags struct {
	remoteFlags
	Account    string   `placeholder:"ID" help:"Whose feed: of a merchant, a partner or a platform. Default: the account of the API client."`
	ReplayFrom string   `placeholder:"WHERE" help:"Begin behind a cursor, at a time (2026-05-12T09:00:00Z), so long ago (2h), or at the start; without it, with what comes."`
	Events     []string `placeholder:"NAME" help:"Only events of this name, such as account_connection_update; may be repeated."`
	Connection []string `placeholder:"NAME" help:"Only of connections to this provider; may be repeated."`
	Status     []string `placeholder:"STATUS" help:"Only of connections that stand so after it: pending, enabled, failed or declined."`
	About      []string `placeholder:"ID" help:"Only about this account; may be repeated."`
	Count      int      `placeholder:"N" help:"End after so many events."`
	Format     string   `enum:"text,json" default:"text" help:"A line for people (text), or a JSON object a line (json)."`

	heard func() // told of each entry that was shown
}

// follower makes what reads the feed, standing where the flags say.
func (f followFlags) follower(ctx context.Context, notes io.Writer) (*follower, error) {
	follower := &follower{flags: f.remoteFlags, account: f.Account, notes: notes, pause: pause, filters: url.Values{
		"event": f.Events, "connection": f.Connection, "status": f.Status, "account_id": f.About,
	}}
	if err := follower.connect(ctx); err != nil {
		return nil, err
	}
	return follower, follower.begin(ctx, f.ReplayFrom, time.Now())
}

// follower reads a feed, and goes on where it was when the connection breaks.
type follower struct {
	flags   remoteFlags
	server  *remote
	account string     // whose feed; that of the client's account when empty
	filters url.Values // sent with each question
	since   url.Values // where it begins, as long as there is no cursor
	cursor  string     // behind the last entry that was handled
	notes   io.Writer  // takes what is said of the connection
	pause   func(ctx context.Context, d time.Duration) error
}

// told is one entry of the feed.
type told struct {
	Cursor string
	Item   json.RawMessage
}

// connect logs in, anew each time that the connection broke: tokens end, and a
// mooring dev that was started again has other clients.
func (f *follower) connect(ctx context.Context) error {
	about := "feed"
	if f.account != "" {
		about += " of " + f.account
	}
	server, err := f.flags.connect(ctx, about)
	if err == nil {
		f.server = server
	}
	return err
}

// of is whose feed it is.
func (f *follower) of() string {
	if f.account == "" {
		return f.server.account
	}
	return f.account
}

// path is the question for what comes behind the cursor.
func (f *follower) path() string {
	query := maps.Clone(f.since)
	if f.cursor != "" {
		query = url.Values{"after": {f.cursor}}
	}
	maps.Copy(query, f.filters)
	return accountPath(f.of()) + "/feed?" + query.Encode()
}

// begin goes to where the flags say. Where the end is, is asked for first, so
// that nothing is left out should the connection break before the first event.
func (f *follower) begin(ctx context.Context, from string, now time.Time) error {
	switch at, isTime := timeOf(from, now); {
	case from == "start":
		f.since = url.Values{"from": {"beginning"}}
		return nil
	case isTime:
		f.since = url.Values{"since": {at.UTC().Format(time.RFC3339)}}
		return nil
	case from != "":
		f.cursor = from
		return nil
	}
	var page struct {
		Cursor string `json:"cursor"`
	}
	f.since = url.Values{"from": {"latest"}}
	err := f.server.call(ctx, http.MethodGet, f.path(), nil, &page)
	f.cursor = page.Cursor
	return err
}

// timeOf reads a time, or a while before now.
func timeOf(text string, now time.Time) (time.Time, bool) {
	if ago, err := time.ParseDuration(strings.TrimSpace(strings.TrimSuffix(text, "ago"))); err == nil && ago >= 0 {
		return now.Add(-ago), true
	}
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil
}

// errEnough is what the function that handles entries ends a follower with.
var errEnough = errors.New("enough")

// handlerError is what went wrong with an entry, rather than with the feed.
type handlerError struct{ error }

// steady is how long a connection lasts that was not broken from its beginning.
const steady = 10 * time.Second

// follow hands over entry after entry until ctx ends or handle says that it is
// enough. Behind a break it goes on with the entry that comes next.
func (f *follower) follow(ctx context.Context, handle func(told) error) error {
	for failed := 0; ; {
		begun, before := time.Now(), f.cursor
		err := f.stream(ctx, handle)
		handled, isHandler := errors.AsType[handlerError](err)
		switch {
		case ctx.Err() != nil || isHandler && errors.Is(handled.error, errEnough):
			return nil
		case isHandler:
			return handled.error
		case failed > 0 && f.isElsewhere(err):
			fmt.Fprintln(f.notes, "another mooring dev answers; this is what happens there")
			f.cursor, f.since = "", url.Values{"from": {"beginning"}}
			continue
		case isFinal(err) && !isUnauthorized(err):
			return err
		}
		if f.cursor != before || time.Since(begun) > steady {
			failed = 0
		}
		if err := f.recover(ctx, err, &failed); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// isElsewhere says whether a cursor of before is none here: whoever follows the
// mooring dev that runs, and not one server, meets the next one too.
func (f *follower) isElsewhere(err error) bool {
	refused, is := errors.AsType[*refusedError](err)
	return is && refused.status == http.StatusBadRequest && f.flags.URL == "" && f.cursor != ""
}

// recover waits, longer each time, and logs in again.
func (f *follower) recover(ctx context.Context, broken error, failed *int) error {
	for ; ; *failed++ {
		if *failed > 0 {
			wait := backoff(*failed, rand.Float64())
			fmt.Fprintf(f.notes, "%s; trying again in %s\n", printable(broken.Error()), wait.Round(100*time.Millisecond))
			if f.pause(ctx, wait) != nil {
				return nil
			}
		}
		broken = f.connect(ctx)
		switch {
		case broken == nil:
			*failed++
			return nil
		case ctx.Err() != nil || isFinal(broken):
			return broken
		}
	}
}

// isFinal says whether to ask again is no use.
func isFinal(err error) bool {
	refused, is := errors.AsType[*refusedError](err)
	return is && refused.status < http.StatusInternalServerError && refused.status != http.StatusTooManyRequests && refused.status != http.StatusRequestTimeout
}

func isUnauthorized(err error) bool {
	refused, is := errors.AsType[*refusedError](err)
	return is && refused.status == http.StatusUnauthorized
}

// backoff is how long to wait after so many failures: a second, doubled up to
// half a minute, less up to half of it by chance.
func backoff(failed int, chance float64) time.Duration {
	full := min(time.Second<<min(failed-1, 5), 30*time.Second)
	return full - time.Duration(chance*float64(full)/2)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stream reads entries behind the cursor until the connection ends.
func (f *follower) stream(ctx context.Context, handle func(told) error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	request, err := f.server.request(ctx, http.MethodGet, f.path(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "text/event-stream")
	answer, err := outbound.Local(0).Do(request)
	if err != nil {
		return f.server.unreachable(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		return f.server.refused(answer, body)
	}
	err = readEvents(&attentive{answer.Body, end, silence}, func(e serverEvent) error {
		var err error
		switch {
		case e.name == "end": // of the stream, not of the feed
			return nil
		case e.data != "":
			err = handle(told{e.id, json.RawMessage(e.data)})
		}
		if e.id != "" && (err == nil || errors.Is(err, errEnough)) {
			f.cursor = e.id
		}
		if err != nil {
			return handlerError{err}
		}
		return nil
	})
	if _, isHandler := errors.AsType[handlerError](err); isHandler {
		return err
	}
	if errors.Is(context.Cause(ctx), errSilent) {
		err = errSilent
	}
	return fmt.Errorf("the connection to %s ended: %w", f.server.base, cmp.Or(err, io.EOF))
}
