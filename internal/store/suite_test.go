package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

var errNoSignup = errors.New("nothing was signed up")

func TestSQLite(t *testing.T)   { suite(t, newSQLite) }
func TestPostgres(t *testing.T) { suite(t, newPostgres) }

// suite holds a store to its promises, whatever the engine: to all of them, or
// to those that are named.
func suite(t *testing.T, d door, only ...string) {
	all := promises()
	if only == nil {
		only = slices.Collect(maps.Keys(all))
	}
	for _, name := range only {
		t.Run(name, func(t *testing.T) { all[name](t, d) })
	}
}

func promises() map[string]func(*testing.T, door) {
	return map[string]func(*testing.T, door){
		"what is written comes back":                               testRoundTrip,
		"absent and empty stay apart":                              testAbsentAndEmpty,
		"events are read in pages":                                 testEventPages,
		"a signup is found by its token":                           testSignupByToken,
		"what was made of a connection is given until it changes":  testRecalled,
		"no text is older than what was read before it":            testRecalledInOrder,
		"an account shows itself to those it concerns":             testAccountVisibility,
		"a connection shows itself to those it concerns":           testConnectionVisibility,
		"a list of accounts has what passes every filter":          testAccountList,
		"a search finds ids, numbers and names":                    testAccountSearch,
		"a list of accounts is its owner's":                        testAccountListBelongs,
		"labels follow the profile and the owner":                  testLabelsFollow,
		"accounts are found by payment options":                    testPaymentOptions,
		"an account shows the newest of its connections":           testBriefConnections,
		"a page ends with the account that fills it":               testHeavyPage,
		"an answer is kept as it says":                             testKeptAnswer,
		"events of an account are its owner's":                     testAccountEvents,
		"a client comes back with its secrets, grants and account": testClient,
		"clients are made, rotated and ended by their account":     testClientDeeds,
		"an account has so many clients":                           testClientLimit,
		"nobody grants what he does not hold":                      testGrantDeeds,
		"who publishes keys holds what their clients do":           testPublishedKeys,
		"what says where keys are is found exactly":                testKeySources,
		"a platform keeps somebody who can get in":                 testLastClient,
		"an account and a client are made once":                    testMadeOnce,
		"the epoch moves with accounts, clients and keys":          testEpoch,
		"the first key of a name stays":                            testKeys,
		"a write needs ownership":                                  testWriteOwnership,
		"a write needs an enabled client with a grant":             testWriteClient,
		"changes of one batch fold in order":                       testFoldInBatch,
		"a whole and a partial change share a batch":               testWholeInBatch,
		"a refusal fails alone":                                    testRefusalAlone,
		"a panic fails alone":                                      testPanicAlone,
		"a change that the database refuses fails alone":           testGuiltyAlone,
		"a decision gets its own copy":                             testOwnCopy,
		"a decision that breaks the history is refused":            testBadDecisions,
		"a decision that changes nothing writes nothing":           testNothingWritten,
		"many writers number events densely":                       testDenseNumbers,
		"an external id is taken once":                             testExternalOnce,
		"a key gives one effect and one answer":                    testKeyStorm,
		"a key with another request is refused":                    testKeyReused,
		"a key belongs to one caller, operation and path":          testKeyScope,
		"a refusal is not kept under the key":                      testRefusalNotKept,
		"a key does not open another's answer":                     testKeyAfterOwnership,
		"old answers are swept in small steps":                     testSweep,
		"a full queue refuses at once":                             testQueueFull,
		"closing finishes what was accepted and refuses the rest":  testCloseDrains,
		"a caller that leaves does not undo its write":             testCallerLeaves,
		"what was written outlives the store":                      testReopen,
		"versions of providers are in use while rows have them":    testVersionsInUse,
		"a version that was not written is not in use":             testVersionNotWritten,
		"a version that nobody noted is noted with the next write": testVersionNotNoted,
		"versions that are imported are in use":                    testVersionsImported,
		"the store says that it is ready":                          testPing,
		"status and events are read at one moment":                 testSnapshot,
		"a batch of many connections lands whole":                  testManyConnections,
		"a decision changes what it may of a stored signup":        testChangedSignup,
		"keys, fields, tasks and audit come with their decision":   testEffects,
		"what was written leaves a record":                         testChangeAudit,
		"a record that can't be written undoes its change":         testAuditOrNothing,
		"the audit shows itself to those it concerns":              testAuditVisibility,
		"no read tells what is another's":                          testForeignReads,
		"the audit is filtered and paged":                          testAuditFilters,
		"effects that are not the decision's own are refused":      testBadEffects,
		"two configurations are kept":                              testConfigurationVersions,
		"a new scenario replaces the steps of the old":             testReplacedSteps,
		"an erasure takes what tells of the person":                testErasure,
		"the service itself writes without a client":               testSystemChange,
		"a callback token writes to its own signup's connection":   testCallbackCaller,
		"a call is received, judged and listed":                    testInbox,
		"one of 64 judgements applies":                             testJudgeStorm,
		"one of 64 calls that say the same applies":                testReplayStorm,
		"a refused call is judged again, an applied one stays":     testJudgeAgain,
		"bodies of old calls are swept":                            testSweepInbox,
		"a submission is claimed until its lease ends":             testClaim,
		"two claims never meet":                                    testClaimStorm,
		"steps are due by the account's own clock":                 testSteps,
		"a clock is one caller's and only moves ahead":             testClock,
		"what a provider was asked is remembered":                  testSync,
		"connections are asked about in turn":                      testDueForSync,
		"a case comes back with what became of it":                 testCases,
		"cases have a limit of bytes":                              testCaseLimits,
		"cases have a limit of number":                             testManyCases,
		"drift shows itself to those it concerns":                  testDrifting,
		"certificates in force that end are listed":                testExpiring,
		"an id is never given again":                               testIDsNeverReused,
		"ids that are taken are passed over":                       testTakenIDs,
		"a range that runs out says so, and another helps":         testRangeExhausted,
		"a deleted account is gone at once, with its connections":  testDeleteAccount,
		"a moved account is its new owner's alone":                 testMoveAccount,
		"an old partner's notes are not the next one's":            testOldPartnersNotes,
		"an old partner's rights end for good":                     testOldPartnersRights,
		"an old partner's people are not at its connections":       testOldPartnersHand,
		"a moved account ends what its old owner made in it":       testParting,
		"a held account is not erased":                             testHoldAccount,
		"a recipient is registered once and ended once":            testRecipients,
		"a subscription comes back with what it was made of":       testSubscriptionRoundTrip,
		"a subscription is changed, deleted and touched":           testSubscriptionChanges,
		"a reader is asked once, and his no holds":                 testReaderIsAskedOnce,
		"an account has so many subscriptions":                     testSubscriptionLimit,
		"what came of attempts comes back":                         testRecord,
		"what was asked for while it was told is sent again":       testAskedWhileTold,
		"nothing is kept of a deleted subscription":                testDeletedKeepsNothing,
		"old attempts and dead deliveries are swept":               testSweepDeliveries,
		"a group that is empty is folded away":                     testFoldAway,
		"the tally is what counting would say":                     testTally,
		"the queue is what filtering and sorting would give":       testQueue,
		"the queue shows itself to those it concerns":              testQueueVisibility,
		"counters are folded by two nodes at once":                 testFoldStorm,
		"every wrapped key is wrapped again":                       testRewrap,
		"what becomes of accounts is told":                         testAccountsTold,
		"an erasure takes what was told":                           testToldErased,
		"what becomes of cases is told":                            testCasesTold,
		"a stall is told once for each due time":                   testStalls,
		"many who look for stalls tell of each once":               testStallStorm,
		"a test account stalls by its own clock":                   testStallsByClock,
		"the feed tells each connection's events in order":         testFeedOrder,
		"a feed shows itself to those it concerns":                 testFeedScopes,
		"a page of the feed looks at so many entries":              testFeedReach,
		"a page of the feed has a size":                            testFeedPageSize,
		"the feed is found by time":                                testFeedAt,
		"a lease is one holder's until it ends":                    testLeases,
		"one of many takes a lease":                                testLeaseStorm,
		"what stands on a lost lease is refused":                   testLostLease,
		"what an import has half filled is not opened":             testHalfMoved,
		"what somebody uses is not filled by an import":            testUsedIsNoTarget,
		"one state is moved, whatever is written meanwhile":        testSourceIsOneState,
	}
}

func testRoundTrip(t *testing.T, d door) {
	s := signed(t, d)
	description := "godkänd ✓"
	in := connection.NewEvent{
		Status: connection.Enabled, Name: "approved", Description: &description,
		Metadata: []byte(`{"a":1}`), ExternalID: "e-1", OccurredAt: noon.Add(-time.Hour), Reason: "by hand",
		Signup: 1, Code: "under_review", ProviderCode: "x-17",
	}
	change := posting(in)
	decide := change.Decide
	change.Decide = func(f Found) (Decision, error) {
		f.Connection.Configuration = []byte(`{"id":"m"}`)
		f.Connection.Metadata = []byte(`{}`)
		f.Connection.ConfiguredSeq = 2
		return decide(f)
	}
	mustChange(t, s, change)

	got := whole(t, s)
	if len(got.Events) != 2 || len(got.Signups) != 1 {
		t.Fatalf("got %d events and %d signups, want 2 and 1", len(got.Events), len(got.Signups))
	}
	want := &connection.Connection{
		Account: merchantID, Provider: "vipps", Schema: 3, Status: connection.Enabled,
		Configuration: []byte(`{"id":"m"}`), Metadata: []byte(`{}`),
		CreatedAt: noon, CreatedBy: merchant.Client, UpdatedAt: noon,
		LastSeq: 2, LastEventAt: noon, OccurredAt: noon.Add(-time.Hour), LastSignup: 1, History: 53, ConfiguredSeq: 2,
		Stand: connection.Stand{Event: "approved", Since: noon, Turn: "provider", Code: "under_review"},
		Signups: []connection.Signup{{
			Seq: 1, ID: got.Signups[0].ID, Key: "1", Data: []byte(`{"case_id":"x"}`), Token: got.Signups[0].Token,
			Schema: 3, CreatedAt: noon, CreatedBy: merchant.Client, ExpiresAt: noon.Add(connection.SignupLife),
		}},
		Events: []connection.Event{
			{
				Seq: 1, ID: got.Events[0].ID, Status: connection.Pending, Name: connection.SignupReceived,
				CreatedAt: noon, CreatedBy: merchant.Client,
			},
			{
				Seq: 2, ID: got.Events[1].ID, Status: connection.Enabled, Name: "approved", Description: &description,
				Metadata: []byte(`{"a":1}`), CreatedAt: noon, CreatedBy: partner.Client,
				ExternalID: "e-1", OccurredAt: noon.Add(-time.Hour), Reason: "by hand",
				Signup: 1, Code: "under_review", ProviderCode: "x-17",
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the connection came back different (-want +got):\n%s", diff)
	}
	if at := got.CreatedAt; at.Location() != time.UTC || at.UnixMicro() != noon.UnixMicro() {
		t.Errorf("created_at came back as %v, want %v in UTC", at, noon)
	}
}

func testAbsentAndEmpty(t *testing.T, d door) {
	s := signed(t, d)
	empty := ""
	mustChange(t, s, posting(connection.NewEvent{Status: connection.Pending, Name: "absent"}))
	mustChange(t, s, posting(connection.NewEvent{Status: connection.Pending, Name: "empty", Description: &empty, Metadata: []byte(`{}`)}))

	c := whole(t, s)
	if c.Configuration != nil || c.Metadata != nil {
		t.Errorf("configuration and metadata that were never given came back as %q and %q", c.Configuration, c.Metadata)
	}
	if e := c.Events[1]; e.Description != nil || e.Metadata != nil {
		t.Errorf("absent members came back as %v and %q", e.Description, e.Metadata)
	}
	if e := c.Events[2]; e.Description == nil || *e.Description != "" || string(e.Metadata) != `{}` {
		t.Errorf("empty members came back as %v and %q", e.Description, e.Metadata)
	}
}

func testEventPages(t *testing.T, d door) {
	s := signed(t, d)
	for range 6 {
		mustChange(t, s, posting(enabled("step")))
	}
	var got []int64
	for after := int64(0); ; {
		page, err := s.Events(context.Background(), partner, merchantID, "vipps", after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			got = append(got, e.Seq)
			after = e.Seq
		}
	}
	if diff := cmp.Diff([]int64{1, 2, 3, 4, 5, 6, 7}, got); diff != "" {
		t.Errorf("pages do not add up to the history (-want +got):\n%s", diff)
	}
	_, err := s.Events(context.Background(), partner, merchantID, "swish", 0, 3)
	wantKind(t, err, fault.NotFound)
}

func testSignupByToken(t *testing.T, d door) {
	s := signed(t, d)
	want := whole(t, s)
	head, signup, err := s.SignupByToken(context.Background(), want.Signups[0].Token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Signups[0], signup); diff != "" {
		t.Errorf("the signup came back different (-want +got):\n%s", diff)
	}
	want.Signups, want.Events = nil, nil
	if diff := cmp.Diff(want, head); diff != "" {
		t.Errorf("the connection came back different (-want +got):\n%s", diff)
	}
	for _, token := range []string{"", "unknown", "\x00", "\xff"} {
		_, _, err = s.SignupByToken(context.Background(), token)
		wantKind(t, err, fault.NotFound)
	}
}

func testClient(t *testing.T, d door) {
	s := fresh(t, d)
	want := auth.Client{
		ID: newID(), Account: partnerID, Name: "nightly", Disabled: true, CreatedAt: noon, CreatedBy: "test",
		Secrets: []auth.SecretHash{
			{ID: newID(), Hash: []byte{0, 255}, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)},
			{ID: newID(), Hash: []byte{7}, CreatedAt: noon.Add(time.Minute)},
		},
		Grants: []auth.Grant{{
			ID: newID(), Audience: partnerID, Scopes: auth.Scopes{"a", "b"}, Type: auth.GrantAny, CreatedAt: noon, CreatedBy: "test",
		}},
		Description: "runs at night", Callbacks: []string{"https://a.example/b"}, UpdatedAt: noon.Add(time.Hour), LastUsedAt: noon.Add(time.Minute),
	}
	if err := s.CreateClient(context.Background(), want); err != nil {
		t.Fatal(err)
	}
	got, owner, err := s.Client(context.Background(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the client came back different (-want +got):\n%s", diff)
	}
	if owner.ID != partnerID {
		t.Errorf("the client's account is %s, want %s", owner.ID, partnerID)
	}
	for _, id := range []string{"", "unknown", newID(), "{" + want.ID + "}", "\x00"} {
		_, _, err := s.Client(context.Background(), id)
		wantMissing(t, id, err)
	}
}

func testMadeOnce(t *testing.T, d door) {
	s := fresh(t, d)
	ctx := context.Background()
	a, _ := s.Account(ctx, merchant, merchantID)
	wantKind(t, s.CreateAccount(ctx, a), fault.Conflict)
	a.ID, a.Owner = "T11223399", "T99900000"
	wantKind(t, s.CreateAccount(ctx, a), fault.NotFound)

	c := clientOf(merchant)
	wantKind(t, s.CreateClient(ctx, c), fault.Conflict)
	c.ID, c.Account = newID(), "T99999999"
	wantKind(t, s.CreateClient(ctx, c), fault.NotFound)
	for _, spoil := range []func(*auth.Client){
		func(c *auth.Client) { c.ID = "till" },
		func(c *auth.Client) { c.Secrets[0].ID = "s" },
		func(c *auth.Client) { c.Grants[0].ID = "g" },
	} {
		c := clientOf(auth.Caller{Account: merchantID, Client: newID()})
		spoil(&c)
		wantKind(t, s.CreateClient(ctx, c), fault.Internal)
	}
}

func wantKind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want one of kind %s", want)
		return
	}
	if got := fault.From(err).Kind; got != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}

// wantMissing holds that unknown and not allowed read the same.
func wantMissing(t *testing.T, name string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: got no error, want Missing", name)
		return
	}
	got, want := fault.From(err), fault.Missing()
	if got.Kind != want.Kind || got.Code != want.Code || got.Message != want.Message {
		t.Errorf("%s: got %v, want %v", name, err, want)
	}
}
