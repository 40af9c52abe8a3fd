package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/outbound"
	"mooring/internal/provider"
)

// MaxAnswer is how many bytes of a gateway's answer are read.
const MaxAnswer = 256 << 10

// maxRetryAfter is how long a gateway may ask us to wait.
const maxRetryAfter = time.Hour

// HTTP is the way to the providers of production accounts: for each a gateway
// that the platform runs, which speaks the protocol of
// docs/provider-gateway.yaml. It is safe for concurrent use.
type HTTP struct {
	client *outbound.Client
	key    Key
	now    func() time.Time
	places map[string]*place
}

// The paths below a gateway's URL.
const (
	pathSignups = "signups"
	pathStatus  = "status"
)

// place is the gateway of one provider. Each path has a breaker of its own, so
// that slow answers to questions, which merchants may ask, hold up no signup.
type place struct {
	base     *url.URL
	breakers map[string]*breaker
}

// NewHTTP makes a way to the gateways at the URLs, by provider. All are signed
// to with the same key.
func NewHTTP(client *outbound.Client, urls map[string]*url.URL, key Key, now func() time.Time) *HTTP {
	h := &HTTP{client: client, key: key, now: now, places: map[string]*place{}}
	for slug, base := range urls {
		h.places[slug] = &place{base, map[string]*breaker{pathSignups: {}, pathStatus: {}}}
	}
	return h
}

// Takes says whether signups for a provider are handed to a gateway.
func (h *HTTP) Takes(slug string) bool { return h.places[slug] != nil }

// Failure is a call to a gateway that did not come to an answer which could be
// used. Its text may be shown to operators: it quotes nothing.
type Failure struct {
	Reason     string
	RetryAfter time.Duration // what the gateway asked for; 0 when it did not
	Untried    bool          // nobody was called
	Cause      error
}

func (f *Failure) Error() string { return f.Reason }

// Unwrap gives the cause, for the log.
func (f *Failure) Unwrap() error { return f.Cause }

var errProductionOnly = errors.New("gateways over HTTP are for production accounts only")

// Submit posts a signup to the provider's gateway.
func (h *HTTP) Submit(ctx context.Context, s Submission) (*connection.Message, error) {
	if s.Account.ID.World() != account.Production {
		return nil, errProductionOnly
	}
	body, err := encodeSubmission(s)
	if err != nil {
		return nil, err
	}
	answer, err := h.call(ctx, s.Provider.Slug, pathSignups, s.ID, body)
	if err != nil {
		return nil, err
	}
	switch answer.Status {
	case http.StatusAccepted:
		return nil, nil
	case http.StatusOK:
		return decodeSubmitted(answer.Body, s)
	}
	return nil, refused(answer)
}

// Status posts a question to the provider's gateway.
func (h *HTTP) Status(ctx context.Context, q Question) (provider.Report, error) {
	if q.Account.World() != account.Production {
		return provider.Report{}, errProductionOnly
	}
	body, err := encodeQuestion(q)
	if err != nil {
		return provider.Report{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return provider.Report{}, err
	}
	answer, err := h.call(ctx, q.Provider.Slug, pathStatus, id.String(), body)
	if err != nil {
		return provider.Report{}, err
	}
	switch answer.Status {
	case http.StatusOK:
		return decodeStatus(answer.Body, q.Provider)
	case http.StatusNotImplemented:
		return provider.Report{}, ErrUnavailable
	}
	return provider.Report{}, refused(answer)
}

// call posts a signed message, unless the gateway has been failing. Whatever it
// answers to that is an answer; a gateway that is down is not called by
// everybody at once when it comes back.
func (h *HTTP) call(ctx context.Context, slug, path, id string, body []byte) (outbound.Answer, error) {
	p := h.places[slug]
	if p == nil {
		return outbound.Answer{}, ErrUnavailable
	}
	breaker := p.breakers[path]
	if wait, ok := breaker.enter(h.now()); !ok {
		return outbound.Answer{}, &Failure{Reason: "the gateway has been failing and is left alone for a while", RetryAfter: wait, Untried: true}
	}
	answer, err := h.client.Do(ctx, http.MethodPost, p.base.JoinPath(path), h.key.Header(id, h.now(), body), body)
	breaker.leave(h.now(), err == nil && !isDown(answer.Status))
	if err != nil {
		return outbound.Answer{}, &Failure{Reason: "the gateway could not be used: " + err.Error(), Cause: err}
	}
	return answer, nil
}

// isDown says whether a status means that the gateway, and not this one call,
// is in trouble.
func isDown(status int) bool {
	return status >= 500 && status != http.StatusNotImplemented || status == http.StatusTooManyRequests
}

func refused(a outbound.Answer) error {
	return &Failure{Reason: fmt.Sprintf("the gateway answered %d", a.Status), RetryAfter: retryAfter(a.Header)}
}

// retryAfter reads the header in its form of seconds.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(h.Get("Retry-After")))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxRetryAfter)
}
