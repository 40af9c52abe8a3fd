package store

import (
	"context"
	"strings"
	"testing"
)

// What a batch asks for some rows at a time is found by the index that finds
// one row, and each row comes once, however many places of the list are filled
// up.
func TestSomeRowsAreFoundByTheirKeys(t *testing.T) {
	s := fresh(t, newSQLite)
	for st, index := range map[*statement]string{
		accountsOfBatch:    "SEARCH account USING PRIMARY KEY (id=?)",
		connectionsOfBatch: "SEARCH connection USING PRIMARY KEY (account=? AND provider=?)",
		duplicatesOfBatch:  "SEARCH event USING INDEX event_external (account=? AND provider=? AND external_id=?)",
	} {
		plan := planOf(t, s, st.some.one, make([]any, someKeys*strings.Count(st.one, "$"))...)
		if !strings.Contains(plan, index) {
			t.Errorf("%s\nis read by\n%s", st.some.one, plan)
		}
	}
	for _, n := range []int{1, someKeys / 4, someKeys, 2*someKeys + 1, 2*someKeys + someKeys/2} {
		wanted := make([][]any, n)
		for i := range wanted {
			wanted[i] = []any{string(merchantID)}
			if i > 0 {
				wanted[i] = []any{string(benchID(i))}
			}
		}
		found := 0
		err := s.transact(t.Context(), func(ctx context.Context, t *tx) error {
			found = 0
			return t.loadMany(ctx, accountsOfBatch, wanted, func(row) error { found++; return nil })
		})
		if err != nil || found != 1 {
			t.Errorf("among %d accounts the one that is there was found %d times, %v", n, found, err)
		}
	}
}
