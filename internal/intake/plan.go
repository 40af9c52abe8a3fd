package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/vault"
)

// plan is one row on its way to what is written of it.
type plan struct {
	*Intake
	row    Row
	by     auth.Caller
	known  *store.Known // nil when there is no such account
	owners map[account.ID]account.Account
	now    time.Time

	own      *vault.Own
	problems []fault.Problem
}

func (p *plan) refuse(path, code, message string) {
	p.problems = append(p.problems, problem(path, code, message))
}

// make says what is to be written of the row, or refuses it with all problems.
func (p *plan) make(ctx context.Context) (store.Import, error) {
	made := store.Import{New: p.known == nil}
	p.account(&made)
	names := map[string]bool{}
	for i, c := range p.row.Connections {
		at := fmt.Sprintf("/connections/%d", i)
		known, ok := p.Catalogue.Resolve(c.Name)
		switch {
		case !ok:
			p.refuse(at+"/connection", "UNKNOWN_CONNECTION", "names no provider that this server knows")
			continue
		case names[known.Slug]:
			p.refuse(at+"/connection", "DUPLICATE", "stands twice in this row")
			continue
		}
		names[known.Slug] = true
		one, err := p.connection(ctx, made.Account, known, c)
		if f := new(fault.Fault); errors.As(err, &f) && f.Kind == fault.Invalid {
			for _, problem := range problemsOf(f) {
				problem.Path = at + strings.TrimSuffix(problem.Path, "/")
				p.problems = append(p.problems, problem)
			}
			continue
		}
		if err != nil {
			return made, err
		}
		if one != nil {
			made.Connections = append(made.Connections, *one)
		}
	}
	if len(p.problems) > 0 {
		return made, fault.Refused(p.problems...)
	}
	return made, nil
}

// outcome is what writing it comes to.
func (p *plan) outcome(made store.Import) Outcome {
	switch {
	case made.New:
		return Created
	case len(made.Connections) > 0:
		return Updated
	}
	return Unchanged
}

// account is the account that the row is of: as it is there, or as the row
// says when it is new.
func (p *plan) account(made *store.Import) {
	owner, err := account.ParseOwner(p.row.Owner)
	if p.row.Owner == "" && p.known != nil {
		owner, err = p.known.Account.Owner, nil
	}
	if err != nil {
		p.refuse("/owner", fault.CodeInvalidParameter, "must be the partner that owns the account, such as P112, or the platform for a partner")
	}
	profile, err := account.ParseProfile(p.row.Profile)
	if err != nil {
		p.refuse("/profile", fault.CodeInvalidParameter, "must be an object")
	}
	if p.row.ID.World() != p.by.Account.World() {
		p.refuse("/id", "OTHER_WORLD", "is of the other world; production and test accounts never mix")
		return
	}
	if p.known != nil {
		made.Whole = p.known.Whole
		p.compare(owner, profile)
		return
	}
	for _, name := range onlyShown {
		if _, ok := profile[name]; ok {
			p.refuse("/profile/"+name, "NOT_ALLOWED", "is not what an account says of itself")
		}
	}
	if profile[account.MemberKeys] != nil && !p.by.Scopes.Has(auth.ScopeAdminAccounts) {
		p.refuse("/profile/"+account.MemberKeys, fault.CodeForbidden, "is for those whose token has admin:accounts: it lets them log in as clients of the account")
	}
	made.Profile = profile
	made.Account = account.Account{ID: p.row.ID, Owner: owner, Company: profile.Company(), CreatedAt: p.row.CreatedAt, CreatedBy: p.by.Client}
	if made.CreatedAt.IsZero() {
		made.CreatedAt = p.firstTime()
	}
	if made.CreatedAt.After(p.now) {
		p.refuse("/created_at", "OUT_OF_RANGE", "lies in the future")
	}
	p.place(&made.Account)
	if _, err := account.LabelsOf(profile); err != nil {
		p.refuse("/profile", fault.CodeInvalidParameter, "has a member of another kind than account objects have")
	}
}

// onlyShown are the members of an account object that no account says of
// itself.
var onlyShown = []string{
	"id", "account_id", "partner_id", "active", "livemode", "created_at", "created_by", "updated_at", "updated_by",
	"deleted_at", "deleted_by", "statistics", "connections", "paging_token",
}

// firstTime is when the oldest connection of the row was made.
func (p *plan) firstTime() time.Time {
	first := p.now
	for _, c := range p.row.Connections {
		if !c.CreatedAt.IsZero() && c.CreatedAt.Before(first) {
			first = c.CreatedAt
		}
	}
	return first
}

// place says what a new account is, by who owns it.
func (p *plan) place(a *account.Account) {
	if a.Owner == "" {
		return
	}
	owner, ok := p.owners[a.Owner]
	switch zeros := strings.HasSuffix(string(a.ID), "00000"); {
	case a.Owner.World() != a.ID.World():
		p.refuse("/owner", "OTHER_WORLD", "is of the other world; production and test accounts never mix")
	case !ok || owner.Deleted():
		p.refuse("/owner", "UNKNOWN_OWNER", "is no account that is here; rows of owners come before the rows of what they own")
	case owner.Kind == account.KindPlatform && a.ID.IsPlatform():
		p.refuse("/id", "NOT_ALLOWED", "is that of the platform")
	case owner.Kind == account.KindPlatform && !zeros:
		p.refuse("/id", "NOT_ALLOWED", "must end in 00000, as the ids of partners do; the owner of a merchant is a partner")
	case owner.Kind == account.KindPlatform:
		a.Kind = account.KindPartner
	case owner.Kind != account.KindPartner:
		p.refuse("/owner", "NOT_ALLOWED", "is a merchant, which owns nothing")
	case zeros:
		p.refuse("/id", "NOT_ALLOWED", "ends in 00000, as the ids of partners do, but the owner is a partner")
	default:
		a.Kind = account.KindMerchant
	}
}

// compare holds a row against the account that is there.
func (p *plan) compare(owner account.ID, profile account.Profile) {
	is := p.known.Account
	switch {
	case is.Deleted():
		p.refuse("/id", fault.CodeConflict, "is that of an account that was deleted here; ids are not used again")
		return
	case owner != is.Owner && owner != "":
		p.refuse("/owner", fault.CodeConflict, "is not the owner that the account has here")
	}
	if len(p.row.Profile) > 0 && is.UpdatedAt.IsZero() && !sameProfile(profile, p.known.Profile) {
		p.refuse("/profile", fault.CodeConflict, "is not what is known of the account here")
	}
	if !p.row.CreatedAt.IsZero() && !p.row.CreatedAt.Equal(is.CreatedAt) {
		p.refuse("/created_at", fault.CodeConflict, "is not when the account was made here")
	}
}

func sameProfile(a, b account.Profile) bool {
	one, err := a.Encode()
	other, failed := b.Encode()
	return err == nil && failed == nil && bytes.Equal(one, other)
}

// canonicalObject is the one spelling of an object; {} when there is none.
func canonicalObject(raw json.RawMessage) ([]byte, error) {
	if len(raw) == 0 {
		return []byte(`{}`), nil
	}
	text, err := provider.Canonical(raw)
	if err == nil && text[0] != '{' {
		err = errors.New("no object")
	}
	return text, err
}
