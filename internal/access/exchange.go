package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// ExchangeLife is how long an exchange token is good.
const ExchangeLife = auth.MaxExchangeLife

var errNotOwned = errors.New("the account is unknown, deleted or another owner's")

// Exchange gives the caller, a partner or the platform, a token with which one
// may ask, once, for a token of an account that the named partner owns: the
// caller itself, or for a platform any partner of its world. Whatever is wrong
// with the account or the partner, the fault is the same.
func (a *Access) Exchange(ctx context.Context, caller auth.Caller, partner, target account.ID) (Token, error) {
	if caller.Actor != "" {
		return Token{}, fault.New(fault.Forbidden, fault.CodeForbidden, "a token that came by exchange can't be exchanged again")
	}
	acc, err := a.mayActFor(ctx, partner, target)
	if err != nil {
		return Token{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Token{}, err
	}
	issued := a.issuedAt(acc.OwnedSince)
	token, err := a.keyring.Load().SignExchange(ctx, auth.ExchangeClaims{
		Client: caller.Client, Account: target, Actor: caller.Account, Scopes: caller.Scopes.And(auth.Acting), ID: id.String(),
		IssuedAt: issued, ExpiresAt: issued.Add(ExchangeLife),
	})
	if err != nil {
		return Token{}, err
	}
	a.counts.exchange.Inc()
	return Token{AccessToken: secret.NewPlain(token), ExpiresIn: int(ExchangeLife / time.Second)}, nil
}

// mayActFor is an account that is the owner's to act for.
func (a *Access) mayActFor(ctx context.Context, owner, target account.ID) (account.Account, error) {
	cause := errNotOwned
	if owner != target && a.serves(target) {
		found, err := a.store.Account(ctx, auth.Caller{Account: owner}, target)
		if err == nil {
			return found, nil
		}
		if fault.From(err).Kind != fault.NotFound {
			return account.Account{}, fmt.Errorf("look up an account: %w", err)
		}
	}
	return account.Account{}, fault.New(fault.Forbidden, fault.CodeForbidden, "the account is not one that this partner owns").Because(cause)
}

// exchangeCaller holds the claims of an exchange token against the client, the
// grant and the accounts as they are now. Its scopes are those that a token of
// the account would have: no more than the token that was exchanged had.
func (a *Access) exchangeCaller(ctx context.Context, claims auth.ExchangeClaims) (auth.Caller, error) {
	grant, home, _, err := a.standing(ctx, claims.Client, claims.Actor)
	if err != nil {
		return auth.Caller{}, err
	}
	target, err := a.owned(ctx, claims.Actor, claims.Account)
	if err != nil {
		return auth.Caller{}, err
	}
	caller := auth.Caller{
		Account: claims.Account, Kind: target.Kind, Client: claims.Client, Scopes: claims.Scopes.And(grant.Scopes).And(auth.Acting),
		Token: tokenHash(claims.ID), Actor: claims.Actor, Home: home.ID, IssuedAt: claims.IssuedAt,
		Exchange: &auth.Exchange{Actor: claims.Actor, ID: claims.ID, ExpiresAt: claims.ExpiresAt},
	}
	if caller.Partner() != "" && claims.IssuedAt.Before(target.OwnedSince) {
		return auth.Caller{}, fault.Denied(errMoved)
	}
	return caller, a.unspent(ctx, claims.Account, caller.Token)
}

// Redeem gives the token that an exchange token was made for, and uses that up.
// audit is remembered with it.
func (a *Access) Redeem(ctx context.Context, caller auth.Caller, ask Ask, audit ...store.AuditRecord) (Token, error) {
	if ask.GrantType != clientCredentials {
		return Token{}, refuseMember("grant_type", CodeUnsupportedGrantType, "grant_type must be "+clientCredentials)
	}
	if err := a.redeems(caller, ask.Audience); err != nil {
		return Token{}, err
	}
	scopes, err := askedScopes(ask, auth.Grant{Scopes: caller.Scopes})
	if err != nil {
		return Token{}, err
	}
	// The token is made before the other is used up, and given out after: what
	// fails leaves the exchange token as good as it was.
	token, err := a.issue(ctx, auth.Claims{Client: caller.Client, Account: caller.Account, Actor: caller.Actor, Scopes: scopes}, caller.IssuedAt)
	if err != nil {
		return Token{}, err
	}
	used := store.Spent{Account: caller.Account, ID: caller.Token, ExpiresAt: caller.Exchange.ExpiresAt}
	caller.Exchange = nil
	if err := a.store.Spend(ctx, store.Deed{Caller: caller, About: caller.Account, Audit: audit}, used); err != nil {
		return Token{}, err
	}
	return token, nil
}

// redeems refuses an audience that is neither the account that is acted for nor,
// as the documentation has it since 2026, the partner who acts.
func (a *Access) redeems(caller auth.Caller, audience string) error {
	if audience == "" {
		return nil
	}
	id, err := a.audiences.Parse(audience)
	if err != nil {
		return err
	}
	if id != caller.Account && id != caller.Actor {
		return fault.New(fault.Forbidden, fault.CodeForbidden, "the exchange token is not for this audience")
	}
	return nil
}
