package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

var vippsPlace = Place{merchantID, vipps.Slug}

// also is a change whose decision is added to.
func also(c Change, add func(Found, *Decision)) Change {
	decide := c.Decide
	c.Decide = func(f Found) (Decision, error) {
		d, err := decide(f)
		if err == nil {
			add(f, &d)
		}
		return d, err
	}
	return c
}

func keyOf(subject string) DataKey {
	return DataKey{Account: merchantID, ID: newID(), Subject: subject, Wrapped: []byte{0, 7, 255}, CreatedAt: noon}
}

func fieldOf(holder, pointer string, version int64, key DataKey) SealedField {
	return SealedField{
		Account: merchantID, Provider: vipps.Slug, Holder: holder, Pointer: pointer, Version: version, Class: "secret",
		Key: key.ID, Sealed: []byte("sealed " + pointer), CreatedAt: noon,
	}
}

func taskOf(kind, signup string, due time.Time) Task {
	return Task{
		Account: merchantID, ID: newID(), Kind: kind, Provider: vipps.Slug, Signup: signup, DueAt: due, State: TaskDue,
	}
}

func auditOf(action string) AuditRecord {
	return AuditRecord{
		ID: newID(), Account: merchantID, At: noon, AccountAt: noon.Add(time.Hour), By: partner.Client, Token: "t",
		Remote: "192.0.2.1", Action: action, Target: "vipps", Outcome: "done", Reason: "r", Detail: []byte(`{"a":1}`),
	}
}

// ownKeyOf gives the merchant a key.
func ownKeyOf(t *testing.T, s *Store) DataKey {
	t.Helper()
	k, err := s.AddDataKey(context.Background(), keyOf(""))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// configuring is a change that puts a configuration with one sealed member for
// each pointer in force.
func configuring(key DataKey, pointers ...string) Change {
	return also(posting(enabled("configured")), func(_ Found, d *Decision) {
		d.Connection.ConfiguredSeq = d.Connection.LastSeq
		for _, p := range pointers {
			d.Fields = append(d.Fields, fieldOf("", p, d.Connection.LastSeq, key))
		}
	})
}

func testEffects(t *testing.T, d door) {
	s := fresh(t, d)
	ctx := context.Background()
	var (
		key    DataKey
		field  SealedField
		task   Task
		record = auditOf("signup")
	)
	mustChange(t, s, also(signing(merchant), func(_ Found, d *Decision) {
		signup := d.Connection.Signups[0].ID
		key = keyOf(signup)
		field = fieldOf(signup, "/ssn", 0, key)
		field.Shown, field.NotAfter = true, noon.Add(time.Hour)
		task = taskOf(TaskSubmit, signup, noon)
		d.Keys, d.Fields, d.Tasks, d.Audit = []DataKey{key}, []SealedField{field}, []Task{task}, []AuditRecord{record}
	}))
	gotKey, err := s.DataKeyByID(ctx, merchantID, key.ID)
	wantSame(t, "the key", key, gotKey, err)
	fields, err := s.SealedFields(ctx, vippsPlace, key.Subject)
	wantSame(t, "the field", []SealedField{field}, fields, err)
	tasks, err := s.Tasks(ctx, vippsPlace)
	wantSame(t, "the task", []Task{task}, tasks, err)
	records, err := auditSince(s, "", 10)
	wantSame(t, "the audit", []AuditRecord{record}, records, err)
	for _, id := range []string{"", "x", newID()} {
		_, err := s.DataKeyByID(ctx, merchantID, id)
		wantMissing(t, id, err)
		_, err = s.DataKeyByID(ctx, secondID, key.ID)
		wantMissing(t, "another account's key", err)
	}

	// A refusal writes none of it.
	refusal := fault.New(fault.Invalid, "TEST", "no")
	bad := also(signing(merchant), func(_ Found, d *Decision) { d.Audit = []AuditRecord{auditOf("refused")} })
	decide := bad.Decide
	bad.Decide = func(f Found) (Decision, error) { d, _ := decide(f); return d, refusal }
	_, errs := together(t, s, bad, also(signing(merchant), func(_ Found, d *Decision) { d.Audit = []AuditRecord{auditOf("kept")} }))
	if errs[0] == nil || errs[1] != nil {
		t.Fatal(errs)
	}
	records, err = auditSince(s, "", 1)
	if err != nil || len(records) != 1 || records[0].Action != "kept" {
		t.Errorf("after a refusal and a change the audit begins with %+v, %v", records, err)
	}
	older, err := auditSince(s, records[0].ID, 5)
	wantSame(t, "the older records", []AuditRecord{record}, older, err)
}

func wantSame(t *testing.T, what string, want, got any, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	} else if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s came back different (-want +got):\n%s", what, diff)
	}
}

func testBadEffects(t *testing.T, d door) {
	s := signed(t, d)
	key := ownKeyOf(t, s)
	signup := whole(t, s).Signups[0].ID
	for name, spoil := range map[string]func(*Decision){
		"a key of another account": func(d *Decision) { d.Keys = []DataKey{keyOf(newID())}; d.Keys[0].Account = secondID },
		"a key without id":         func(d *Decision) { d.Keys = []DataKey{keyOf(newID())}; d.Keys[0].ID = "k" },
		"a field of another connection": func(d *Decision) {
			d.Fields = []SealedField{fieldOf(signup, "/a", 0, key)}
			d.Fields[0].Provider = "swish"
		},
		"a field of another account": func(d *Decision) {
			d.Fields = []SealedField{fieldOf(signup, "/a", 0, key)}
			d.Fields[0].Account = secondID
		},
		"a field of no version":        func(d *Decision) { d.Fields = []SealedField{fieldOf("", "/a", 0, key)} },
		"a field of another version":   func(d *Decision) { d.Fields = []SealedField{fieldOf("", "/a", 1, key)} },
		"a field under no key":         func(d *Decision) { d.Fields = []SealedField{fieldOf(signup, "/a", 0, DataKey{})} },
		"a field under a lost key":     func(d *Decision) { d.Fields = []SealedField{fieldOf(signup, "/a", 0, keyOf(""))} },
		"a task of another connection": func(d *Decision) { d.Tasks = []Task{taskOf(TaskSubmit, signup, noon)}; d.Tasks[0].Provider = "swish" },
		"a task of an unknown kind":    func(d *Decision) { d.Tasks = []Task{taskOf("dance", signup, noon)} },
		"a task that is done":          func(d *Decision) { d.Tasks = []Task{taskOf(TaskStep, signup, noon)}; d.Tasks[0].State = TaskDone },
		"a task of an unknown signup":  func(d *Decision) { d.Tasks = []Task{taskOf(TaskStep, newID(), noon)} },
		"a verdict on nothing":         func(d *Decision) { d.Verdict = &Verdict{State: VerdictApplied} },
		"an erasure of no id":          func(d *Decision) { d.Erased = "s" },
		"an audit record without id":   func(d *Decision) { d.Audit = []AuditRecord{{}} },
	} {
		_, errs := together(t, s, posting(enabled("before")), also(posting(enabled("bad")), func(_ Found, d *Decision) { spoil(d) }))
		if errs[0] != nil {
			t.Errorf("%s sank its neighbour: %v", name, errs[0])
		}
		if errs[1] == nil || fault.From(errs[1]).Kind != fault.Internal {
			t.Errorf("%s: got %v, want an internal error", name, errs[1])
		}
	}
	for _, e := range whole(t, s).Events {
		if e.Name == "bad" {
			t.Error("a refused decision was written")
		}
	}
}

// versions are the numbers of the configurations whose fields are kept.
func versions(t *testing.T, s *Store) []int64 {
	t.Helper()
	fields, err := s.SealedFields(context.Background(), vippsPlace, "")
	if err != nil {
		t.Fatal(err)
	}
	var kept []int64
	for _, f := range fields {
		kept = append(kept, f.Version)
	}
	return kept
}

func testConfigurationVersions(t *testing.T, d door) {
	s := signed(t, d)
	key := ownKeyOf(t, s)
	if again := ownKeyOf(t, s); again.ID != key.ID {
		t.Error("an account got a second key")
	}
	got, err := s.DataKey(context.Background(), merchantID)
	wantSame(t, "the key of the account", key, got, err)
	_, err = s.DataKey(context.Background(), secondID)
	wantMissing(t, "the key of another account", err)

	mustChange(t, s, configuring(key, "/b", "/a"))
	mustChange(t, s, configuring(key, "/a"))
	if diff := cmp.Diff([]int64{3, 2, 2}, versions(t, s)); diff != "" {
		t.Errorf("after two configurations (-want +got):\n%s", diff)
	}
	mustChange(t, s, posting(enabled("between")))
	mustChange(t, s, configuring(key, "/a"))
	if diff := cmp.Diff([]int64{5, 3}, versions(t, s)); diff != "" {
		t.Errorf("after three (-want +got):\n%s", diff)
	}
	_, errs := together(t, s, configuring(key, "/a"), configuring(key, "/a"), configuring(key, "/a"))
	allWell(t, errs)
	if diff := cmp.Diff([]int64{8, 7}, versions(t, s)); diff != "" {
		t.Errorf("after three more in one batch (-want +got):\n%s", diff)
	}
}

func testReplacedSteps(t *testing.T, d door) {
	s := signed(t, d)
	signup := whole(t, s).Signups[0].ID
	play := func(from int64) Change {
		return also(posting(enabled("played")), func(_ Found, d *Decision) {
			d.Replaces = signup
			for i := range int64(2) {
				step := taskOf(TaskStep, signup, noon.Add(time.Duration(from+i)*time.Hour))
				step.Step = from + i
				d.Tasks = append(d.Tasks, step)
			}
		})
	}
	mustChange(t, s, also(play(1), func(_ Found, d *Decision) { d.Tasks = append(d.Tasks, taskOf(TaskSubmit, signup, noon)) }))
	_, errs := together(t, s, play(3), play(5))
	allWell(t, errs)
	tasks, err := s.Tasks(context.Background(), vippsPlace)
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, task := range tasks {
		states[fmt.Sprint(task.Kind, task.Step)] = task.State
	}
	want := map[string]string{
		"step1": "gave_up", "step2": "gave_up", "step3": "gave_up", "step4": "gave_up", "step5": "due", "step6": "due", "submit0": "due",
	}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("the tasks (-want +got):\n%s", diff)
	}
}

func testSystemChange(t *testing.T, d door) {
	s := signed(t, d)
	change := posting(enabled("reported"))
	change.Caller, change.Owner, change.System = partner, otherID, true
	change.Caller.Client = ""
	mustChange(t, s, change)
	wantNames(t, s, "signup_received", "reported")
	change.Account = account.ID("T99999999")
	_, err := s.Change(context.Background(), change)
	wantMissing(t, "an unknown account", err)
	change = keyed(posting(enabled("keyed")), "", "f")
	change.System = true
	_, err = s.Change(context.Background(), change)
	wantKind(t, err, fault.Internal)
}

func byPlatform(c Change) Change {
	c.Caller, c.Owner = platform, platformID
	return c
}

func testErasure(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	mustChange(t, s, signing(merchant))
	own := ownKeyOf(t, s)
	signups := whole(t, s).Signups
	for _, signup := range signups {
		mustChange(t, s, also(posting(enabled("sealed")), func(_ Found, d *Decision) {
			key := keyOf(signup.ID)
			d.Keys, d.Fields = []DataKey{key}, []SealedField{fieldOf(signup.ID, "/ssn", 0, key)}
			d.Tasks = []Task{taskOf(TaskSubmit, signup.ID, noon)}
		}))
		received(t, s, signup.ID, own, "said")
	}
	mustChange(t, s, configuring(own, "/a"))
	for path, caller := range map[string]Change{
		"/v1/accounts/T11223351/management/settings/connections/vipps":                             signing(merchant),
		"/v1/accounts/T112/management/accounts/T11223351/connections/vipps/events":                 posting(enabled("p")),
		"/v1/operator/accounts/T11223351/connections/vipps/events":                                 byPlatform(posting(enabled("o"))),
		"/v1/accounts/T11223352/management/settings/connections/vipps":                             signing(second),
		"/v1/accounts/T112/management/accounts/T11223352/connections/vipps/events?about=T11223351": posting(enabled("q")),
	} {
		c := keyed(caller, "", "f")
		c.Key.Path = path
		mustChange(t, s, c)
	}

	told := func(d Deed, path string) {
		d.About, d.Key = merchantID, &Idempotency{Operation: "put", Path: path, Key: "k", Fingerprint: []byte("f")}
		if _, err := s.UpdateAccount(ctx, d, func(w account.Whole) (account.Profile, error) { return w.Profile, nil },
			func(Profiled) (Answer, error) { return Answer{Body: []byte("of its connections")}, nil }); err != nil {
			t.Fatal(err)
		}
	}
	told(Deed{Caller: partner, Owner: partnerID}, "/v1/accounts/T11200000/management/accounts/T11223351")
	told(Deed{Caller: platform, Owner: platformID}, "/v1/accounts/T00000000/management/accounts/T11223351")
	told(Deed{Caller: merchant}, "/v1/accounts/T11223351/management/settings")
	for _, text := range []string{ // one that a former owner was given, and one of before answers said whom they are about
		`UPDATE idempotency SET account = 'T11300000' WHERE path = '/v1/accounts/T11200000/management/accounts/T11223351'`,
		`UPDATE idempotency SET about = '' WHERE path = '/v1/accounts/T00000000/management/accounts/T11223351' OR path LIKE '%?about=%'`,
	} {
		run(t, s, text)
	}

	erasing := keyed(hearing(1, func(s *connection.Signup) { s.Data, s.Digest, s.ErasedAt = []byte(`{}`), nil, noon }), "", "f")
	erasing.Key.Path = "/v1/operator/accounts/T11223351/connections/vipps/signups/x/erase"
	mustChange(t, s, also(erasing, func(_ Found, d *Decision) { d.Erased = signups[0].ID }))

	for i, signup := range signups {
		fields, err := s.SealedFields(ctx, vippsPlace, signup.ID)
		if err != nil || len(fields) != i {
			t.Errorf("signup %d has %d fields, %v", i+1, len(fields), err)
		}
	}
	if n := count(t, s, "SELECT count(*) FROM data_key"); n != 2 {
		t.Errorf("%d keys are left, want the account's and the other signup's", n)
	}
	if kept := versions(t, s); len(kept) != 1 {
		t.Errorf("the configuration has %d fields, want 1", len(kept))
	}
	calls, err := s.Inbox(ctx, merchant, vippsPlace, "", 10)
	if err != nil || len(calls) != 2 {
		t.Fatalf("%d calls, %v", len(calls), err)
	}
	for _, c := range calls {
		if gone := c.Signup == signups[0].ID; gone != (c.Body == nil && c.Digest == nil && c.Key == "") {
			t.Errorf("the call of an erased signup (%v) came back as %+v", gone, c)
		}
	}
	late := received(t, s, signups[0].ID, own, "said after")
	if c, err := s.ReceivedByID(ctx, vippsPlace, late.ID); err != nil || c.Body != nil || c.Key != "" {
		t.Errorf("a call about an erased person was kept as %+v, %v", c, err)
	}
	claimed, err := s.Claim(ctx, noon.Add(time.Hour), time.Minute, 10)
	if err != nil || len(claimed) != 1 || claimed[0].Signup != signups[1].ID {
		t.Errorf("claimed %+v, %v; want the other signup's submission", claimed, err)
	}
	if n := count(t, s, "SELECT count(*) FROM idempotency"); n != 2 {
		t.Errorf("%d answers are left, want those of the other account", n)
	}
}
