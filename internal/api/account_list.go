package api

import (
	"bytes"
	"context"
	"slices"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
	"mooring/internal/wire"
)

// listAccounts pages through the accounts of the path's owner.
func (o operations) listAccounts(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	filter, err := o.accountFilter(call)
	if err != nil {
		return gate.Reply{}, err
	}
	after, err := o.startingAfter(call)
	if err != nil {
		return gate.Reply{}, err
	}
	if err := o.ownerIsThere(ctx, call); err != nil {
		return gate.Reply{}, err
	}
	page, err := o.Store.Accounts(ctx, call.Caller, call.Account("oid"), filter, account.ID(after), limitOf(call))
	if err != nil {
		return gate.Reply{}, err
	}
	items, token := make([][]byte, len(page)), o.pagingTokens(call)
	for i, a := range page {
		connections := wire.Connections(a.Connections, o.Catalogue.Get, o.PublicURL)
		one, err := wire.Account(a.Whole, connections, token(string(a.ID)), true)
		if err != nil {
			return gate.Reply{}, err
		}
		items[i] = one
	}
	return gate.Reply{Body: slices.Concat([]byte{'['}, bytes.Join(items, []byte{','}), []byte{']'})}, nil
}

// ownerIsThere refuses a list of an owner that is not there, which only a
// platform can name: every other caller is the owner itself.
func (o operations) ownerIsThere(ctx context.Context, call *gate.Call) error {
	owner := call.Account("oid")
	if owner == call.Caller.Account {
		return nil
	}
	_, err := o.Store.Account(ctx, call.Caller, owner)
	return err
}

// accountFilter is what the query narrows a list of accounts to.
func (o operations) accountFilter(call *gate.Call) (store.AccountFilter, error) {
	query := call.Queries()
	f := store.AccountFilter{Search: query.Get("search")}
	for _, name := range []string{
		account.LabelProgression, account.LabelServices, account.LabelServicesProgression, account.LabelAccountManager, account.LabelCountry,
	} {
		var labels []string
		for _, value := range query[name] {
			labels = append(labels, account.Label(name, value))
		}
		if labels != nil {
			f.Labels = append(f.Labels, labels)
		}
	}
	if option, given := call.Query("payment_options"); given {
		f.Labels = append(f.Labels, o.paymentOption(option))
	}
	for _, pair := range [][2]string{{"connections", "connections_progression"}, {"connection", "connection_status"}} {
		in, err := o.connectionsIn(pair[0], query[pair[0]], query[pair[1]])
		if err != nil {
			return f, err
		}
		if in.Providers != nil {
			f.Connections = append(f.Connections, in)
		}
	}
	return f, nil
}

// paymentOption is how accounts are labelled that have a payment option with
// some provider.
func (o operations) paymentOption(option string) []string {
	var labels []string
	for _, p := range o.Catalogue.All() {
		labels = append(labels, account.Label(account.LabelPaymentOptions+p.Slug, option))
	}
	return labels
}

// everyStatus is what a connection may stand at.
var everyStatus = []connection.Status{connection.Pending, connection.Enabled, connection.Failed, connection.Declined}

// connectionsIn are the connections that a pair of filters speaks of; without
// providers when neither is given.
func (o operations) connectionsIn(parameter string, names, statuses []string) (in store.ConnectionsIn, err error) {
	if names == nil && statuses == nil {
		return in, nil
	}
	for _, name := range names {
		p, ok := o.Catalogue.Resolve(name)
		if !ok {
			return in, fault.Refused(fault.Problem{
				In: "query", Name: parameter, Path: "#/" + parameter, Code: "UNKNOWN_CONNECTION",
				Message: parameter + " must name providers that there are",
			})
		}
		in.Providers = append(in.Providers, p.Slug)
	}
	if names == nil {
		for _, p := range o.Catalogue.All() {
			in.Providers = append(in.Providers, p.Slug)
		}
	}
	in.Statuses = everyStatus
	if statuses != nil {
		in.Statuses = nil
		for _, s := range statuses {
			in.Statuses = append(in.Statuses, connection.Status(s))
		}
	}
	return in, nil
}
