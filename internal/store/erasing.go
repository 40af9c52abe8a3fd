package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
)

var (
	accountsToErase = reads(`SELECT id FROM account
		WHERE erase_at IS NOT NULL AND erased_at IS NULL AND erase_at <= $1 AND hold = '' ORDER BY erase_at LIMIT $2`)

	accountErased = writes(`UPDATE account SET erased_at = $2, company = '{}'
		WHERE id = $1 AND erased_at IS NULL AND erase_at <= $2 AND hold = '' RETURNING ahead`)

	// What tells of an account or of people, and what opens it, in the order in
	// which one thing stands on another. The rows that say that there was something
	// stay: ids, times, statuses, the names of events.
	erasures = []*statement{
		writes(`DELETE FROM account_profile WHERE account = $1`),
		writes(`UPDATE account_event SET body = NULL, statistics = NULL WHERE account = $1`),
		writes(`UPDATE cdd_case SET request = '{}', events = '[]' WHERE account = $1`),
		writes(`DELETE FROM callback_reference WHERE account = $1`),
		writes(`UPDATE callback SET body = NULL, data_key = NULL, digest = NULL, reason = '', header = '{}', remote = '', sender = ''
			WHERE account = $1`),
		writes(`UPDATE feed_arrival SET body = NULL WHERE account = $1`), // before the feed, into which entries move meanwhile
		writes(`UPDATE feed SET body = NULL WHERE account = $1`),
		writes(`UPDATE attempt SET answer = NULL
			WHERE answer IS NOT NULL AND position IN (SELECT position FROM feed WHERE account = $1)`),
		writes(`DELETE FROM attempt WHERE account = $1`),
		writes(`DELETE FROM delivery WHERE account = $1`),
		writes(`DELETE FROM subscription_secret WHERE account = $1`),
		writes(`UPDATE subscription SET target = '', settings = '{}' WHERE account = $1`),
		writes(`DELETE FROM sealed_field WHERE account = $1`),
		writes(`DELETE FROM data_key WHERE account = $1`),
		writes(`UPDATE task SET last_error = '' WHERE account = $1`),
		writes(`UPDATE sync_state SET last_error = '' WHERE account = $1`),
		writes(`UPDATE signup SET data = '{}', digest = NULL, signup_key = cast(seq AS text) WHERE account = $1`),
		writes(`UPDATE event SET description = NULL, metadata = NULL, reason = NULL, external_id = NULL, provider_code = NULL
			WHERE account = $1`),
		writes(`UPDATE connection SET configuration = NULL, metadata = NULL, assignee = '' WHERE account = $1`),
		writes(`DELETE FROM client_secret WHERE account = $1`),
		writes(`UPDATE client SET name = '', description = '', callbacks = '[]' WHERE account = $1`),
		writes(`DELETE FROM idempotency WHERE account = $1`),
		writes(`UPDATE audit SET reason = '', detail = NULL, remote = '' WHERE account = $1`),
	}
)

// actionErase is what the audit calls the erasure of an account, and byRetention
// who did it.
const (
	actionErase = "account.erase"
	byRetention = "retention"
)

// EraseAccounts erases at most limit deleted accounts that were kept for long
// enough at now and that nobody holds, and returns how many it erased. Fewer
// than limit, without an error, means that no more are due. One that can't be
// erased keeps no other from it.
func (s *Store) EraseAccounts(ctx context.Context, now time.Time, limit int) (int, error) {
	due, err := list(ctx, s, accountsToErase, func(r row) (id account.ID, err error) {
		err = r.Scan(&id)
		return id, err
	}, micros(now), limit)
	erased := 0
	for _, id := range due {
		if one := s.eraseAccount(ctx, id, now); one != nil {
			err = errors.Join(err, fmt.Errorf("erase account %s: %w", id, one))
			continue
		}
		erased++
	}
	return erased, err
}

func (s *Store) eraseAccount(ctx context.Context, id account.ID, now time.Time) error {
	record := AuditRecord{
		ID: uuid.Must(uuid.NewV7()).String(), Account: id, At: now,
		By: byRetention, Action: actionErase, Outcome: AuditDone,
	}
	err := s.transact(ctx, func(ctx context.Context, t *tx) error {
		due := false
		if err := t.load(ctx, accountErased, func(r row) error {
			var ahead int64
			err := r.Scan(&ahead)
			due, record.AccountAt = true, now.Add(time.Duration(ahead)*time.Microsecond)
			return err
		}, string(id), micros(now)); err != nil || !due { // another node was faster, or somebody holds it now
			return err
		}
		if err := t.holdTellers(ctx, id); err != nil {
			return err
		}
		for _, st := range erasures {
			if _, err := t.change(ctx, st, string(id)); err != nil {
				return err
			}
		}
		if err := t.forgetAnswers(ctx, id); err != nil {
			return err
		}
		if err := t.dropLabels(ctx, id); err != nil {
			return err
		}
		if err := t.moveEpoch(ctx); err != nil {
			return err
		}
		return t.audit(ctx, record)
	})
	if err == nil {
		s.erased.Add(1)
	}
	return err
}
