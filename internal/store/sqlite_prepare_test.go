package store

import "testing"

// A statement whose preparation fails, such as on a disk that does not answer,
// fails each time that it is run, and nothing else does.
func TestAStatementThatCannotBePreparedFails(t *testing.T) {
	db := openStore(t, newSQLite(t)).write.db
	st, err := db.Prepare("SELECT of_what FROM no_table")
	must(t, err)
	for range 2 {
		if rows, err := st.Query(); err == nil {
			t.Error("a statement about no table was run", rows.Close())
		}
		if _, err := st.Exec(); err == nil {
			t.Error("a statement about no table was run")
		}
	}
	must(t, st.Close())
	must(t, db.Ping())
}
