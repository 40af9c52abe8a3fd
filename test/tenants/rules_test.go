package tenants

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mooring/internal/account"
	"mooring/internal/gate"
)

// checkRules holds the answers against what must be true of all of them.
func checkRules(t *testing.T, cells []cell) {
	t.Helper()
	for _, c := range cells {
		for _, broken := range []string{
			c.neverFails(), c.onlyOwn(), c.malformedIsRefusedFirst(), c.nobodyIsRefused(), c.specialTokensMeetTheirScheme(),
		} {
			if broken != "" {
				t.Errorf("%s: %s\n%s %s: %s", c, broken, c.answer.Method, c.answer.Target, said(c.answer))
			}
		}
	}
	excusesAreNeeded(t, cells)
	foreignIsMissing(t, cells)
	malformedIsTheSameToAll(t, cells)
	everyOperationWasDone(t, cells)
}

func (c cell) String() string { return fmt.Sprintf("%s [%s] by %s", c.op.ID, c.row, c.caller) }

func (c cell) public() bool { return len(c.op.Security) == 0 }

// anonymous says whether credentials may stand elsewhere than in the header.
func (c cell) anonymous() bool { return c.public() || takes(c.op, "") }

func (c cell) neverFails() string {
	if c.answer.Status >= 500 || c.answer.Status == http.StatusTooManyRequests {
		return "the service failed, or got tired"
	}
	return ""
}

// onlyOwn: nothing is done for a caller that may not reach what is named.
func (c cell) onlyOwn() string {
	if c.done() && !c.public() && !c.mayReach() && !c.excused() {
		return "was done, although the caller may not reach it"
	}
	return ""
}

// mayReach says whether the caller covers the first account that is named, each
// one that follows is of the one before it, and so is each thing.
func (c cell) mayReach() bool { return c.reaches(len(c.refs)) }

// reaches is mayReach for the first n parameters.
func (c cell) reaches(n int) bool {
	var last account.ID
	for _, r := range c.refs[:n] {
		ours := false
		switch {
		case r.state != live:
		case r.isAccount && last == "":
			ours = c.covers(r.account)
		case r.isAccount:
			ours = c.owns(last, r.account)
		case last == "": // the platform's
			ours = c.caller == ofPlatform
		default:
			ours = r.account == last
		}
		if !ours {
			return false
		}
		if r.isAccount {
			last = r.account
		}
	}
	return true
}

// excuse lets answers be that onlyOwn and foreignIsMissing would not have.
type excuse struct {
	operations, params, kinds, callers, why string // the first four with spaces between
}

var excuses = []excuse{
	{"account_audit_get", "oid account", deleted, "platform partner-A", "what was done to an account can be read by its owner for as long as it is kept"},
	{"aid_auths_keys_get", "oid", "missing deleted", ofPlatform, "the keys are those of the service, whichever account is named"},
	{"aid_auths_oauth_revoke_post", "oid", "missing deleted", ofPlatform, "a token that is not there is revoked, as documented"},
	{
		"operator_account_get operator_account_ranges_get operator_connection_events_get operator_account_hold_put operator_account_hold_delete " +
			"operator_account_retention_put",
		"aid", deleted, ofPlatform, "a platform sees to what is kept of an account that was deleted, until it is erased",
	},
}

func (c cell) excused() bool {
	return slices.ContainsFunc(excuses, func(e excuse) bool { return e.fits(c) })
}

func (e excuse) fits(c cell) bool {
	for all, one := range map[string]string{e.operations: c.op.ID, e.params: c.row.param, e.kinds: c.row.kind, e.callers: c.caller} {
		if !slices.Contains(strings.Fields(all), one) {
			return false
		}
	}
	return true
}

// covers says for whom a caller may speak.
func (c cell) covers(id account.ID) bool {
	switch c.caller {
	case merchant, acting, callback, exchange:
		return id == c.a.merchant
	case partnerA, ofProvider:
		return id == c.a.partner
	case partnerB:
		return id == c.b.partner
	case ofPlatform:
		return true
	}
	return false
}

// owns says whether the one account is the other, or owns it.
func (c cell) owns(owner, id account.ID) bool {
	if owner == id || owner == platformID {
		return true
	}
	for _, tn := range []*tenant{c.a, c.b} {
		if slices.Contains([]account.ID{tn.merchant, tn.sibling, tn.deleted}, id) {
			return owner == tn.partner
		}
	}
	return false
}

// malformedIsRefusedFirst: what has the wrong form is told so before it is asked
// who calls.
func (c cell) malformedIsRefusedFirst() string {
	if c.row.kind == broken && c.answer.Status != http.StatusBadRequest && !c.public() {
		return "what is malformed is not refused with 400"
	}
	return ""
}

func (c cell) nobodyIsRefused() string {
	if c.caller == nobody && !c.anonymous() && c.row.kind != broken && c.answer.Status != http.StatusUnauthorized {
		return "nobody is not refused with 401"
	}
	return ""
}

// specialTokensMeetTheirScheme: a callback, exchange or provider token opens
// nothing that does not ask for one.
func (c cell) specialTokensMeetTheirScheme() string {
	special := slices.Contains([]string{callback, exchange, ofProvider}, c.caller)
	if !special || c.anonymous() || takes(c.op, c.caller) || c.row.kind == broken {
		return ""
	}
	want := http.StatusForbidden
	basicAlone := !slices.ContainsFunc(c.op.Security, func(r gate.Requirement) bool { return r.Scheme != "basic" })
	if basicAlone || c.caller == exchange { // which is addressed to the token call of the account
		want = http.StatusUnauthorized
	}
	if c.answer.Status != want {
		return fmt.Sprintf("a token of another kind is not refused with %d", want)
	}
	return ""
}

// foreignIsMissing: whatever is not the caller's is the same to it, byte for
// byte: what is another's, what was deleted, what is not there.
func foreignIsMissing(t *testing.T, cells []cell) {
	t.Helper()
	absent := map[string]cell{}
	key := func(c cell) string { return fmt.Sprint(c.op.ID, c.row.scene, "/", c.row.param, "/", c.caller) }
	for _, c := range cells {
		if c.row.kind == missing {
			absent[key(c)] = c
		}
	}
	for _, c := range cells {
		there, hidden := absent[key(c)], slices.Contains([]string{sibling, foreign, foreigns, deleted, otherly}, c.row.kind)
		n := 1 + slices.IndexFunc(c.refs, func(r ref) bool { return r.name == c.row.param })
		if !hidden || c.public() || c.reaches(n) || c.worldIsTold() || c.excused() {
			continue
		}
		if said(c.answer) != said(there.answer) {
			t.Errorf("%s: what is hidden can be told from what is missing:\n%s %s: %s\n%s %s: %s", c,
				c.answer.Method, c.answer.Target, said(c.answer), there.answer.Method, there.answer.Target, said(there.answer))
		}
	}
}

// excusesAreNeeded: of every operation of an excuse something was done by it.
func excusesAreNeeded(t *testing.T, cells []cell) {
	t.Helper()
	for _, e := range excuses {
		for _, id := range strings.Fields(e.operations) {
			if !slices.ContainsFunc(cells, func(c cell) bool { return c.op.ID == id && c.done() && !c.mayReach() && e.fits(c) }) {
				t.Errorf("%s needs no excuse: %s", id, e.why)
			}
		}
	}
}

// worldIsTold: a platform names any account of its world first, and is refused
// one of the other world, which everybody can see from its first letter.
func (c cell) worldIsTold() bool {
	return c.row.kind == otherly && c.caller == ofPlatform && c.refs[0].name == c.row.param
}

func malformedIsTheSameToAll(t *testing.T, cells []cell) {
	t.Helper()
	first := map[string]cell{}
	for _, c := range cells {
		if c.row.kind != broken {
			continue
		}
		key := fmt.Sprint(c.op.ID, c.row)
		if before, seen := first[key]; !seen {
			first[key] = c
		} else if said(before.answer) != said(c.answer) {
			t.Errorf("%s: what is malformed is answered otherwise to %s:\n%s\n%s", c, before.caller, said(c.answer), said(before.answer))
		}
	}
}

// undone are operations that a request of the matrix can't be done by, and why.
var undone = map[string]string{
	"oauth_token_post": "it takes Basic credentials, which nobody here shows",
}

// everyOperationWasDone: a matrix in which nothing succeeds would say nothing.
func everyOperationWasDone(t *testing.T, cells []cell) {
	t.Helper()
	done, last := map[string]bool{}, map[string]cell{}
	for _, c := range cells {
		done[c.op.ID] = done[c.op.ID] || c.done()
		if c.row.kind == own && c.caller == ofPlatform {
			last[c.op.ID] = c
		}
	}
	for id, was := range done {
		if c := last[id]; !c.public() && was == (undone[id] != "") {
			t.Errorf("%s: done %v, excused %q: teach fixtures_test.go what it needs; the platform is answered\n%s", id, was, undone[id], strings.TrimSpace(said(c.answer)))
		}
	}
}
