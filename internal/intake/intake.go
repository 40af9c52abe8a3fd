package intake

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/vault"
)

// Intake takes rows in. All fields are needed.
type Intake struct {
	Store     *store.Store
	Catalogue *provider.Catalogue
	Vault     *vault.Vault
	Now       func() time.Time
	NewToken  func() string // tokens of signup links
}

// Result is what became of one row.
type Result struct {
	Outcome  Outcome
	Problems []fault.Problem // why it was refused; their paths are within the row
}

// group is how many accounts share one transaction: few enough for others to
// write in between.
const group = 50

// tries is how often rows are looked at again because something else wrote to
// their accounts at the same moment.
const tries = 5

// Way says how rows are taken in.
type Way struct {
	Dry  bool // nothing is written
	Told bool // hooks and the feed are told of what is made, as if it happened now
}

// Take takes rows in, in groups, each in one transaction in the name of the
// deed, with what remember says of each account. An error is about the caller or the
// service; what is wrong with a row is its result. Groups before the one that
// failed are written, and unchanged when they come again.
func (in *Intake) Take(
	ctx context.Context, d store.Deed, rows []Row, way Way, remember func(store.Import) store.AuditRecord,
) ([]Result, error) {
	all := make([]Result, 0, len(rows))
	t := taking{in, d, way, remember, map[account.ID]account.Account{}}
	for part := range slices.Chunk(rows, group) {
		results, err := t.group(ctx, part)
		if err != nil {
			return nil, err
		}
		all = append(all, results...)
	}
	return all, nil
}

// taking is one call of Take.
type taking struct {
	*Intake
	deed     store.Deed
	way      Way
	remember func(store.Import) store.AuditRecord
	planned  map[account.ID]account.Account // what a dry run would have made
}

func (t taking) group(ctx context.Context, rows []Row) ([]Result, error) {
	for try := 1; ; try++ {
		results, imports, err := t.plan(ctx, rows)
		switch {
		case err != nil || len(imports) == 0:
			return results, err
		case t.way.Dry:
			for _, i := range imports {
				t.planned[i.ID] = i.Account
			}
			return results, nil
		}
		d := t.deed
		for i := range imports {
			imports[i].Told = t.way.Told
			d.Audit = append(d.Audit, t.remember(imports[i]))
		}
		err = t.Store.Import(ctx, d, imports)
		switch {
		case store.Moved(err) && try < tries:
		case store.Moved(err):
			return nil, fault.New(fault.Unavailable, fault.CodeUnavailable, "the accounts are written to by others; send the same again")
		case err != nil && blames(err):
			return t.each(ctx, rows, err)
		default:
			return results, err
		}
	}
}

// blames says whether an error is about what was to be written.
func blames(err error) bool {
	kind := fault.From(err).Kind
	return kind == fault.Invalid || kind == fault.Conflict || kind == fault.Forbidden
}

// each takes rows in one by one, after something in one of them kept all
// from being written.
func (t taking) each(ctx context.Context, rows []Row, cause error) ([]Result, error) {
	if len(rows) == 1 {
		return []Result{{Refused, problemsOf(fault.From(cause))}}, nil
	}
	all := make([]Result, 0, len(rows))
	for i := range rows {
		one, err := t.group(ctx, rows[i:i+1])
		if err != nil {
			return nil, err
		}
		all = append(all, one...)
	}
	return all, nil
}

// plan decides what each row comes to, by what there is now.
func (t taking) plan(ctx context.Context, rows []Row) ([]Result, []store.Import, error) {
	known, err := t.Store.Known(ctx, mentioned(rows))
	if err != nil {
		return nil, nil, err
	}
	owners := map[account.ID]account.Account{}
	for id, k := range known {
		owners[id] = k.Account
	}
	for id, a := range t.planned {
		owners[id] = a
	}
	results := make([]Result, len(rows))
	var imports []store.Import
	seen := map[account.ID]bool{}
	for i, row := range rows {
		p := plan{Intake: t.Intake, row: row.settled(), by: t.deed.Caller, owners: owners, now: t.Now()}
		if k, ok := known[row.ID]; ok {
			p.known = &k
		}
		if seen[row.ID] {
			results[i] = Result{Refused, []fault.Problem{problem("/id", "DUPLICATE", "is that of another row of this call; send the rows of one account as one, or in different calls")}}
			continue
		}
		seen[row.ID] = true
		imported, err := p.make(ctx)
		if f := new(fault.Fault); errors.As(err, &f) && f.Kind == fault.Invalid {
			results[i] = Result{Refused, problemsOf(f)}
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		results[i].Outcome = p.outcome(imported)
		if results[i].Outcome != Unchanged {
			imports = append(imports, imported)
			owners[row.ID] = imported.Account
		}
	}
	return results, imports, nil
}

// mentioned are the accounts that rows speak of, owners too, each once.
func mentioned(rows []Row) []account.ID {
	var ids []account.ID
	for _, r := range rows {
		ids = append(ids, r.ID)
		if owner, err := account.ParseOwner(r.Owner); err == nil {
			ids = append(ids, owner)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// problemsOf are the problems of a fault; one that names none is its sentence.
func problemsOf(f *fault.Fault) []fault.Problem {
	if len(f.Problems) > 0 {
		return f.Problems
	}
	return []fault.Problem{problem("/", cmp.Or(f.Code, fault.CodeInvalidParameter), f.Message)}
}

func problem(path, code, message string) fault.Problem {
	return fault.Problem{In: "body", Path: path, Code: code, Message: message}
}
