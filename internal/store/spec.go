package store

import (
	"context"
	"errors"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
)

var errNotBuilt = errors.New("store: not built yet")

// DataKey is a key that seals fields, as it rests: wrapped by the key file. The
// key of an account seals what its providers gave back; each signup that holds
// something of a person has a key of its own, whose end erases the person.
type DataKey struct {
	Account   account.ID
	ID        string // UUIDv7
	Subject   string // id of the signup that it is for; "" for the account's own
	Wrapped   []byte
	CreatedAt time.Time
}

// Context is what the key is wrapped for: it opens nowhere else.
func (k DataKey) Context() string {
	return "data/" + string(k.Account) + "/" + k.Subject + "/" + k.ID
}

// SealedField is one member of a document, sealed by a data key.
type SealedField struct {
	Account   account.ID
	Provider  string
	Holder    string // id of the signup that it is of; "" for the connection's configuration
	Pointer   string // JSON pointer of the member in its document
	Version   int64  // for a configuration the number of the event that brought it, else 0
	Class     string // provider.Class
	Shown     bool
	Key       string // id of the data key
	Sealed    []byte
	NotAfter  time.Time // when the certificate in it ends; zero when it is none
	CreatedAt time.Time
}

// Inbox names the row of the callback inbox that a change judges.
type Inbox struct {
	ID     string // of the received call
	Signup string // id of the signup that it is about
	Digest []byte // keyed digest of operation and body
}

// Verdict is what became of a received call. It is written in the transaction
// of its effect.
type Verdict struct {
	State  string // "applied" or "refused"
	Effect string // connection.Effect of an applied one
	Event  int64  // number of the event that it recorded; 0 when none
	Code   string // fault code of a refused one
	Reason string // one sentence without any value of the call
}

// Received is a call of the callback inbox.
type Received struct {
	Account    account.ID
	Provider   string
	ID         string // UUIDv7
	Signup     string // id of the signup that its reference names
	Operation  string // operationId of the path that it came in by
	By         string // client id, or the reference of a callback token
	Remote     string
	Header     []byte // JSON object of the few headers that are kept; no credentials
	Key        string // id of the data key of Body
	Body       []byte // sealed; nil once its 30 days are over
	Digest     []byte
	ReceivedAt time.Time // real time
	JudgedAt   time.Time // zero while it is only received
	Attempts   int64
	Verdict    Verdict // State is "received" until it is judged
}

// Task is a thing to be done later, written with the decision that makes it
// due, and done at least once.
type Task struct {
	Account   account.ID
	ID        string // UUIDv7
	Kind      string // TaskSubmit or TaskStep
	Provider  string
	Signup    string    // id
	Step      int64     // of a simulated scenario
	DueAt     time.Time // real time of a submission; the account's own of a step
	Attempts  int64
	LastError string
	State     string // "due", "done" or "gave_up"
	Fence     int64  // grows with each claim; a write with an older one is refused
}

// The kinds of task.
const (
	TaskSubmit = "submit" // hand a signup to the provider's gateway
	TaskStep   = "step"   // play a step of a test account's scenario
)

// SyncState is what is known of asking a provider about a connection.
type SyncState struct {
	Account      account.ID
	Provider     string
	LastAskedAt  time.Time
	LastSyncedAt time.Time // the last question that was answered; zero when none was
	LastError    string    // of the last question; "" when it was answered
	Drift        string    // status that the provider has of an enabled connection when it differs; "" when none
	DriftSince   time.Time
}

// AuditRecord is one line of what was done to whose data.
type AuditRecord struct {
	ID        string // UUIDv7
	Account   account.ID
	At        time.Time // real time
	AccountAt time.Time // in the account's own time
	By        string    // client id, or "operator" for a command on the machine
	Token     string    // hash of the token's id; "" when none
	Remote    string
	Action    string // such as "credentials.release"
	Target    string // such as "swish" or "swish/01990f29-..."
	Outcome   string // "done" or "refused"
	Reason    string
	Detail    []byte // JSON object without any secret; nil when none
}

// Recipient is a public key that a platform registered to have credentials
// encrypted to.
type Recipient struct {
	Platform  account.ID
	Name      string
	PublicKey string // age recipient, "age1..."
	CreatedAt time.Time
	CreatedBy string
	EndedAt   time.Time // zero while it is good
}

// Place names a connection.
type Place struct {
	Account  account.ID
	Provider string
}

// AddDataKey keeps the own key of an account, unless it has one: the first
// stays, and is returned.
func (s *Store) AddDataKey(ctx context.Context, k DataKey) (DataKey, error) {
	return DataKey{}, errNotBuilt
}

// DataKey finds the own key of an account; Missing when it has none.
func (s *Store) DataKey(ctx context.Context, id account.ID) (DataKey, error) {
	return DataKey{}, errNotBuilt
}

// DataKeyByID finds a key; Missing when it was destroyed or never there.
func (s *Store) DataKeyByID(ctx context.Context, id account.ID, key string) (DataKey, error) {
	return DataKey{}, errNotBuilt
}

// SealedFields lists the sealed fields of one holder of a connection, newest
// version first, then by pointer.
func (s *Store) SealedFields(ctx context.Context, at Place, holder string) ([]SealedField, error) {
	return nil, errNotBuilt
}

// Receive writes a call into the inbox and returns once it is on disk.
func (s *Store) Receive(ctx context.Context, r Received) error { return errNotBuilt }

// Inbox lists the received calls of a connection that the caller covers or
// owns, newest first, beginning after the one with the id after.
func (s *Store) Inbox(ctx context.Context, caller auth.Caller, at Place, after string, limit int) ([]Received, error) {
	return nil, errNotBuilt
}

// ReceivedByID finds one received call; Missing when there is none.
func (s *Store) ReceivedByID(ctx context.Context, at Place, id string) (Received, error) {
	return Received{}, errNotBuilt
}

// Unjudged lists calls that were received before a time and never judged,
// because the process ended between the two, oldest first.
func (s *Store) Unjudged(ctx context.Context, before time.Time, limit int) ([]Received, error) {
	return nil, errNotBuilt
}

// SweepInbox takes the bodies away that were received at or before a time, at
// most limit of them, and says how many.
func (s *Store) SweepInbox(ctx context.Context, before time.Time, limit int) (int, error) {
	return 0, errNotBuilt
}

// SignupExists says whether a reference names a signup of the connection.
func (s *Store) SignupExists(ctx context.Context, at Place, reference string) (bool, error) {
	return false, errNotBuilt
}

// Claim takes at most limit submissions that are due at now for whoever calls,
// until the lease ends, and counts an attempt for each.
func (s *Store) Claim(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Task, error) {
	return nil, errNotBuilt
}

// Settle writes how a claimed task went: its State, DueAt and LastError. It is
// refused with Conflict when somebody else has claimed it since.
func (s *Store) Settle(ctx context.Context, t Task) error { return errNotBuilt }

// Tasks lists the tasks about a connection, oldest first.
func (s *Store) Tasks(ctx context.Context, at Place) ([]Task, error) { return nil, errNotBuilt }

// NextStep finds the step of a test account that is due first; Missing when
// there is none.
func (s *Store) NextStep(ctx context.Context, id account.ID) (Task, error) {
	return Task{}, errNotBuilt
}

// AccountsWithSteps lists test accounts that have a step due at a real time by
// their own clocks.
func (s *Store) AccountsWithSteps(ctx context.Context, now time.Time, limit int) ([]account.ID, error) {
	return nil, errNotBuilt
}

// LockClock gives the clock of a test account to whoever calls until the lease
// ends: the account, a fencing number, and Conflict while another has it.
func (s *Store) LockClock(ctx context.Context, id account.ID, now time.Time, lease time.Duration) (account.Account, int64, error) {
	return account.Account{}, 0, errNotBuilt
}

// MoveClock moves a locked clock ahead; it never goes back. UnlockClock lets
// go of it. Both are refused with Conflict when the fence is an old one.
func (s *Store) MoveClock(ctx context.Context, id account.ID, fence int64, ahead time.Duration) error {
	return errNotBuilt
}

// UnlockClock lets go of a locked clock.
func (s *Store) UnlockClock(ctx context.Context, id account.ID, fence int64) error {
	return errNotBuilt
}

// SaveSync writes what is known of asking a provider.
func (s *Store) SaveSync(ctx context.Context, state SyncState) error { return errNotBuilt }

// Sync reads it; the zero state when nobody ever asked.
func (s *Store) Sync(ctx context.Context, at Place) (SyncState, error) {
	return SyncState{}, errNotBuilt
}

// DueForSync lists connections of the providers that nobody asked about since
// a time: the pending ones first, then enabled ones, least recently asked
// first.
func (s *Store) DueForSync(ctx context.Context, world account.World, providers []string, before time.Time, limit int) ([]Place, error) {
	return nil, errNotBuilt
}

// Drifting lists connections whose provider says something else, after a place.
func (s *Store) Drifting(ctx context.Context, caller auth.Caller, after Place, limit int) ([]SyncState, error) {
	return nil, errNotBuilt
}

// Expiring lists sealed fields in force whose certificate ends at or before a
// time, soonest first.
func (s *Store) Expiring(ctx context.Context, caller auth.Caller, until time.Time, limit int) ([]SealedField, error) {
	return nil, errNotBuilt
}

// Audit writes records that belong to no change of a connection.
func (s *Store) Audit(ctx context.Context, records ...AuditRecord) error { return errNotBuilt }

// AuditOf lists the audit records of an account, newest first, after an id.
func (s *Store) AuditOf(ctx context.Context, id account.ID, after string, limit int) ([]AuditRecord, error) {
	return nil, errNotBuilt
}

// AddRecipient registers a recipient; Conflict when the name is taken.
func (s *Store) AddRecipient(ctx context.Context, r Recipient, record AuditRecord) error {
	return errNotBuilt
}

// Recipients lists those of a platform, ended ones included, by name.
func (s *Store) Recipients(ctx context.Context, platform account.ID) ([]Recipient, error) {
	return nil, errNotBuilt
}

// EndRecipient ends one; Missing when there is none.
func (s *Store) EndRecipient(ctx context.Context, platform account.ID, name string, at time.Time, record AuditRecord) error {
	return errNotBuilt
}

// Rewrap hands wrapped keys, data keys and sealed keys alike, to rewrap, which
// returns what is to be stored instead (SealedKey.Context and DataKey.Context
// name them); a row that was written meanwhile is left alone. after is where the last call ended, ""
// at first. It returns where it ended, and "" when all were seen.
func (s *Store) Rewrap(ctx context.Context, after string, limit int, rewrap func(context string, wrapped []byte) ([]byte, error)) (string, error) {
	return "", errNotBuilt
}
