package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// A call takes so many rows, and so many bytes of them, at most.
const (
	importPiece = 250
	importBytes = 3 << 20
)

// importPatience is how long an import waits for a server that does not answer.
const importPatience = 10 * time.Minute

// importer sends rows to a server, piece by piece, and keeps book.
type importer struct {
	connect func(context.Context) (*remote, error)
	server  *remote
	dry     bool
	hooks   bool
	state   importState
	errors  *importErrors
	tell    *progress
}

// importVerdict is what the server says of a row.
type importVerdict struct {
	Outcome  string          `json:"outcome"`
	Problems []importProblem `json:"problems"`
}

// run sends all rows of a reader.
func (i *importer) run(ctx context.Context, in importReader) error {
	var piece []importRow
	bytes, ids := 0, map[string]bool{}
	flush := func() error {
		if len(piece) == 0 {
			return nil
		}
		err := i.take(ctx, piece)
		piece, bytes = piece[:0], 0
		clear(ids)
		return err
	}
	for {
		row, err := in.next()
		if errors.Is(err, io.EOF) {
			return flush()
		}
		if err != nil {
			return errors.Join(flush(), err)
		}
		if len(piece) == importPiece || bytes+len(row.row) > importBytes || ids[row.id] {
			if err := flush(); err != nil {
				return err
			}
		}
		piece, bytes = append(piece, row), bytes+len(row.row)
		ids[row.id] = true
	}
}

// take sends a piece, and notes what became of it.
func (i *importer) take(ctx context.Context, piece []importRow) error {
	var sent [][]byte
	for _, row := range piece {
		if row.wrong == nil {
			sent = append(sent, row.row)
		}
	}
	told, err := i.ask(ctx, sent)
	if err != nil {
		return err
	}
	var counts importCounts
	next := 0
	for _, row := range piece {
		problems, outcome := row.wrong, "refused"
		if problems == nil {
			problems, outcome = told[next].Problems, told[next].Outcome
			next++
		}
		switch outcome {
		case "created":
			counts.Created++
		case "updated":
			counts.Updated++
		case "unchanged":
			counts.Unchanged++
		default:
			counts.Refused++
			if err := i.errors.refused(row, problems); err != nil {
				return err
			}
		}
	}
	return i.note(piece[len(piece)-1], counts)
}

// ask sends rows and returns what became of each. What a server will not look
// at together it is sent in halves, until it is known which row it is.
func (i *importer) ask(ctx context.Context, rows [][]byte) ([]importVerdict, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	var told struct {
		Rows []importVerdict `json:"rows"`
	}
	err := i.send(ctx, importBody(rows, i.dry, i.hooks), &told)
	switch refused, ok := errors.AsType[*refusedError](err); {
	case err == nil && len(told.Rows) != len(rows):
		return nil, errors.New("the server does not answer like one that takes imports")
	case !ok || refused.status != http.StatusBadRequest && refused.status != http.StatusRequestEntityTooLarge:
		return told.Rows, err
	case len(rows) == 1:
		return []importVerdict{{Outcome: "refused", Problems: []importProblem{{Code: "INVALID_REQUEST_PARAMETER", Message: refused.text}}}}, nil
	}
	half := len(rows) / 2
	first, err := i.ask(ctx, rows[:half])
	if err != nil {
		return nil, err
	}
	rest, err := i.ask(ctx, rows[half:])
	return append(first, rest...), err
}

// importBody is a call that takes rows, each as it stands in the file.
func importBody(rows [][]byte, dry, hooks bool) []byte {
	body := fmt.Appendf(nil, `{"dry_run":%t,"hooks":%t,"accounts":[`, dry, hooks)
	return append(append(body, bytes.Join(rows, []byte(","))...), "]}"...)
}

// note remembers how far the import has come.
func (i *importer) note(last importRow, counts importCounts) (err error) {
	i.state.Counts.add(counts)
	i.state.Offset, i.state.Line, i.state.Page = last.end, last.line, last.page
	if i.state.Errors, err = i.errors.size(); err != nil {
		return err
	}
	i.tell.at(i.state.Counts.rows(), i.state.Offset)
	if i.dry {
		return nil
	}
	return i.state.save()
}

// send sends a piece, again and again while the server does not answer: what it
// took the first time is unchanged the second.
func (i *importer) send(ctx context.Context, body []byte, out any) error {
	end := time.Now().Add(importPatience)
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		err := i.try(ctx, body, out)
		if err == nil || ctx.Err() != nil || !mayPass(err) || time.Now().After(end) {
			return err
		}
		i.server = nil // its token may be one of before
		i.tell.pause(err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (i *importer) try(ctx context.Context, body []byte, out any) (err error) {
	if i.server == nil {
		if i.server, err = i.connect(ctx); err != nil {
			return err
		}
		i.server.header.Set("Content-Type", "application/json")
	}
	return i.server.call(ctx, http.MethodPost, "/v1/operator/import", body, out)
}

// mayPass says whether a refusal may be over in a while.
func mayPass(err error) bool {
	refused, ok := errors.AsType[*refusedError](err)
	if !ok {
		return true
	}
	return refused.status == http.StatusTooManyRequests || refused.status >= 500 || refused.status == http.StatusUnauthorized
}
