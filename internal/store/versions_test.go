package store

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/connection"
)

func testVersionsInUse(t *testing.T, d door) {
	s := fresh(t, d)
	if used, err := s.VersionsInUse(context.Background()); err != nil || len(used) != 0 {
		t.Errorf("an empty store uses %v, %v", used, err)
	}
	mustChange(t, s, signing(merchant))
	mustChange(t, s, posting(connection.NewEvent{Status: connection.Declined, Name: "no"}))
	later := *vipps
	later.Schema = vipps.Schema + 1
	again := signing(merchant)
	again.Decide = func(f Found) (Decision, error) {
		c, err := connection.Apply(f.Connection, f.Account, &later, connection.Application{ID: newID(), Data: []byte(`{"a":2}`)}, act(merchant))
		return Decision{Connection: c}, err
	}
	mustChange(t, s, again)
	used, err := s.VersionsInUse(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]int{"vipps": {vipps.Schema, vipps.Schema + 1}}, used); diff != "" {
		t.Errorf("a signup that was replaced still counts (-want +got):\n%s", diff)
	}
}
