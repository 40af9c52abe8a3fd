package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/hook"
	"mooring/internal/outbound"
	"mooring/internal/secret"
)

// listenSubscription stands for the subscription that forwarded events would
// come from. It never changes, so that an event that is sent again has the same
// delivery id and the same bytes.
const listenSubscription = "mooring-listen"

// forwardTimeout is how long hooks wait for an answer, too.
const forwardTimeout = 30 * time.Second

// forwarder sends events to a program on this side, as the service sends hooks.
type forwarder struct {
	to   string
	http *http.Client
	keys hook.Secrets
}

// newForwarder reads where to forward to; a host without a scheme is this side's.
func newForwarder(to string, key secret.Plain) (*forwarder, error) {
	if !strings.Contains(to, "://") {
		to = "http://" + to
	}
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, errors.New("--forward-to must look like http://localhost:3000/hook")
	}
	return &forwarder{to, outbound.Local(forwardTimeout), hook.Secrets{Contract: key, Standard: []secret.Plain{key}}}, nil
}

// forwarded is what a program answered to an event.
type forwarded struct {
	To     string `json:"to"`
	Status int    `json:"status,omitempty"` // 0 when there was no answer
	Error  string `json:"error,omitempty"`  // why there was none
	TookMS int64  `json:"took_ms"`
}

func (f *forwarded) String() string {
	if f.Error != "" {
		return "no answer: " + printable(f.Error)
	}
	return fmt.Sprintf("%d in %d ms", f.Status, f.TookMS)
}

// send sends one event once. Whatever is not answered can be had again from the
// cursor before it.
func (f *forwarder) send(ctx context.Context, e hook.Entry) *forwarded {
	begun := time.Now()
	status, err := f.post(ctx, e, begun)
	result := &forwarded{To: f.to, Status: status, TookMS: time.Since(begun).Milliseconds()}
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		result.Error = err.Error()
	}
	return result
}

func (f *forwarder) post(ctx context.Context, e hook.Entry, at time.Time) (int, error) {
	subscription := hook.Subscription{ID: listenSubscription, Account: e.Account, Kind: hook.KindHook, Active: true}
	body, err := hook.Message(subscription, e)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.to, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header = hook.Headers(subscription, f.keys, e, body, at)
	answer, err := f.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.CopyN(io.Discard, answer.Body, maxAnswer)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return answer.StatusCode, err
}

// readEntry makes of an item of the feed what it was made of.
func readEntry(item []byte) (hook.Entry, error) {
	var e struct {
		ID        string          `json:"id"`
		Event     string          `json:"event"`
		Account   string          `json:"account_id"`
		CreatedAt time.Time       `json:"created_at"`
		Data      json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(item, &e); err != nil || e.ID == "" {
		return hook.Entry{}, errors.New("the feed has an entry that can't be read")
	}
	return hook.Entry{ID: e.ID, Type: e.Event, Account: account.ID(e.Account), At: e.CreatedAt, Body: e.Data}, nil
}
