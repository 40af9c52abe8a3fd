package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
)

type clientBody struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Callbacks   []string `json:"callbacks"`
}

// clientShown is the shape of Client and ClientWithSecret.
type clientShown struct {
	ID          string        `json:"id"`
	ClientID    string        `json:"client_id"`
	Secret      string        `json:"client_secret,omitempty"`
	Name        string        `json:"name"`
	Description string        `json:"description"`
	Callbacks   []string      `json:"callbacks"`
	Disabled    bool          `json:"disabled"`
	Secrets     []secretShown `json:"secrets"`
	CreatedAt   string        `json:"created_at"`
	CreatedBy   string        `json:"created_by"`
	UpdatedAt   string        `json:"updated_at"`
	DeletedAt   string        `json:"deleted_at,omitempty"`
	DeletedBy   string        `json:"deleted_by,omitempty"`
	LastUsedAt  string        `json:"last_used_at,omitempty"`
}

type secretShown struct {
	ID         string `json:"id"`
	CreatedAt  string `json:"created_at"`
	ExpiresAt  string `json:"expires_at,omitempty"`
	LastUsedAt string `json:"last_used_at,omitempty"`
}

// shownClient leaves out secrets that have ended.
func (o operations) shownClient(c auth.Client) clientShown {
	shown := clientShown{
		ID: c.ID, ClientID: c.ID, Name: c.Name, Description: c.Description, Callbacks: append([]string{}, c.Callbacks...),
		Disabled: c.Disabled, Secrets: []secretShown{}, CreatedAt: onWire(c.CreatedAt), CreatedBy: c.CreatedBy,
		UpdatedAt: onWire(c.UpdatedAt), DeletedAt: onWire(c.DeletedAt), DeletedBy: c.DeletedBy, LastUsedAt: onWire(c.LastUsedAt),
	}
	if c.UpdatedAt.IsZero() {
		shown.UpdatedAt = shown.CreatedAt
	}
	now := o.Now()
	for _, s := range c.Secrets {
		if s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt) {
			shown.Secrets = append(shown.Secrets, secretShown{s.ID, onWire(s.CreatedAt), onWire(s.ExpiresAt), onWire(s.LastUsedAt)})
		}
	}
	return shown
}

// deed is a write to the account that the path names, as the call tells of it.
func (o operations) deed(ctx context.Context, call *gate.Call, target string) (store.Deed, error) {
	return o.deedOn(ctx, call, call.Account("oid"), target)
}

func (o operations) deedOn(ctx context.Context, call *gate.Call, id account.ID, target string) (store.Deed, error) {
	acc, err := o.Store.Account(ctx, call.Caller, id)
	if err != nil {
		return store.Deed{}, err
	}
	return store.Deed{
		Caller: call.Caller, About: acc.ID, Key: keyOf(call),
		Audit: []store.AuditRecord{o.audited(call, acc, call.Operation.Action, target, store.AuditDone, "")},
	}, nil
}

// idOf is the id of the path: a UUID, of which case does not matter.
func idOf(call *gate.Call) string { return strings.ToLower(call.Path("id")) }

// listClients lists the clients of an account, oldest first.
func (o operations) listClients(ctx context.Context, call *gate.Call, _ struct{}) ([]clientShown, error) {
	id := call.Account("oid")
	if _, err := o.Store.Account(ctx, call.Caller, id); err != nil {
		return nil, err
	}
	clients, err := o.Store.Clients(ctx, call.Caller, id)
	all := make([]clientShown, 0, len(clients))
	for _, c := range clients {
		all = append(all, o.shownClient(c))
	}
	return all, err
}

// readClient shows one.
func (o operations) readClient(ctx context.Context, call *gate.Call, _ struct{}) (clientShown, error) {
	c, err := o.Store.ClientOf(ctx, call.Caller, call.Account("oid"), idOf(call))
	if err != nil {
		return clientShown{}, err
	}
	return o.shownClient(c), nil
}

// makeClient makes a client with its first secret, which is shown this once and
// so can't be kept as the answer to a key. Its id is ours to give.
func (o operations) makeClient(ctx context.Context, call *gate.Call, in clientBody) (clientShown, error) {
	now := o.Now()
	plain, hash := auth.NewSecret(now, NewID)
	c := auth.Client{
		ID: uuid.NewString(), Name: in.Name, Description: in.Description, Callbacks: in.Callbacks,
		Secrets: []auth.SecretHash{hash}, CreatedAt: now, CreatedBy: call.Caller.Client,
	}
	d, err := o.deed(ctx, call, c.ID)
	if err != nil {
		return clientShown{}, err
	}
	if err := o.Store.AddClient(ctx, d, c); err != nil {
		return clientShown{}, err
	}
	shown := o.shownClient(c)
	shown.Secret = plain.Reveal()
	return shown, nil
}

// deleteClient deletes one; its tokens end with it.
func (o operations) deleteClient(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	d, err := o.deed(ctx, call, idOf(call))
	if err != nil {
		return gate.Reply{}, err
	}
	answer, err := o.Store.EndClient(ctx, d, idOf(call), o.Now(), o.encodeClient)
	return replyWith(call, answer, err)
}

func (o operations) disableClient(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	return o.switchClient(ctx, call, true)
}

func (o operations) enableClient(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	return o.switchClient(ctx, call, false)
}

// switchClient keeps a client from logging in and from using its tokens, or
// lets it act again.
func (o operations) switchClient(ctx context.Context, call *gate.Call, disabled bool) (gate.Reply, error) {
	d, err := o.deed(ctx, call, idOf(call))
	if err != nil {
		return gate.Reply{}, err
	}
	answer, err := o.Store.SwitchClient(ctx, d, idOf(call), disabled, o.Now(), o.encodeClient)
	return replyWith(call, answer, err)
}

func (o operations) encodeClient(c auth.Client) ([]byte, error) { return encode(o.shownClient(c)) }

// rotateSecret gives a client a new secret; the one before stays good for a
// while, so that both are while it is brought to where it is used.
func (o operations) rotateSecret(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	overlap, err := overlapOf(call)
	if err != nil {
		return gate.Reply{}, err
	}
	d, err := o.deed(ctx, call, idOf(call))
	if err != nil {
		return gate.Reply{}, err
	}
	now := o.Now()
	plain, hash := auth.NewSecret(now, NewID)
	answer, err := o.Store.RotateSecret(ctx, d, idOf(call), hash, now.Add(overlap), func(c auth.Client) ([]byte, error) {
		shown := o.shownClient(c)
		shown.Secret = plain.Reveal()
		return encode(shown)
	})
	return replyWith(call, answer, err)
}

// What the secret before the newest one may still live.
const (
	usualOverlap   = 24 * time.Hour
	longestOverlap = 30 * 24 * time.Hour
)

// overlapOf reads seconds, or a number and a unit; the contract has its form.
func overlapOf(call *gate.Call) (time.Duration, error) {
	text, given := call.Query("overlap")
	if !given {
		return usualOverlap, nil
	}
	unit := time.Second
	for suffix, means := range map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = number, means
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || time.Duration(n) > longestOverlap/unit {
		return 0, fault.Refused(fault.Problem{
			In: "query", Name: "overlap", Path: "#/overlap", Code: "OUT_OF_RANGE", Message: "overlap is at most 30 days",
		})
	}
	return time.Duration(n) * unit, nil
}
