package api

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/store"
)

// eventsCallback is the operation by which every provider may be reported on;
// documented callbacks are operations of their own.
const eventsCallback = "callback_events_post"

// callback hears a provider's documented call about one signup.
func (o operations) callback(ctx context.Context, call *gate.Call) (gate.Reply, error) {
	p, err := o.provider(call.Operation.Argument)
	if err != nil {
		return gate.Reply{}, err
	}
	if err := o.hear(ctx, call, p); err != nil || p.Callback.Status != 200 {
		return gate.Reply{Status: p.Callback.Status}, err
	}
	return taken, nil
}

// callbackEvent hears what happened to one signup, whichever the provider.
func (o operations) callbackEvent(ctx context.Context, call *gate.Call) (gate.Reply, error) {
	p, err := o.provider(call.Path("connection"))
	if err != nil {
		return gate.Reply{}, err
	}
	return taken, o.hear(ctx, call, p)
}

// taken is the answer to a call that was taken in.
var taken = gate.Reply{Body: []byte(`{}`)}

// hear keeps a call about a signup and judges it. What became of it is said in
// the header of the answer, or by the fault.
func (o operations) hear(ctx context.Context, call *gate.Call, p *provider.Provider) error {
	at := place(call, p)
	signup, err := o.known(ctx, call.Caller, at, call.Path("callback_reference"))
	if err != nil {
		return err
	}
	received, err := o.keepCall(ctx, call, at, signup)
	if err != nil {
		return err
	}
	effect, err := o.judge(ctx, hearing{Received: received, provider: p, body: call.Body, caller: call.Caller})
	if err == nil {
		call.SetHeader(effectHeader, string(effect))
	}
	return err
}

// known finds the signup that a reference names: its id, or the name that
// another system gave it before it was imported. Whatever the cause that the
// caller may not speak of one, the refusal is the same, and nothing but a number
// is kept of it.
func (o operations) known(ctx context.Context, caller auth.Caller, at store.Place, reference string) (signup string, err error) {
	if id, malformed := uuid.Parse(reference); malformed == nil && id.String() == reference {
		there, err := o.Store.SignupExists(ctx, at, reference)
		if err != nil {
			return "", err
		}
		if there {
			signup = reference
		}
	}
	if signup == "" {
		if signup, err = o.Store.SignupByReference(ctx, at, reference); err != nil {
			return "", err
		}
	}
	bound := caller.Callback
	mine := bound == nil || bound.Provider == at.Provider && bound.Reference == signup && caller.Account == at.Account
	if !mine || signup == "" {
		o.UnknownReferences.Inc()
		return "", fault.Missing()
	}
	return signup, nil
}

// keepCall writes the call into the inbox, its body sealed.
func (o operations) keepCall(ctx context.Context, call *gate.Call, at store.Place, signup string) (store.Received, error) {
	header, err := keptHeader(call)
	if err != nil {
		return store.Received{}, err
	}
	r := store.Received{
		Account: at.Account, Provider: at.Provider, ID: NewID(), Signup: signup,
		Operation: call.Operation.ID, By: call.Caller.Client, Remote: remote(call.Remote), Header: header,
		ReceivedAt: o.Now(), Digest: o.digest(call.Operation.ID, call.Body),
	}
	if r.Key, r.Body, err = o.Vault.SealBody(ctx, r, call.Body); err != nil {
		return store.Received{}, err
	}
	return r, o.Store.Receive(ctx, r)
}

// digest tells calls that say the same from others: of the operation and of
// what the body says, whatever its spacing and the order of its members.
func (o operations) digest(operation string, body []byte) []byte {
	said, err := canonical(body)
	if err != nil {
		said = body // not JSON; it is refused, again and again
	}
	return o.Vault.Digest("callback/"+operation, said)
}

// header is what is kept of a call's header: nothing that opens anything.
type header struct {
	RequestID string `json:"request_id"`
	UserAgent string `json:"user_agent,omitzero"`
	Strict    bool   `json:"strict,omitzero"`
	Reason    string `json:"reason,omitzero"`
}

const maxUserAgent = 256

func keptHeader(call *gate.Call) ([]byte, error) {
	agent := call.RequestHeader("User-Agent")
	agent = strings.ToValidUTF8(agent[:min(len(agent), maxUserAgent)], "")
	return json.Marshal(header{call.RequestID, agent, call.Strict, reasonOf(call)})
}

func remote(peer netip.Addr) string {
	if !peer.IsValid() {
		return ""
	}
	return peer.String()
}

// callbackToken is the shape of CallbackToken.
type callbackToken struct {
	Token     string `json:"callback_token"`
	ExpiresAt string `json:"expires_at"`
	Reference string `json:"callback_reference"`
	EventsURL string `json:"events_url"`
	URL       string `json:"callback_url,omitempty"`
}

// makeCallbackToken gives the platform a token for whoever calls back about a
// signup, and remembers that it did.
func (o operations) makeCallbackToken(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	p, err := o.provider(call.Path("connection"))
	if err != nil {
		return gate.Reply{}, err
	}
	at, now := place(call, p), o.Now()
	acc, err := o.Store.Account(ctx, call.Caller, at.Account)
	if err != nil {
		return gate.Reply{}, err
	}
	c, err := o.Store.Connection(ctx, call.Caller, at.Account, at.Provider)
	if err != nil {
		return gate.Reply{}, err
	}
	s := c.Find(call.Path("signup_id"))
	if s == nil {
		return gate.Reply{}, fault.Missing()
	}
	expires := tokenEnd(*s, acc.Ahead, now)
	if !expires.After(now) {
		return gate.Reply{}, fault.New(fault.Invalid, fault.CodeSignupExpired, "the signup's link has ended; it takes a new signup")
	}
	token, err := o.Access.CallbackToken(ctx, at.Account, at.Provider, s.ID, expires)
	if err != nil {
		return gate.Reply{}, err
	}
	err = o.Store.Audit(ctx, o.audited(call, acc, "callback_token.make", at.Provider+"/"+s.ID, store.AuditDone, ""))
	if err != nil {
		return gate.Reply{}, err
	}
	answer := callbackToken{
		Token: token.Reveal(), ExpiresAt: onWire(expires), Reference: s.ID,
		EventsURL: o.Access.CallbackURL(at.Account, at.Provider, s.ID) + "/events",
	}
	if path := p.CallbackPath(at.Account, s.ID); path != "" {
		answer.URL = o.PublicURL + path
	}
	body, err := json.Marshal(answer)
	return gate.Reply{Body: body}, err
}

// tokenEnd is when a callback token for a signup ends, by real time: with its
// link, which ends by the account's own time.
func tokenEnd(s connection.Signup, ahead time.Duration, now time.Time) time.Time {
	end, latest := s.ExpiresAt.Add(-ahead), now.Add(auth.MaxCallbackLife)
	if end.After(latest) {
		end = latest
	}
	return end.Truncate(time.Second)
}
