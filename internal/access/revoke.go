package access

import (
	"context"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/store"
)

// Revoke ends a token that a client of an account was given: this node takes it
// no more at once, others within the second in which they learn of it. Whatever
// else the text is, a token of another account's client, one that has ended or
// no token at all, nothing happens, and the caller is not told.
func (a *Access) Revoke(ctx context.Context, caller auth.Caller, owner account.ID, token string, audit ...store.AuditRecord) error {
	client, spent, ok := a.ends(token)
	if !ok {
		return nil
	}
	holder, err := a.client(ctx, client)
	if err != nil || holder.Account != owner {
		return err
	}
	if err := a.store.Revoke(ctx, store.Deed{Caller: caller, About: owner, Audit: audit}, spent); err != nil {
		return err
	}
	a.counts.revoked.Inc()
	return nil
}

// ends tells what to remember so that a token is taken no more, and whose it is.
func (a *Access) ends(token string) (client string, spent store.Spent, ok bool) {
	ring, now := a.keyring.Load(), a.now()
	if ring.Type(token) == auth.ExchangeToken {
		claims, err := ring.VerifyExchange(token, now)
		return claims.Client, spentOf(claims.Account, claims.ID, claims.ExpiresAt), err == nil
	}
	claims, err := ring.Verify(token, now)
	return claims.Client, spentOf(claims.Account, claims.ID, claims.ExpiresAt), err == nil
}

func spentOf(id account.ID, jti string, end time.Time) store.Spent {
	return store.Spent{Account: id, ID: tokenHash(jti), ExpiresAt: end}
}
