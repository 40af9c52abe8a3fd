package store

import "testing"

// However many tables they touch, the server is asked for what changes stand on,
// and told what they come to, at once.
func TestABatchIsFourRoundTrips(t *testing.T) {
	s, by, _ := spoiled(t, newPostgres)
	before := by.trips.Load()
	mustChange(t, s, keyed(recorded(posting(enabled("one"))), "", "f"))
	if trips := by.trips.Load() - before; trips != 4 {
		t.Errorf("a batch asked the server %d times: to begin, to load, to write and to commit are four", trips)
	}
}
