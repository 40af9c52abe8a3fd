package cli

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

// rowsIn reads all rows of a flat file from an offset on.
func rowsIn(t *testing.T, text string, at int64, line int) []importRow {
	t.Helper()
	in, err := newFlatFile(strings.NewReader(text), at, line)
	if err != nil {
		t.Fatal(err)
	}
	var rows []importRow
	for {
		row, err := in.next()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

func TestAFlatFileIsReadWhateverASpreadsheetMadeOfIt(t *testing.T) {
	for name, text := range map[string]string{
		"commas":         "account_id,owner,connection,created_at\nT11200001,T112,vipps,2024-01-02 03:04\nT11200001,,swish,2024-01-02\n",
		"semicolons":     "account_id;owner;connection;created_at\nT11200001;T112;vipps;2024-01-02 03:04\nT11200001;;swish;2024-01-02\n",
		"tabs":           "account_id\towner\tconnection\tcreated_at\nT11200001\tT112\tvipps\t2024-01-02 03:04\nT11200001\t\tswish\t2024-01-02\n",
		"mark and hint":  "\xef\xbb\xbfsep=;\r\naccount_id;owner;connection;created_at\r\nT11200001;T112;vipps;2024-01-02 03:04\r\nT11200001;;swish;2024-01-02\r\n",
		"quotes, blanks": "\"Account_ID\", owner ,connection,created_at,\n\n\"T11200001\",T112,vipps,2024-01-02T03:04:00Z,\n,,,,\nT11200001,T112,\"swish\",2024-01-02,",
	} {
		rows := rowsIn(t, text, 0, 0)
		if len(rows) != 1 || len(rows[0].wrong) > 0 {
			t.Errorf("%s: %+v", name, rows)
			continue
		}
		var got struct {
			ID, Owner   string
			Connections []struct {
				Connection string
				CreatedAt  string `json:"created_at"`
			}
		}
		if err := json.Unmarshal(rows[0].row, &got); err != nil || got.ID != "T11200001" || got.Owner != "T112" || len(got.Connections) != 2 ||
			got.Connections[0].CreatedAt != "2024-01-02T03:04:00Z" || got.Connections[1].Connection != "swish" {
			t.Errorf("%s: %v %+v", name, err, got)
		}
	}
}

func TestAFlatFileGoesOnBehindEachOfItsRows(t *testing.T) {
	text := "account_id,owner\nT11200001,T112\nT11200002,T112\n\nT11200003,\"T1\n12\"\nT11200004,T112\n"
	all := rowsIn(t, text, 0, 0)
	if len(all) != 4 || all[3].line != 7 {
		t.Fatalf("%+v", all)
	}
	for i, row := range all {
		rest := rowsIn(t, text, row.end, row.line)
		if len(rest) != len(all)-i-1 {
			t.Errorf("behind row %d are %d rows", i, len(rest))
		}
		for j, one := range rest {
			if one.id != all[i+1+j].id || one.end != all[i+1+j].end {
				t.Errorf("behind row %d: row %d is %s until %d, not %s until %d", i, j, one.id, one.end, all[i+1+j].id, all[i+1+j].end)
			}
		}
	}
}

func TestAFlatFileThatIsNoneIsRefused(t *testing.T) {
	for text, says := range map[string]string{
		"":                                 "no head line",
		"\xff\xfea\x00c\x00":               "UTF-16",
		"account;owner\nT11200001;T112\n":  `a column "account"`,
		"owner,connection\nT112,vipps\n":   "no column account_id",
		"account_id,owner,owner\nT1,T,T\n": "owner twice",
		"account_id,\xf8wner\n":            "not UTF-8",
	} {
		if _, err := newFlatFile(strings.NewReader(text), 0, 0); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLinesOfJSONAreReadWhateverIsBetweenThem(t *testing.T) {
	long := `{"id": "` + strings.Repeat("x", maxImportRow) + `"}`
	text := "\xef\xbb\xbf{\"id\": \"T11200001\"}\r\n\n  \nnonsense\n" + long + "\n[]\n{\"id\": 7}"
	in := newJSONLines(strings.NewReader(text), 0, 0)
	var told []string
	for {
		row, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		word := row.id
		if row.wrong != nil {
			word = row.wrong[0].Code
		}
		told = append(told, word)
	}
	if got := strings.Join(told, " "); got != "T11200001 INVALID_JSON MAX_BYTES INVALID_JSON " {
		t.Errorf("%q", got)
	}
}
