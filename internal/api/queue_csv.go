package api

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"

	"mooring/internal/gate"
)

// maxQueueCSV is how many rows a table has, unless it is to have fewer.
const maxQueueCSV = 10_000

var queueHead = []string{
	"account_id", "partner_id", "business_name", "connection", "status", "event", "turn", "since", "due", "overdue", "code",
	"next_step", "assignee", "snoozed_until", "paging_token",
}

func queueCSV(rows []queueRow) (gate.Reply, error) {
	var table bytes.Buffer
	w := csv.NewWriter(&table)
	err := w.Write(queueHead)
	for _, r := range rows {
		cells := []string{
			string(r.Account), r.Partner, r.BusinessName, r.Connection, string(r.Status), r.Event, r.Turn, r.Since, r.Due,
			strconv.FormatBool(r.Overdue), r.Code, r.NextStep, r.Assignee, r.SnoozedUntil, r.PagingToken,
		}
		for i := range cells[:len(cells)-1] { // a token may begin with a hyphen, and is no text to be changed
			cells[i] = harmlessCell(cells[i])
		}
		if err == nil {
			err = w.Write(cells)
		}
	}
	w.Flush()
	return gate.Reply{Type: "text/csv; charset=utf-8", Body: table.Bytes()}, err
}

// harmlessCell keeps a spreadsheet from taking a value for a formula.
func harmlessCell(value string) string {
	if value != "" && strings.ContainsRune("=+-@\t\r\n", rune(value[0])) {
		return "'" + value
	}
	return value
}
