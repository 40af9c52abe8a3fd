package store

import (
	"context"

	"mooring/internal/account"
)

var (
	// What the connections of an account say of it stays: its labels begin with
	// account.LabelPaymentOptions, up to the next character after the colon.
	labelsCleared = writes(`DELETE FROM account_label
		WHERE account = $1 AND (label < 'payment_options:' OR label >= 'payment_options;')`)

	labelAdded = batches(
		`INSERT INTO account_label (owner, label, account) VALUES ($1, $2, $3)`,
		`INSERT INTO account_label (owner, label, account) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])`)

	labelsGone = writes(`DELETE FROM account_label WHERE account = $1`)

	labelsMoved = writes(`UPDATE account_label SET owner = $2 WHERE account = $1`)
)

// label gives an account the labels of its profile in the place of those that
// it has. An account without an owner is in no list and has none.
func (t *tx) label(ctx context.Context, acc account.Account, p account.Profile) error {
	if acc.Owner == "" {
		return nil
	}
	found, err := account.LabelsOf(p)
	if err != nil {
		return err
	}
	if _, err := t.change(ctx, labelsCleared, acc.ID); err != nil {
		return err
	}
	rows := make([][]any, len(found))
	for i, label := range found {
		rows[i] = []any{string(acc.Owner), label, string(acc.ID)}
	}
	return t.changeMany(ctx, labelAdded, rows)
}

// moveLabels takes an account to the lists of another owner.
func (t *tx) moveLabels(ctx context.Context, id, owner account.ID) error {
	_, err := t.change(ctx, labelsMoved, id, owner)
	return err
}

// dropLabels forgets what an account could be found by.
func (t *tx) dropLabels(ctx context.Context, id account.ID) error {
	_, err := t.change(ctx, labelsGone, id)
	return err
}
