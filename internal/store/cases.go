package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/cdd"
	"mooring/internal/fault"
)

const caseColumns = `account, id, request, events, created_at, created_by, updated_at`

var (
	casesOfAccount = reads(`SELECT ` + caseColumns + ` FROM cdd_case WHERE account = $1 ORDER BY id`)

	caseOfAccount = reads(`SELECT ` + caseColumns + ` FROM cdd_case WHERE account = $1 AND id = $2`)

	caseToMove = writes(`SELECT ` + caseColumns + ` FROM cdd_case WHERE account = $1 AND id = $2`)

	casesMeasured = writes(`SELECT count(*), coalesce(sum(length(request) + length(events)), 0) FROM cdd_case WHERE account = $1`)

	caseAdded = writes(`INSERT INTO cdd_case (` + caseColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7)`)

	caseMoved = writes(`UPDATE cdd_case SET events = $3, updated_at = $4 WHERE account = $1 AND id = $2`)
)

// Cases lists the cases of an account, oldest first; Missing when the account
// is not the caller's to see.
func (s *Store) Cases(ctx context.Context, caller auth.Caller, id account.ID) (all []cdd.Case, err error) {
	err = s.snapshot(ctx, func(t *tx) error {
		all = nil
		if err := t.sees(ctx, caller, id); err != nil {
			return err
		}
		return t.load(ctx, casesOfAccount, intoCases(&all), string(id))
	})
	return all, err
}

// Case finds a case of an account; nil when the account has none with that id,
// and Missing when the account is not the caller's to see.
func (s *Store) Case(ctx context.Context, caller auth.Caller, id account.ID, which string) (*cdd.Case, error) {
	if !isID(which) {
		return nil, nil
	}
	var found []cdd.Case
	err := s.snapshot(ctx, func(t *tx) error {
		found = nil
		if err := t.sees(ctx, caller, id); err != nil {
			return err
		}
		return t.load(ctx, caseOfAccount, intoCases(&found), string(id), which)
	})
	if err != nil || found == nil {
		return nil, err
	}
	return &found[0], nil
}

// sees is Missing when the account is not the caller's to see.
func (t *tx) sees(ctx context.Context, caller auth.Caller, id account.ID) error {
	there, err := t.exists(ctx, accountSeen, string(id), caller.Covers(id), string(caller.Account))
	if err == nil && !there {
		err = fault.Missing()
	}
	return err
}

// OpenCase adds the case that open makes for the account of a deed, unless the
// account has no room for it.
func (s *Store) OpenCase(ctx context.Context, d Deed, open func(account.Account) (cdd.Case, Answer, error)) (Answer, error) {
	return s.perform(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (Answer, error) {
		c, answer, err := open(acc)
		if err != nil {
			return Answer{}, err
		}
		events, err := eventsOf(c)
		if err != nil {
			return Answer{}, err
		}
		if err := t.roomForCase(ctx, acc.ID, 1, int64(len(c.Request)+len(events))); err != nil {
			return Answer{}, err
		}
		_, err = t.change(ctx, caseAdded, string(acc.ID), c.ID, string(c.Request), string(events),
			micros(c.CreatedAt), c.CreatedBy, micros(c.UpdatedAt))
		if err != nil {
			return Answer{}, err
		}
		return answer, t.tellCase(ctx, acc, c, s.now())
	})
}

// MoveCase changes a case of the account of a deed; Missing when there is none.
func (s *Store) MoveCase(
	ctx context.Context, d Deed, which string, move func(account.Account, *cdd.Case) (Answer, error),
) (Answer, error) {
	return s.perform(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (Answer, error) {
		var found []cdd.Case
		if err := t.load(ctx, caseToMove, intoCases(&found), string(acc.ID), which); err != nil {
			return Answer{}, err
		}
		if found == nil {
			return Answer{}, fault.Missing()
		}
		before, err := eventsOf(found[0])
		if err != nil {
			return Answer{}, err
		}
		answer, err := move(acc, &found[0])
		if err != nil {
			return Answer{}, err
		}
		events, err := eventsOf(found[0])
		if err != nil {
			return Answer{}, err
		}
		if err := t.roomForCase(ctx, acc.ID, 0, int64(len(events)-len(before))); err != nil {
			return Answer{}, err
		}
		if _, err = t.change(ctx, caseMoved, string(acc.ID), which, string(events), micros(found[0].UpdatedAt)); err != nil {
			return Answer{}, err
		}
		return answer, t.tellCase(ctx, acc, found[0], s.now())
	})
}

// roomForCase refuses what the account's cases have no room for. The account is
// locked, so nobody else takes it meanwhile.
func (t *tx) roomForCase(ctx context.Context, id account.ID, cases int, bytes int64) error {
	var there int
	var held int64
	if err := t.load(ctx, casesMeasured, func(r row) error { return r.Scan(&there, &held) }, string(id)); err != nil {
		return err
	}
	return cdd.Room(there+cases, held+bytes)
}

// caseEvent is how an event of a case is stored.
type caseEvent struct {
	ID      int             `json:"id"`
	Request string          `json:"request,omitempty"`
	Name    string          `json:"name"`
	At      int64           `json:"at"`
	Status  cdd.Status      `json:"status"`
	Error   string          `json:"error,omitempty"`
	Detail  json.RawMessage `json:"detail,omitempty"`
}

func eventsOf(c cdd.Case) ([]byte, error) {
	stored := make([]caseEvent, len(c.Events))
	for i, e := range c.Events {
		stored[i] = caseEvent{e.ID, e.RequestID, e.Name, e.At.UnixMicro(), e.Status, e.Error, e.Detail}
	}
	return json.Marshal(stored)
}

func intoCases(all *[]cdd.Case) func(row) error {
	return func(r row) error {
		var (
			c                cdd.Case
			events           []byte
			created, updated sql.NullInt64
			stored           []caseEvent
		)
		if err := r.Scan(&c.Account, &c.ID, &c.Request, &events, &created, &c.CreatedBy, &updated); err != nil {
			return err
		}
		if err := json.Unmarshal(events, &stored); err != nil {
			return fmt.Errorf("decode the events of case %s: %w", c.ID, err)
		}
		for _, e := range stored {
			c.Events = append(c.Events, cdd.Event{
				ID: e.ID, RequestID: e.Request, Name: e.Name, At: time.UnixMicro(e.At).UTC(), Status: e.Status, Error: e.Error, Detail: e.Detail,
			})
		}
		c.CreatedAt, c.UpdatedAt = instant(created), instant(updated)
		*all = append(*all, c)
		return nil
	}
}
