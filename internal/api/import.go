package api

import (
	"context"
	"fmt"
	"strings"

	stdjson "encoding/json"

	"github.com/go-json-experiment/json"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/intake"
	"mooring/internal/store"
)

// Where the contract describes what is imported.
const (
	importRequestSchema = "#/components/schemas/ImportRequest"
	importAccountSchema = "#/components/schemas/ImportAccount"
)

type importResults struct {
	Created   int            `json:"created"`
	Updated   int            `json:"updated"`
	Unchanged int            `json:"unchanged"`
	Refused   int            `json:"refused"`
	Rows      []importResult `json:"rows"`
}

type importResult struct {
	ID       string          `json:"id,omitempty"`
	Outcome  intake.Outcome  `json:"outcome"`
	Problems []importProblem `json:"problems"`
}

// importProblem has the shape of Problem.
type importProblem struct {
	Code    string   `json:"code"`
	Params  []string `json:"params"`
	Message string   `json:"message"`
	Path    string   `json:"path"`
}

// importAccounts takes accounts of another system in. Each row is read by
// itself, so that one that is wrong stops no other.
func (o operations) importAccounts(ctx context.Context, call *gate.Call) (gate.Reply, error) {
	frame, sent := intake.Apart(call.Body, "accounts")
	body, err := o.readAs(importRequestSchema, frame, call.Strict)
	if err != nil {
		return gate.Reply{}, err
	}
	var request struct {
		DryRun bool `json:"dry_run"`
		Hooks  bool `json:"hooks"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return gate.Reply{}, err
	}
	told := importResults{Rows: make([]importResult, len(sent))}
	var rows []intake.Row
	var places []int
	for i, raw := range sent {
		row, err := o.readRow(raw)
		told.Rows[i].ID = string(row.ID)
		switch f := fault.From(err); {
		case err == nil:
			rows, places = append(rows, row), append(places, i)
		case f.Kind == fault.Invalid:
			told.Rows[i].refuse(ofRow(f.Problems))
		default:
			return gate.Reply{}, err
		}
	}
	results, err := o.intake().Take(ctx, importDeed(call), rows, intake.Way{Dry: request.DryRun, Told: request.Hooks}, o.imported(call))
	if err != nil {
		return gate.Reply{}, err
	}
	for n, r := range results {
		told.Rows[places[n]].Outcome = r.Outcome
		if told.Rows[places[n]].Problems = []importProblem{}; r.Outcome == intake.Refused {
			told.Rows[places[n]].refuse(within(r.Problems))
		}
	}
	told.count()
	answer, err := json.Marshal(told, json.Deterministic(true))
	return gate.Reply{Body: answer}, err
}

func (o operations) intake() *intake.Intake {
	return &intake.Intake{Store: o.Store, Catalogue: o.Catalogue, Vault: o.Vault, Now: o.Now, NewToken: NewToken}
}

// importDeed is in whose name rows are written.
func importDeed(call *gate.Call) store.Deed {
	return store.Deed{Caller: call.Caller, About: call.Caller.Account}
}

// imported is what is remembered of each account that is taken in.
func (o operations) imported(call *gate.Call) func(store.Import) store.AuditRecord {
	return func(i store.Import) store.AuditRecord {
		record := o.audited(call, i.Account, "account.import", string(i.ID), store.AuditDone, "")
		record.Detail = fmt.Appendf(nil, `{"connections":%d}`, len(i.Connections))
		return record
	}
}

// readRow reads one row as the contract describes it.
func (o operations) readRow(raw []byte) (row intake.Row, err error) {
	text, err := o.readAs(importAccountSchema, raw, true)
	if err != nil {
		var named struct {
			ID string `json:"id"`
		}
		_ = stdjson.Unmarshal(raw, &named)
		if id, parseErr := account.ParseID(named.ID); parseErr == nil {
			row.ID = id
		}
		return row, err
	}
	if err := stdjson.Unmarshal(text, &row); err != nil {
		return row, fault.Refused(fault.Problem{
			In: "body", Path: "#/", Code: "INVALID_FORMAT", Message: "a time in the row is none; they look like 2026-05-12T09:30:00Z",
		})
	}
	return row, nil
}

// within gives problems the paths that a client reads: as fragments, and in
// the sentences.
func within(problems []fault.Problem) []fault.Problem {
	for i, p := range problems {
		if !strings.HasPrefix(p.Path, "#") {
			problems[i].Message = strings.TrimSpace(strings.TrimPrefix(p.Path, "/") + " " + p.Message)
			problems[i].Path = "#" + p.Path
		}
	}
	return problems
}

// ofRow says of a row what was found out about a body.
func ofRow(problems []fault.Problem) []fault.Problem {
	for i, p := range problems {
		if rest, whole := strings.CutPrefix(p.Message, "the body "); whole && p.Path == "#/" {
			problems[i].Name, problems[i].Message = "row", "the row "+rest
		}
	}
	return problems
}

func (r *importResult) refuse(problems []fault.Problem) {
	r.Outcome, r.Problems = intake.Refused, []importProblem{}
	for _, p := range problems {
		params := p.Params
		if params == nil {
			params = []string{}
		}
		r.Problems = append(r.Problems, importProblem{p.Code, params, p.Message, p.Path})
	}
}

func (t *importResults) count() {
	for _, r := range t.Rows {
		switch r.Outcome {
		case intake.Created:
			t.Created++
		case intake.Updated:
			t.Updated++
		case intake.Unchanged:
			t.Unchanged++
		case intake.Refused:
			t.Refused++
		default:
			panic(fmt.Sprintf("api: a row came to %q", r.Outcome))
		}
	}
}
