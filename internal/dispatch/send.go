package dispatch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mooring/internal/hook"
	"mooring/internal/outbound"
)

// Letter is what one attempt sends.
type Letter struct {
	Subscription hook.Subscription
	Secrets      hook.Secrets
	Delivery     string       // of the last entry; the same at each attempt
	Entries      []hook.Entry // one, or all that a digest is due with
	At           time.Time
}

// Sender makes attempts for one kind of subscription. The answer is what is
// kept of what was said, as JSON; nil when nothing was. A sender whose context
// ended must say so in what it returns: such an attempt is made anew.
type Sender interface {
	Send(ctx context.Context, l Letter) (result hook.Result, answer []byte)
}

// Poster is the part of the outbound client that hooks need.
type Poster interface {
	Post(ctx context.Context, m outbound.Message) (outbound.Answer, error)
}

// Hooks sends messages to endpoints.
type Hooks struct {
	post Poster

	mu    sync.RWMutex
	known map[string]outbound.Endpoint // what targets were read as
}

// NewHooks makes a sender of hooks.
func NewHooks(post Poster) *Hooks {
	return &Hooks{post: post, known: map[string]outbound.Endpoint{}}
}

// knownTargets is how many targets are remembered at most.
const knownTargets = 10_000

// Send posts the message of an entry.
func (h *Hooks) Send(ctx context.Context, l Letter) (hook.Result, []byte) {
	entry := l.Entries[0]
	to, err := h.endpoint(l.Subscription.Target)
	if err != nil {
		return hook.Result{Err: outbound.BadURL.Word(), Unreached: true}, nil
	}
	body, err := hook.Message(l.Subscription, entry)
	if err != nil {
		return hook.Result{Err: "message"}, nil
	}
	return posted(ctx, h.post, outbound.Message{
		To: to, Header: hook.Headers(l.Subscription, l.Secrets, entry, body, l.At), Body: body,
		Unverified: l.Subscription.Settings.InsecureSSL,
	}, l.At)
}

// posted posts a message and says what came of it.
func posted(ctx context.Context, post Poster, m outbound.Message, at time.Time) (hook.Result, []byte) {
	began := time.Now()
	answer, err := post.Post(ctx, m)
	result := hook.Result{Took: time.Since(began)}
	if failed, ok := errors.AsType[*outbound.Error](err); ok {
		result.Err, result.Unreached = failed.Kind.Word(), failed.Kind.Unreached()
		return result, nil
	}
	result.Status = answer.Status
	result.RetryAfter = retryAfter(answer.Header.Get("Retry-After"), at)
	if len(answer.Body) == 0 && result.OK() {
		return result, nil // it says no more than its status
	}
	return result, kept(blanked(answer, m.Header))
}

// ofUs are the headers of a message by which its receiver knows us.
var ofUs = []string{"Authorization", "Event-Signature", "Webhook-Signature"}

// blanked is an answer without what it repeats of them: a receiver that echoes
// what it was sent must not show a secret to whoever reads the delivery.
func blanked(a outbound.Answer, sent http.Header) outbound.Answer {
	for _, name := range ofUs {
		for _, value := range append([]string{sent.Get(name)}, strings.Fields(sent.Get(name))...) {
			if len(value) < shortestBlanked {
				continue
			}
			a.Body = bytes.ReplaceAll(a.Body, []byte(value), []byte("***"))
			for _, values := range a.Header {
				for i := range values {
					values[i] = strings.ReplaceAll(values[i], value, "***")
				}
			}
		}
	}
	return a
}

// shortestBlanked leaves words such as "Bearer" readable.
const shortestBlanked = 8

func (h *Hooks) endpoint(target string) (outbound.Endpoint, error) {
	h.mu.RLock()
	to, ok := h.known[target]
	h.mu.RUnlock()
	if ok {
		return to, nil
	}
	to, err := outbound.ParseEndpoint(target)
	if err != nil {
		return to, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.known) >= knownTargets {
		clear(h.known)
	}
	h.known[target] = to
	return to, nil
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// keptHeaders is how many headers of an answer are kept.
const keptHeaders = 32

// kept is an answer as it is kept.
func kept(a outbound.Answer) []byte {
	names := make([]string, 0, len(a.Header))
	for name := range a.Header {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare[string])
	b := make([]byte, 0, 256+len(a.Body))
	b = append(b, `{"headers":{`...)
	for i, name := range names[:min(len(names), keptHeaders)] {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, name)
		b = append(b, ':')
		b = appendText(b, a.Header.Get(name))
	}
	b = append(b, `},"body":`...)
	return append(appendText(b, string(a.Body)), '}')
}

// appendText appends a JSON string.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text) // of a string it can't fail
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}
