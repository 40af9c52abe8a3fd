// Package api owns one function per operation of the contract, in files named
// like the contract's.
//
// Each function translates a checked call into a question to the store with a
// pure decision inside, and the outcome back into the wire's words. It must
// never see an http.ResponseWriter, never decide a rule (connection does) and
// never check a right that the gate or the store has checked.
package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"mooring/internal/access"
	"mooring/internal/account"
	"mooring/internal/cdd"
	"mooring/internal/connection"
	"mooring/internal/deliver"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/reference"
	"mooring/internal/simulator"
	"mooring/internal/store"
	"mooring/internal/vault"
)

// Deps is what the operations work with. All fields are needed.
type Deps struct {
	Store     *store.Store
	Access    *access.Access
	Catalogue *provider.Catalogue
	Vault     *vault.Vault
	Clocks    *simulator.Driver // nil when test accounts are not served here
	Document  *gate.Document
	Pages     *reference.Pages
	PublicURL string                                                                    // base of issuer and links, without a slash at the end
	Due       func(account.Account, *provider.Provider, connection.Signup) []store.Task // what a new signup makes due
	Deliver   *deliver.Deliverer
	Denials   *Denials
	Feeds     *Feeds
	Serves    func(account.ID) bool          // whether this process serves an account's world
	Retention time.Duration                  // how long what stands for a deleted account is kept
	Now       func() time.Time               // UTC, microseconds
	Ready     func(context.Context) error    // nil when requests may be sent here
	Metrics   func() ([]byte, string, error) // the text and its media type
	Log       *slog.Logger

	CaseRegistry cdd.Registry // what signups that name a case ask of it

	SendsMail  bool                               // whether there is a relay that takes letters
	Target     func(raw string) (url, why string) // the one spelling of a URL that messages go to, or why none may
	Unverified bool                               // whether messages may go to whoever answers, whatever certificate they show
	Pings      *Pings

	UnknownReferences interface{ Inc() } // counts callbacks about signups that are not there
}

// Operations maps each function that the contract names to its code.
func Operations(d Deps) map[string]gate.Function {
	o := newOperations(d)
	return map[string]gate.Function{
		"connection.signup":                        gate.Handle(o.signup),
		"connection.signup.whole":                  gate.Handle(o.signupWhole),
		"connection.restart":                       gate.Handle(o.restart),
		"connection.callback":                      o.callback,
		"callback_events_post":                     o.callbackEvent,
		"operator_callback_token_post":             gate.Handle(o.makeCallbackToken),
		"operator_callback_replay_post":            gate.Handle(o.replay),
		"inbox.list":                               gate.Handle(o.listInbox),
		"inbox.read":                               gate.Handle(o.readInbox),
		"connection.read":                          gate.Handle(o.read),
		"connection_progress_get":                  gate.Handle(o.progress),
		"aid_mgmnt_accounts_get":                   gate.Handle(o.listAccounts),
		"aid_mgmnt_accounts_events_get":            gate.Handle(o.listAccountEvents),
		"aid_mgmnt_accounts_events_post":           gate.Handle(o.addAccountEvent),
		"aid_accounts_aid_connections_events_post": gate.Handle(o.addConnectionEvent),
		"operator_connection_events_post":          gate.Handle(o.addOperatorEvent),
		"queue_get":                                gate.Handle(o.listQueue),
		"queue_counts_get":                         gate.Handle(o.countQueue),
		"queue_assignee_put":                       gate.Handle(o.assign),
		"queue_assignee_delete":                    gate.Handle(o.unassign),
		"queue_snooze_put":                         gate.Handle(o.snooze),
		"queue_snooze_delete":                      gate.Handle(o.wake),
		"provider_connections_get":                 gate.Handle(o.listProviderConnections),
		"provider_connection_get":                  gate.Handle(o.readProviderConnection),
		"provider_connection_events_post":          gate.Handle(o.addProviderEvent),
		"operator_connection_sync_post":            gate.Handle(o.syncConnection),
		"operator_drift_get":                       gate.Handle(o.listDrift),
		"operator_batch_post":                      gate.Handle(o.writeBatch),
		"operator_batch_answers_post":              gate.Handle(o.readBatch),
		"operator_connection_events_get":           gate.Handle(o.listOperatorEvents),
		"connection.release":                       gate.Handle(o.release),
		"operator_credentials_expiring_get":        gate.Handle(o.listExpiring),
		"operator_recipients_post":                 gate.Handle(o.addRecipient),
		"operator_recipients_get":                  gate.Handle(o.listRecipients),
		"operator_recipient_delete":                gate.Handle(o.endRecipient),
		"operator_import_post":                     o.importAccounts,
		"operator_signup_erase_post":               gate.Handle(o.eraseSignup),
		"account_feed_get":                         gate.Handle(o.readFeed),
		"account_audit_get":                        gate.Handle(o.listAudit),
		"aid_management_settings_cdd_cases_get":    gate.Handle(o.listCases),
		"aid_management_settings_cdd_cases_post":   gate.Handle(o.openCase),
		"operator_case_events_post":                gate.Handle(o.moveCase),
		"account_clock_get":                        gate.Handle(o.clock),
		"account_clock_post":                       gate.Handle(o.moveClock),
		"account_connection_simulate_post":         gate.Handle(o.simulate),
		"aid_source_hooks_post":                    gate.Handle(o.makeHook),
		"aid_source_hooks_get":                     gate.Handle(o.listHooks),
		"aid_source_hooks_hid_get":                 gate.Handle(o.readHook),
		"account_hook_put":                         gate.Handle(o.changeHook),
		"account_hook_delete":                      gate.Handle(o.deleteHook),
		"aid_source_hooks_hid_ping_post":           gate.Handle(o.pingHook),
		"account_hook_rotate_post":                 gate.Handle(o.rotateHook),
		"aid_source_hooks_hid_deliveries_get":      gate.Handle(o.listHookDeliveries),
		"hooks_delivery_details":                   gate.Handle(o.readHookDelivery),
		"account_hook_resend_post":                 gate.Handle(o.resendHookDelivery),
		"account_hook_recover_post":                gate.Handle(o.recoverHook),
		"account_hook_outstanding_get":             gate.Handle(o.listOutstanding),
		"aid_mgmnt_accounts_post":                  gate.Handle(o.createAccount),
		"aid_accounts_aid_get":                     gate.Handle(o.readAccount),
		"aid_accounts_aid_put":                     gate.Handle(o.updateAccount),
		"aid_mgmnt_accounts_aid_delete":            gate.Handle(o.deleteAccount),
		"operator_account_get":                     gate.Handle(o.readKept),
		"operator_account_ranges_get":              gate.Handle(o.listRanges),
		"operator_account_ranges_post":             gate.Handle(o.addRange),
		"operator_account_owner_post":              gate.Handle(o.moveAccount),
		"operator_account_hold_put":                gate.Handle(o.holdAccount),
		"operator_account_hold_delete":             gate.Handle(o.endHold),
		"operator_account_retention_put":           gate.Handle(o.retainAccount),
		"aid_account_aid_get":                      gate.Handle(o.readSettings),
		"aid_account_settings_put":                 gate.Handle(o.updateSettings),
		"aid_auths_oauth_token_post":               gate.Handle(o.token),
		"aid_auths_oauth_exchange_token_post":      gate.Handle(o.exchangeToken),
		"aid_auths_oauth_revoke_post":              gate.Handle(o.revokeToken),
		"oauth_token_post":                         gate.Handle(o.token),
		"aid_auths_keys_get":                       gate.Handle(o.accountKeys),
		"aid_auth_clients_get":                     gate.Handle(o.listClients),
		"aid_auth_clients_post":                    gate.Handle(o.makeClient),
		"aid_auths_clients_id_get":                 gate.Handle(o.readClient),
		"aid_auths_clients_id_delete":              gate.Handle(o.deleteClient),
		"aid_auths_clients_id_rotate_post":         gate.Handle(o.rotateSecret),
		"account_client_disable_post":              gate.Handle(o.disableClient),
		"account_client_enable_post":               gate.Handle(o.enableClient),
		"aid_auths_client_grants_get":              gate.Handle(o.listGrants),
		"aid_auths_client_grants_post":             gate.Handle(o.makeGrant),
		"aid_auths_client_grants_id_delete":        gate.Handle(o.deleteGrant),
		"oauth_keys_get":                           gate.Handle(o.keySet),
		"oauth_metadata_get":                       gate.Handle(o.metadata),
		"signup_page_get":                          gate.Handle(o.signupPage),
		"signup_page_post":                         gate.Handle(o.decideSignup),
		"account_notices_get":                      gate.Handle(o.listNotices),
		"account_notices_post":                     gate.Handle(o.makeNotice),
		"account_notice_get":                       gate.Handle(o.readNotice),
		"account_notice_put":                       gate.Handle(o.updateNotice),
		"account_notice_delete":                    gate.Handle(o.deleteNotice),
		"account_notice_test_post":                 gate.Handle(o.testNotice),
		"notice_page_get":                          gate.Handle(o.noticePage),
		"notice_page_post":                         gate.Handle(o.answerNotice),
		"health_get":                               gate.Handle(o.health),
		"ready_get":                                gate.Handle(o.ready),
		"metrics_get":                              gate.Handle(o.metrics),
		"openapi_json_get":                         gate.Handle(o.openAPIJSON),
		"openapi_yaml_get":                         gate.Handle(o.openAPIYAML),
		"reference_index_get":                      gate.Handle(o.referenceIndex),
		"reference_page_get":                       gate.Handle(o.referencePage),
	}
}

type operations struct {
	Deps
	readers *readers
}

func newOperations(d Deps) operations { return operations{d, &readers{document: d.Document}} }

// actor is who acts, and when by real time.
type actor struct {
	by string
	at time.Time
}

// act tells who acts now.
func (o operations) act(call *gate.Call) actor {
	return actor{by: call.Caller.Client, at: o.Now()}
}

// in is what decisions about an account may not make up by themselves; the
// time is the account's own.
func (a actor) in(acc account.Account) connection.Act {
	return connection.Act{At: acc.Now(a.at), By: a.by, NewID: NewID, NewToken: NewToken}
}

// NewID makes the id of a signup or an event: a UUIDv7, so that ids sort by
// the time they were made.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// NewToken makes the secret part of a signup's link: 192 random bits.
func NewToken() string {
	var b [24]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}
