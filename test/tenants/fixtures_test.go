package tenants

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/gate"
	"mooring/internal/hook"
	"mooring/internal/notice"
	"mooring/internal/server"
	"mooring/internal/store"
)

// fixture is what a parameter names, for a thing that belongs to an account.
// Whoever adds a parameter to the contract adds a line to fixtures.
type fixture struct {
	// own makes such a thing, or finds it, and gives its name. id is the account
	// that it belongs to: the last one before it in the path, else the platform.
	// at are the values of the parameters before it.
	own func(w *world, tn *tenant, id account.ID, at map[string]string) string

	// deleted makes one and deletes it; nil when such things are never deleted.
	deleted func(w *world, tn *tenant, id account.ID, at map[string]string) string

	missing string // well-formed, and the name of nothing
}

// constants are parameters that name nothing of anybody's.
var constants = map[string]string{
	"connection":           "", // the provider that is talked of
	"payment_product_type": "payex.creditcard",
	"page":                 "health_get.md",
}

const missingID = "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01"

// fixtures are found by the segment before the parameter and its name, or by its
// name alone.
var fixtures = map[string]fixture{
	"clients/id":         {own: ownClient, deleted: deletedClient, missing: missingID},
	"client-grants/id":   {own: ownGrant, deleted: deletedGrant, missing: missingID},
	"client_id":          {own: ownClient, deleted: deletedClient, missing: missingID},
	"signup_id":          {own: ownSignup, missing: missingID},
	"callback_reference": {own: ownSignup, missing: missingID},
	"callback_id":        {own: ownCall, missing: missingID},
	"case_id":            {own: ownCase, missing: missingID},
	"delivery_id":        {own: ownDelivery, missing: missingID},
	"hid":                {own: ownHook, deleted: deletedHook, missing: missingID},
	"notice_id":          {own: ownNotice, deleted: deletedNotice, missing: missingID},
	"n/token":            {own: ownReadersLink, missing: strings.Repeat("A", 32)},
	"recipient":          {own: ownRecipient, missing: "nobody"},
	"token":              {own: ownLink, missing: strings.Repeat("A", 32)},
}

// inBody are the members of bodies that name something of somebody, in the order
// in which the one belongs to the other.
var inBody = map[string][]string{
	"aid_auths_oauth_exchange_token_post": {"account_id"},
	"aid_auths_client_grants_post":        {"client_id", "audience"},
}

// bodies are those of operations whose first example does not fit. at are the
// values of the parameters, those of inBody among them.
var bodies = map[string]func(w *world, tn *tenant, at map[string]string) string{
	"aid_auths_oauth_exchange_token_post": func(_ *world, _ *tenant, at map[string]string) string {
		return fmt.Sprintf(`{"account_id": %q}`, at["account_id"])
	},
	"aid_auths_client_grants_post": func(w *world, _ *tenant, at map[string]string) string {
		return fmt.Sprintf(`{"client_id": %q, "audience": "%s/v1/accounts/%s", "scope": ["read:accounts"], "type": "client_credentials"}`,
			at["client_id"], w.server.PublicURL(), at["audience"])
	},
	"aid_auths_oauth_token_post": func(w *world, _ *tenant, at map[string]string) string {
		return fmt.Sprintf(`{"grant_type": "client_credentials", "audience": "%s/v1/accounts/%s"}`, w.server.PublicURL(), at["oid"])
	},
	"operator_import_post": func(_ *world, tn *tenant, _ map[string]string) string {
		return fmt.Sprintf(`{"accounts": [{"id": "%s99998", "owner": %q}], "dry_run": true}`, tn.partner[:4], tn.partner)
	},
	"operator_account_ranges_post": func(w *world, _ *tenant, _ map[string]string) string {
		return fmt.Sprintf(`{"block": %q}`, w.nextBlock())
	},
	"aid_source_hooks_post":    func(*world, *tenant, map[string]string) string { return hookBody() },
	"account_notices_post":     func(*world, *tenant, map[string]string) string { return noticeBody },
	"account_hook_put":         func(*world, *tenant, map[string]string) string { return `{"active": true}` },
	"operator_recipients_post": func(w *world, _ *tenant, _ map[string]string) string { return recipientBody(named("till")) },
}

// ofPartners are operations whose {aid} is a partner.
var ofPartners = []string{"operator_account_ranges_get", "operator_account_ranges_post"}

// slugs are the providers of operations that not every provider has.
var slugs = map[string]string{
	"operator_batch_post":         "mastercard-3ds",
	"operator_batch_answers_post": "mastercard-3ds",
}

// prepared are the operations that need more than a signup.
var prepared = map[string]func(w *world, tn *tenant){
	"connection.release": configure,
}

// named is a name that nothing has yet.
func named(prefix string) string { return prefix + "-" + uuid.NewString()[:13] }

func ownSignup(w *world, tn *tenant, id account.ID, _ map[string]string) string {
	return w.signup(id, tn.slug)
}

// ownCall is a call of the provider about the signup, which was taken in.
func ownCall(w *world, tn *tenant, id account.ID, _ map[string]string) string {
	signup := w.signup(id, tn.slug)
	w.must(w.ask("POST", fmt.Sprintf("/v1/accounts/%s/connections/%s/signups/%s/events", id, tn.slug, signup),
		w.platform, []byte(`{"status": "pending", "event": "seen"}`)))
	var calls []struct{ ID string }
	must(w.t, json.Unmarshal(w.must(w.ask("GET", fmt.Sprintf("/v1/operator/accounts/%s/connections/%s/callbacks", id, tn.slug), w.platform, nil)), &calls))
	return calls[0].ID
}

func ownCase(w *world, tn *tenant, id account.ID, _ map[string]string) string {
	answer := w.must(w.ask("POST", fmt.Sprintf("/v1/accounts/%s/management/settings/cdd/cases", id),
		w.token(tn.clients[id], id), []byte(`{"products": ["payout"]}`)))
	return member(w.t, answer, "id")
}

// ownHook subscribes an endpoint of a host of its own: pings to one host are
// limited.
func ownHook(w *world, tn *tenant, id account.ID, _ map[string]string) string {
	answer := w.must(w.ask("POST", fmt.Sprintf("/v1/accounts/%s/hooks/subscriptions", id), w.platform, []byte(hookBody())))
	return member(w.t, answer, "id")
}

func hookBody() string {
	return fmt.Sprintf(`{"config": {"url": "https://%s.example.com/"}, "events": ["account_update"]}`, named("hook"))
}

// deletedHook makes room, too: an account has only so many.
func deletedHook(w *world, tn *tenant, id account.ID, at map[string]string) string {
	hook := ownHook(w, tn, id, at)
	w.must(w.ask("DELETE", fmt.Sprintf("/v1/accounts/%s/hooks/subscriptions/%s", id, hook), w.platform, nil))
	return hook
}

// ownNotice makes a rule for notices, as old as one that may be tried.
func ownNotice(w *world, _ *tenant, id account.ID, _ map[string]string) string {
	answer := w.must(w.ask("POST", fmt.Sprintf("/v1/accounts/%s/notices", id), w.platform, []byte(noticeBody)))
	return member(w.t, answer, "id")
}

const noticeBody = `{"kind": "slack", "url": "https://hooks.example.com/services/0123456789abcdef", "when": ["failed"]}`

// deletedNotice makes room, too: an account has only so many.
func deletedNotice(w *world, tn *tenant, id account.ID, at map[string]string) string {
	rule := ownNotice(w, tn, id, at)
	w.must(w.ask("DELETE", fmt.Sprintf("/v1/accounts/%s/notices/%s", id, rule), w.platform, nil))
	return rule
}

// ownReadersLink is the secret part of the link of a letter to an address of the
// merchant's, which whoever holds it may follow.
func ownReadersLink(w *world, tn *tenant, _ account.ID, _ map[string]string) string {
	answer := w.must(w.ask("POST", fmt.Sprintf("/v1/accounts/%s/notices", tn.merchant), w.platform,
		[]byte(`{"kind": "email", "address": "anna@example.com", "when": ["failed"]}`)))
	return notice.Token(w.server.Vault().Digest, hook.Subscription{
		Account: tn.merchant, ID: member(w.t, answer, "id"), Target: "anna@example.com",
	})
}

// ownDelivery is an attempt of the subscription before it in the path, as if it
// had been made.
func ownDelivery(w *world, _ *tenant, id account.ID, at map[string]string) string {
	attempt, entry := uuid.Must(uuid.NewV7()).String(), uuid.Must(uuid.NewV7()).String()
	must(w.t, w.server.Store().Record(w.t.Context(), nil, []store.Outcome{{
		Account: id, Subscription: at["hid"], Attempts: []store.Attempt{{
			Account: id, Subscription: at["hid"], ID: attempt, Delivery: hook.DeliveryID(at["hid"], entry), Entry: entry,
			Type: hook.Ping, Target: "https://example.com/", Number: 1, At: server.Now(), Status: 204,
		}},
	}}))
	return attempt
}

func recipientBody(name string) string {
	return fmt.Sprintf(`{"name": %q, "public_key": "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}`, name)
}

// ownRecipient is the platform's, whatever the tenant.
func ownRecipient(w *world, _ *tenant, _ account.ID, _ map[string]string) string {
	name := named("recipient")
	w.must(w.ask("POST", "/v1/operator/recipients", w.platform, []byte(recipientBody(name))))
	return name
}

// ownLink is the secret part of the link of the merchant's signup, which whoever
// holds it may follow.
func ownLink(w *world, tn *tenant, _ account.ID, _ map[string]string) string {
	answer := w.must(w.ask("GET", fmt.Sprintf("/v1/accounts/%s/management/settings/connections/vipps", tn.merchant), tn.tokens[merchant], nil))
	var c struct{ Signup struct{ URL string } }
	must(w.t, json.Unmarshal(answer, &c))
	return c.Signup.URL[strings.LastIndexByte(c.Signup.URL, '/')+1:]
}

// configure has the provider give its credentials back.
func configure(w *world, tn *tenant) {
	op := w.operation(func(op *gate.Operation) bool { return op.Function == "connection.callback" && op.Argument == tn.slug })
	for _, id := range []account.ID{tn.merchant, tn.sibling} {
		signup := w.signup(id, tn.slug)
		target := strings.NewReplacer("{aid}", string(id), "{callback_reference}", signup, "{payment_product_type}", "payex.creditcard").Replace(op.Path)
		w.ask(op.Method, target, w.callbackToken(id, tn.slug, signup), example(op))
	}
}

func ownClient(w *world, _ *tenant, id account.ID, _ map[string]string) string {
	who, _ := w.newClient(id, id, auth.ScopeWriteAccounts)
	return who.ID
}

func deletedClient(w *world, tn *tenant, id account.ID, at map[string]string) string {
	client := ownClient(w, tn, id, at)
	w.must(w.ask("DELETE", fmt.Sprintf("/v1/accounts/%s/auth/clients/%s", id, client), w.platform, nil))
	return client
}

func ownGrant(w *world, _ *tenant, id account.ID, _ map[string]string) string {
	_, grant := w.newClient(id, id, auth.ScopeReadAccounts)
	return grant
}

func deletedGrant(w *world, tn *tenant, id account.ID, at map[string]string) string {
	grant := ownGrant(w, tn, id, at)
	w.must(w.ask("DELETE", fmt.Sprintf("/v1/accounts/%s/auth/client-grants/%s", id, grant), w.platform, nil))
	return grant
}
