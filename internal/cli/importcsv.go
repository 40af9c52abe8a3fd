package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// importColumns are the columns of a flat file: those of the account, then those
// of the one connection that a line is about.
var importColumns = []string{
	"account_id", "owner", "account_created_at", "business_name", "organization_number", "country", "email", "language_code",
	"progression", "account_manager", "reseller_id", "profile",
	"connection", "status", "created_at", "created_by", "updated_at", "signup_id", "callback_reference", "case_id", "store_id",
	"signup", "callback_at", "expires_at", "configuration", "metadata", "event", "description", "code", "provider_code",
}

// accountColumns is how many of them are the account's.
const accountColumns = 12

// maxImportConnections is how many connections the server takes in one row.
const maxImportConnections = 100

// flatFile reads a file of one line for each connection. The lines of one
// account that follow each other are one row.
type flatFile struct {
	in      *csv.Reader
	columns []string // by position
	base    int64    // what of the file lies before in
	line    int      // how many lines lie before in
	ahead   *flatLine
	err     error // behind ahead
}

// flatLine is one line, and what is behind it.
type flatLine struct {
	values map[string]string
	wrong  []importProblem
	line   int
	end    int64
}

// newFlatFile reads the head line of a file and goes on behind line, which ends
// at offset at; from the head line on when at is 0.
func newFlatFile(file io.ReadSeeker, at int64, line int) (*flatFile, error) {
	in := bufio.NewReaderSize(file, 64<<10)
	start, err := headOf(in)
	if err != nil {
		return nil, err
	}
	head, err := csvReader(strings.NewReader(start.head), start.separator).Read()
	if err != nil {
		return nil, fmt.Errorf("the head line can't be read: %w", err)
	}
	f := &flatFile{base: start.end, line: start.lines}
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case name == "" && i == len(head)-1: // a separator at the end of each line
		case !slices.Contains(importColumns, name):
			return nil, fmt.Errorf("the file has a column %q, which is none of: %s", printable(name), strings.Join(importColumns, ", "))
		case slices.Contains(f.columns, name):
			return nil, fmt.Errorf("the file has the column %s twice", name)
		}
		f.columns = append(f.columns, name)
	}
	if !slices.Contains(f.columns, "account_id") {
		return nil, fmt.Errorf("the head line has no column account_id; it names columns of: %s", strings.Join(importColumns, ", "))
	}
	if at > 0 {
		f.base, f.line = at, line
	}
	if _, err := file.Seek(f.base, io.SeekStart); err != nil {
		return nil, err
	}
	f.in = csvReader(bufio.NewReaderSize(file, 1<<20), start.separator)
	f.ahead, f.err = f.read()
	return f, nil
}

func csvReader(in io.Reader, separator rune) *csv.Reader {
	r := csv.NewReader(in)
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = separator, -1, true
	return r
}

// flatHead is the head line of a file and how it was found.
type flatHead struct {
	head      string
	separator rune
	end       int64 // where it ends
	lines     int
}

// headOf finds the head line and the separator: a spreadsheet may have put a
// mark of the byte order, and a line that names the separator, before it.
func headOf(in *bufio.Reader) (flatHead, error) {
	var h flatHead
	for {
		text, err := in.ReadString('\n')
		if err != nil && (text == "" || !errors.Is(err, io.EOF)) {
			return h, errors.New("the file has no head line")
		}
		if h.lines == 0 && (strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff")) {
			return h, errors.New("the file is in UTF-16; save it as CSV in UTF-8")
		}
		h.end += int64(len(text))
		h.lines++
		if h.lines == 1 {
			text = strings.TrimPrefix(text, string(byteOrderMark))
		}
		if !utf8.ValidString(text) {
			return h, errors.New("the head line is not UTF-8; save the file as CSV in UTF-8")
		}
		line := strings.TrimRight(text, "\r\n")
		if named, ok := strings.CutPrefix(line, "sep="); ok && len(named) == 1 && h.separator == 0 {
			h.separator = rune(named[0])
			continue
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		if h.head = line; h.separator == 0 {
			h.separator = separatorOf(line)
		}
		return h, nil
	}
}

// separatorOf is the separator that a head line has most of.
func separatorOf(line string) rune {
	best := ','
	for _, one := range ";\t|" {
		if strings.Count(line, string(one)) > strings.Count(line, string(best)) {
			best = one
		}
	}
	return best
}

// read reads one line; one that can't be read is wrong, and the next one goes on.
func (f *flatFile) read() (*flatLine, error) {
	for {
		record, err := f.in.Read()
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		l := &flatLine{values: map[string]string{}, end: f.base + f.in.InputOffset()}
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			l.line = f.line + broken.StartLine
			l.wrong = []importProblem{{Line: l.line, Code: "INVALID_FILE", Message: "the line can't be read: " + broken.Err.Error()}}
			return l, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := f.in.FieldPos(0)
		l.line = f.line + line
		empty := true
		for i, value := range record {
			value = strings.TrimSpace(value)
			empty = empty && value == ""
			switch {
			case value == "":
			case i >= len(f.columns) || f.columns[i] == "":
				l.refuse("", "INVALID_FILE", "the line has more values than the head line has columns")
			case !utf8.ValidString(value):
				l.refuse(f.columns[i], "INVALID_ENCODING", "is not UTF-8; save the file as CSV in UTF-8")
			default:
				l.values[f.columns[i]] = value
			}
		}
		if !empty {
			return l, nil
		}
	}
}

func (l *flatLine) refuse(column, code, message string) {
	one := importProblem{Line: l.line, Path: column, Code: code, Message: strings.TrimSpace(column + " " + message)}
	if !slices.Contains(l.wrong, one) {
		l.wrong = append(l.wrong, one)
	}
}

// next is the account of the line ahead, with the lines about it that follow.
func (f *flatFile) next() (importRow, error) {
	first := f.ahead
	if first == nil {
		return importRow{}, f.err
	}
	row := importRow{id: first.values["account_id"]}
	account := first.account()
	var connections []any
	for l := first; l != nil && l.values["account_id"] == row.id; l = f.ahead {
		if l != first && (row.id == "" || len(connections) == maxImportConnections) { // lines without an account have nothing in common
			break
		}
		l.agree(first)
		if c := l.connection(); c != nil {
			connections, row.lines = append(connections, c), append(row.lines, l.line)
		}
		row.wrong, row.end, row.line = append(row.wrong, l.wrong...), l.end, l.line
		f.ahead, f.err = f.read()
	}
	if row.lines == nil {
		row.lines = []int{first.line}
	}
	if row.id == "" && len(row.wrong) == 0 {
		row.wrong = []importProblem{{Line: first.line, Path: "account_id", Code: "REQUIRED", Message: "account_id is missing"}}
	}
	if len(row.wrong) > 0 {
		return row, nil
	}
	if connections != nil {
		account["connections"] = connections
	}
	text, err := json.Marshal(account)
	row.row = text
	return row, err
}

// agree checks that a line says the same of the account as the first one does,
// or nothing.
func (l *flatLine) agree(first *flatLine) {
	for _, column := range importColumns[:accountColumns] {
		if value := l.values[column]; l != first && value != "" && value != first.values[column] {
			l.refuse(column, "CONFLICT", fmt.Sprintf("is another than in line %d, which is about the same account", first.line))
		}
	}
}

// account is what a line says of the account.
func (l *flatLine) account() map[string]any {
	profile := l.object("profile")
	for column, path := range map[string][]string{
		"business_name": {"company", "business_name"}, "organization_number": {"company", "organization_number"},
		"country": {"company", "address", "country"}, "email": {"company", "email"}, "language_code": {"language_code"},
		"progression": {"progression"}, "account_manager": {"account_manager", "email"}, "reseller_id": {"reseller_id"},
	} {
		if value := l.values[column]; value != "" {
			profile = set(profile, value, path...)
		}
	}
	row := map[string]any{"id": l.values["account_id"]}
	l.text(row, "owner", "owner")
	l.time(row, "account_created_at", "created_at")
	if len(profile) > 0 {
		row["profile"] = profile
	}
	return row
}

// set puts a value at a path of member names.
func set(object map[string]any, value string, path ...string) map[string]any {
	if object == nil {
		object = map[string]any{}
	}
	if len(path) == 1 {
		object[path[0]] = value
		return object
	}
	inner, _ := object[path[0]].(map[string]any)
	object[path[0]] = set(inner, value, path[1:]...)
	return object
}

// connection is what a line says of a connection; nil when it is about none.
func (l *flatLine) connection() map[string]any {
	if l.values["connection"] == "" {
		for _, column := range importColumns[accountColumns:] {
			if l.values[column] != "" {
				l.refuse(column, "REQUIRED", "is set, but connection is not")
			}
		}
		return nil
	}
	c, signup := map[string]any{}, map[string]any{}
	for _, column := range []string{"connection", "status", "created_by"} {
		l.text(c, column, column)
	}
	l.time(c, "created_at", "created_at")
	l.time(c, "updated_at", "updated_at")
	for _, column := range []string{"configuration", "metadata"} {
		if object := l.object(column); object != nil {
			c[column] = object
		}
	}
	l.text(signup, "signup_id", "id")
	l.text(signup, "callback_reference", "callback_reference")
	l.time(signup, "created_at", "created_at")
	l.time(signup, "callback_at", "callback_at")
	l.time(signup, "expires_at", "expires_at")
	data := l.object("signup")
	for _, column := range []string{"case_id", "store_id"} {
		if value := l.values[column]; value != "" {
			data = set(data, value, column)
		}
	}
	if data != nil {
		signup["data"] = data
	}
	c["signups"] = []any{signup}
	if events := l.events(c); events != nil {
		c["events"] = events
	}
	return c
}

// events are the two that a line may know of: the signup, and what gave the
// connection the status that it has.
func (l *flatLine) events(c map[string]any) []any {
	if l.values["event"] == "" {
		for _, column := range []string{"description", "code", "provider_code"} {
			if l.values[column] != "" {
				l.refuse(column, "REQUIRED", "is set, but event is not")
			}
		}
		return nil
	}
	at, status := c["updated_at"], c["status"]
	if at == nil {
		at = c["created_at"]
	}
	for _, column := range []string{"created_at", "status"} {
		if c[column] == nil {
			l.refuse(column, "REQUIRED", "is needed for an event")
		}
	}
	event := map[string]any{"status": status, "event": l.values["event"], "created_at": at}
	for _, column := range []string{"description", "code", "provider_code"} {
		l.text(event, column, column)
	}
	received := map[string]any{"status": "pending", "event": "signup_received", "created_at": c["created_at"]}
	if l.values["event"] == "signup_received" {
		return []any{event}
	}
	return []any{received, event}
}

func (l *flatLine) text(into map[string]any, column, member string) {
	if value := l.values[column]; value != "" {
		into[member] = value
	}
}

// flatTimes are the forms that times may have: RFC 3339, and what spreadsheets
// make of it, in UTC.
var flatTimes = []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"}

func (l *flatLine) time(into map[string]any, column, member string) {
	value := l.values[column]
	if value == "" {
		return
	}
	for _, layout := range flatTimes {
		if at, err := time.Parse(layout, value); err == nil {
			into[member] = at.UTC().Format(time.RFC3339Nano)
			return
		}
	}
	l.refuse(column, "INVALID_FORMAT", "is no time; times look like 2026-05-12T09:30:00Z, or 2026-05-12 09:30:00 in UTC")
}

// object is a column that holds a JSON object; nil when it is empty.
func (l *flatLine) object(column string) map[string]any {
	value := l.values[column]
	if value == "" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(value)))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil || object == nil || d.More() {
		l.refuse(column, "INVALID_JSON", "must be a JSON object")
		return nil
	}
	return object
}
