package deliver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gateway"
	"mooring/internal/provider"
	"mooring/internal/store"
)

// Batch is a file of signups for a provider that takes files.
type Batch struct {
	Rows   int
	Last   string      // id of the last signup in it; "" when there is none
	Opened []OpenedRow // whose sealed members stand in it
	Text   string
}

// OpenedRow is a signup whose sealed members stand in a file.
type OpenedRow struct {
	Account account.Account
	Signup  string
}

// WriteBatch writes the signups of a world that wait for an answer, at most
// limit of them, beginning after the one with the id after. It changes nothing:
// what is not answered stands in the next file again, unless that begins after
// it.
func (d *Deliverer) WriteBatch(ctx context.Context, world account.World, p *provider.Provider, after string, limit int) (Batch, error) {
	waiting, err := d.Store.Waiting(ctx, world, p.Slug, after, limit)
	if err != nil {
		return Batch{}, err
	}
	var text bytes.Buffer
	out := csv.NewWriter(&text)
	out.Comma = p.Batch.Separator
	head := make([]string, len(p.Batch.Columns))
	for i, c := range p.Batch.Columns {
		head[i] = c.Name
	}
	if err := out.Write(head); err != nil {
		return Batch{}, err
	}
	var b Batch
	for _, task := range waiting {
		b.Last = task.Signup
		row, opened, err := d.row(ctx, task, p)
		if reason, ok := errors.AsType[moot](err); ok {
			task.State, task.LastError = store.TaskDone, string(reason)
			err = d.Store.Settle(ctx, task)
			if err != nil {
				return Batch{}, err
			}
			continue
		}
		if err != nil {
			return Batch{}, err
		}
		if opened != nil {
			b.Opened = append(b.Opened, *opened)
		}
		b.Rows++
		if err := out.Write(row); err != nil {
			return Batch{}, err
		}
	}
	out.Flush()
	b.Text = text.String()
	return b, out.Error()
}

// row writes one signup.
func (d *Deliverer) row(ctx context.Context, task store.Task, p *provider.Provider) ([]string, *OpenedRow, error) {
	s, acc, err := d.standing(ctx, task, p)
	if err != nil {
		return nil, nil, err
	}
	parts, err := d.asked(ctx, task, p.Batch.Columns)
	if err != nil {
		return nil, nil, err
	}
	data, err := gateway.Whole(s.Data, parts)
	if err != nil {
		return nil, nil, err
	}
	row := make([]string, len(p.Batch.Columns))
	for i, column := range p.Batch.Columns {
		switch column.From {
		case "reference":
			row[i] = s.ID
		case "account":
			row[i] = string(acc.ID)
		default:
			row[i] = gateway.Text(data, column.From)
		}
		if !p.Batch.Machine {
			row[i] = harmless(row[i])
		}
	}
	if len(parts) == 0 {
		return row, nil, nil
	}
	return row, &OpenedRow{acc, s.ID}, nil
}

// asked opens what was sealed of a signup, when a column asks for it.
func (d *Deliverer) asked(ctx context.Context, task store.Task, columns []provider.Column) ([]provider.Part, error) {
	return d.sealed(ctx, task, func(pointer string) bool {
		return slices.ContainsFunc(columns, func(column provider.Column) bool { return column.From == pointer })
	})
}

// harmless keeps a spreadsheet from taking a value for a formula.
func harmless(value string) string {
	if value != "" && strings.ContainsRune("=+-@\t\r", rune(value[0])) {
		return "'" + value
	}
	return value
}

// Result is what became of one row of an answer file.
type Result struct {
	Row       int // 1 is the first after the head
	Reference string
	Effect    string // an effect of connection, or "refused"
	Reason    string // why it was refused
}

// Refused is the effect of a row that became no event.
const Refused = "refused"

// ReadBatch takes the rows of an answer file in, each as one event. A row that
// says what the last one about its signup said changes nothing, and one that
// makes no sense stops no other.
// by is the author of what is recorded.
func (d *Deliverer) ReadBatch(ctx context.Context, world account.World, p *provider.Provider, lines []string, by string) ([]Result, error) {
	in := csv.NewReader(strings.NewReader(strings.TrimPrefix(strings.Join(lines, "\n"), "\ufeff")))
	in.Comma, in.FieldsPerRecord, in.LazyQuotes = p.Batch.Separator, -1, false
	head, err := in.Read()
	if err != nil {
		return nil, badFile("the file has no head line that can be read")
	}
	at, err := columnsOf(head, *p.Batch)
	if err != nil {
		return nil, err
	}
	var results []Result
	for n := 1; ; n++ {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return results, nil
		}
		if err != nil {
			return append(results, Result{Row: n, Effect: Refused, Reason: "from this row on the file can't be read"}), nil
		}
		result, err := d.readRow(ctx, world, p, at, row, by)
		if err != nil {
			return nil, err
		}
		result.Row = n
		results = append(results, result)
	}
}

// place of the columns of an answer file; code is -1 when there is none.
type columns struct{ reference, status, code int }

func columnsOf(head []string, b provider.Batch) (columns, error) {
	a := b.Answer
	for i := range head {
		head[i] = strings.TrimSpace(head[i])
	}
	at := columns{slices.Index(head, a.Reference), slices.Index(head, a.Status), -1}
	if at.reference < 0 || at.status < 0 {
		separator := string(b.Separator)
		if separator == "\t" {
			separator = "a tab"
		}
		return at, badFile(fmt.Sprintf("the head line must name the columns %s and %s, separated by %s", a.Reference, a.Status, separator))
	}
	for i, name := range head {
		if slices.Contains([]string{a.Reference, a.Status, a.Code}, name) && name != "" && slices.Contains(head[:i], name) {
			return at, badFile(fmt.Sprintf("the head line names the column %s twice: leave out the one that does not count", name))
		}
	}
	if a.Code != "" {
		at.code = slices.Index(head, a.Code)
	}
	return at, nil
}

func badFile(reason string) error {
	return fault.Refused(fault.Problem{In: "body", Name: "lines", Path: "#/lines", Code: "INVALID_FILE", Message: reason})
}

func (d *Deliverer) readRow(ctx context.Context, world account.World, p *provider.Provider, at columns, row []string, by string) (Result, error) {
	if len(row) <= max(at.reference, at.status, at.code) {
		return Result{Effect: Refused, Reason: "the row has too few columns"}, nil
	}
	r := Result{Reference: strings.ToLower(strings.TrimSpace(row[at.reference]))}
	word, code := strings.TrimSpace(row[at.status]), ""
	if at.code >= 0 {
		code = strings.TrimSpace(row[at.code])
	}
	if len(r.Reference) > maxReference || len(code) > maxReference {
		return Result{Effect: Refused, Reason: "the row has a value that is too long"}, nil
	}
	report, known := p.Batch.Answer.Outcomes[word]
	task, err := d.Store.InBatch(ctx, world, p.Slug, r.Reference)
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind == fault.NotFound {
		r.Effect, r.Reason = Refused, "the reference is not one of a signup that waits for an answer"
		return r, nil
	}
	switch {
	case err != nil:
		return r, err
	case !known:
		r.Effect, r.Reason = Refused, "the answer is none that the provider's file knows"
		return r, nil
	}
	id, err := d.answerID(ctx, task, word, code)
	if err != nil {
		return r, err
	}
	return d.answer(ctx, r, task, p, report, id, code, by)
}

const maxReference = 128

// answerID names an answer about a signup. What says the same as the last one
// has its name, and is known; any other is news, even if it takes the last one
// back for what was said before that.
func (d *Deliverer) answerID(ctx context.Context, task store.Task, word, code string) (string, error) {
	c, err := d.Store.Connection(ctx, auth.Caller{Account: task.Account}, task.Account, task.Provider)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(strconv.Itoa(len(word)) + ":" + word + code))
	said, before, last, n := ":"+hex.EncodeToString(sum[:8]), "batch:"+task.Signup+":", "", 1
	for _, e := range c.Events {
		if strings.HasPrefix(e.ExternalID, before) {
			last, n = e.ExternalID, n+1
		}
	}
	if strings.HasSuffix(last, said) {
		return last, nil
	}
	return before + strconv.Itoa(n) + said, nil
}

// answer records one row under its name, and settles the signup unless it goes
// on waiting.
func (d *Deliverer) answer(
	ctx context.Context, r Result, task store.Task, p *provider.Provider, report provider.Report, id, code, by string,
) (Result, error) {
	effect, err := d.hear(ctx, store.Place{Account: task.Account, Provider: task.Provider}, p, connection.Message{
		Signup: task.Signup,
		Event: connection.NewEvent{
			Status: connection.Status(report.Status), Name: report.Event, ExternalID: id,
			Code: report.Code, ProviderCode: code,
		},
		Configuration: report.Configuration, Final: report.Status == string(connection.Enabled),
	}, by)
	if reason, ok := errors.AsType[moot](err); ok {
		r.Effect, r.Reason = Refused, string(reason)
		return r, nil
	}
	if err != nil {
		return r, err
	}
	r.Effect = string(effect)
	if report.Status == string(connection.Pending) || task.State != store.TaskDue {
		return r, nil
	}
	task.State = store.TaskDone
	if err := d.Store.Settle(ctx, task); err != nil {
		if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Kind != fault.Conflict {
			return r, err
		}
	}
	return r, nil
}
