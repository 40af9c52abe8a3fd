package store

import (
	"bytes"
	"context"
	"slices"

	"mooring/internal/account"
	"mooring/internal/connection"
)

var (
	// What the connections of an account say of it stays: its labels begin with
	// account.LabelPaymentOptions, up to the next character after the colon.
	labelsCleared = writes(`DELETE FROM account_label
		WHERE account = $1 AND (label < 'payment_options:' OR label >= 'payment_options;')`)

	// Those of one provider: its name ends with =, which the next character follows.
	optionsCleared = writes(`DELETE FROM account_label WHERE account = $1 AND label >= $2 AND label < $3`)

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

// options are the payment options that a batch found out about a connection:
// those that are open, once its provider has said so, and before that those
// that its newest signup asks for. It is nil when nothing changed.
func (l *line) options() []string {
	open := connection.PaymentOptions(l.head.Configuration)
	switch {
	case len(open) > 0 && l.stored != nil && bytes.Equal(l.stored.Configuration, l.head.Configuration):
		return nil
	case len(open) > 0 || len(l.signups) == l.oldSignups:
		return open
	}
	return connection.PaymentOptions(l.signups[len(l.signups)-1].Data)
}

// label makes accounts found by the payment options of their connections.
func (g *ground) label(ctx context.Context, t *tx, touched []*line) error {
	for _, l := range touched {
		owner, options := g.accounts[l.account].Owner, l.options()
		if owner == "" || options == nil {
			continue
		}
		prefix := account.LabelPaymentOptions + l.provider
		if _, err := t.change(ctx, optionsCleared, l.account, prefix+"=", prefix+">"); err != nil {
			return err
		}
		for i, option := range options {
			options[i] = account.Label(prefix, option)
		}
		slices.Sort(options)
		var rows [][]any
		for _, label := range slices.Compact(options) {
			rows = append(rows, []any{string(owner), label, string(l.account)})
		}
		if err := t.changeMany(ctx, labelAdded, rows); err != nil {
			return err
		}
	}
	return nil
}
