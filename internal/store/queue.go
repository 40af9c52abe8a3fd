package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

// QueueFilter is what the queue is narrowed to. All that is given must hold; of
// each list one value must.
type QueueFilter struct {
	Providers, Statuses, Turns, Codes []string // "" among Turns is nobody's turn

	OlderThan time.Duration // how long it has stood there at least, by the account's own time
	DueBefore time.Time     // zero for any
	Overdue   bool          // what was due is over, by the account's own time
	Assignee  *string       // who looks after it; "" is nobody, nil anybody
	Snoozed   Snoozed
	Now       time.Time // real time
}

// Snoozed says what becomes of the connections that were put off.
type Snoozed uint8

// They are hidden, shown with the others, or shown alone.
const (
	SnoozedHidden Snoozed = iota
	SnoozedShown
	SnoozedOnly
)

// QueueRow is a connection that waits for something.
type QueueRow struct {
	Account  account.Account // id, owner, company and clock only
	Provider string          // slug
	Status   connection.Status
	Stand    connection.Stand
	LinkEnds time.Time // of its newest signup; zero when there is none
}

// QueuePosition is a place in the queue: the time that it is sorted by, then
// the connection. The zero value is before all.
type QueuePosition struct {
	At       time.Time
	Account  account.ID
	Provider string
}

// Queue lists at most limit connections of an owner's accounts, or of the world
// when the owner is a platform, that wait for something, all of one moment:
// those that have waited longest first. When the filter asks for a due date,
// and for nobody who looks after it, those due first come first. It is Missing
// when the owner is not the caller's to speak for.
func (s *Store) Queue(
	ctx context.Context, caller auth.Caller, owner account.ID, f QueueFilter, after QueuePosition, limit int,
) (page []QueueRow, err error) {
	if !caller.Covers(owner) {
		return nil, fault.Missing()
	}
	err = s.snapshot(ctx, func(t *tx) error {
		q, err := t.queue(ctx, owner, f, after, limit)
		if err != nil {
			return err
		}
		page = nil
		for len(page) < limit {
			row, err := q.next(ctx)
			if err != nil || row == nil {
				return err
			}
			if f.keeps(row) {
				page = append(page, *row)
			}
		}
		return nil
	})
	return page, err
}

// SortsByDue says what the list is sorted by.
func (f QueueFilter) SortsByDue() bool {
	return (f.Overdue || !f.DueBefore.IsZero()) && !f.byHand()
}

// byHand says whether the list is read off what people did, which is little,
// and not off how connections stand.
func (f QueueFilter) byHand() bool {
	return f.Snoozed == SnoozedOnly || f.Assignee != nil && *f.Assignee != ""
}

// Position is where a row stands in the list.
func (f QueueFilter) Position(r QueueRow) QueuePosition {
	at := r.Stand.Since
	if f.SortsByDue() {
		at = r.Stand.Due
	}
	return QueuePosition{at, r.Account.ID, r.Provider}
}

// takes says whether a group of connections can hold any that are asked for.
func (f QueueFilter) takes(g group) bool {
	return oneOf(f.Providers, g.provider) && oneOf(f.Statuses, g.status) && oneOf(f.Turns, g.turn) && oneOf(f.Codes, g.code)
}

func oneOf(wanted []string, is string) bool { return len(wanted) == 0 || slices.Contains(wanted, is) }

// keeps says whether a connection is one of those that are asked for.
func (f QueueFilter) keeps(r *QueueRow) bool {
	now, due := r.Account.Now(f.Now), r.Stand.Due
	snoozed := now.Before(r.Stand.SnoozedUntil)
	switch {
	case snoozed && f.Snoozed == SnoozedHidden, !snoozed && f.Snoozed == SnoozedOnly,
		f.Assignee != nil && *f.Assignee != r.Stand.Assignee,
		f.OlderThan > 0 && r.Stand.Since.After(now.Add(-f.OlderThan)),
		f.Overdue && (due.IsZero() || !now.After(due)),
		!f.DueBefore.IsZero() && (due.IsZero() || !due.Before(f.DueBefore)):
		return false
	}
	return f.takes(group{provider: r.Provider, status: string(r.Status), turn: r.Stand.Turn, code: r.Stand.Code})
}

// until is the time beyond which the list need not be read. The clocks of test
// accounts go each its own way.
func (f QueueFilter) until(owner account.ID) int64 {
	last := int64(math.MaxInt64)
	if f.SortsByDue() {
		if !f.DueBefore.IsZero() {
			last = f.DueBefore.UnixMicro()
		}
		if f.Overdue && owner.World() == account.Production {
			last = min(last, f.Now.UnixMicro())
		}
	} else if f.OlderThan > 0 && owner.World() == account.Production {
		last = f.Now.Add(-f.OlderThan).UnixMicro()
	}
	return last
}

// Unplaced lists connections that were written before where they stand was
// kept with them, by account and provider, beginning after one.
func (s *Store) Unplaced(ctx context.Context, after Place, limit int) ([]Place, error) {
	return list(ctx, s, unplaced, func(r row) (at Place, err error) {
		err = r.Scan(&at.Account, &at.Provider)
		return at, err
	}, string(after.Account), after.Provider, limit)
}

// QueueCount says how many connections stand in one way.
type QueueCount struct {
	Provider string
	Status   connection.Status
	Turn     string
	Code     string
	N        int64
}

func (c QueueCount) group() group {
	return group{provider: c.Provider, status: string(c.Status), turn: c.Turn, code: c.Code}
}

// Open says whether they wait for something.
func (c QueueCount) Open() bool { return c.Status != connection.Enabled || c.Turn != "" }

// QueueCounts says how many connections of an owner's accounts, or of the world
// when the owner is a platform, stand how; of the filter only the lists count. It is Missing when the owner is not
// the caller's to speak for.
func (s *Store) QueueCounts(ctx context.Context, caller auth.Caller, owner account.ID, f QueueFilter) ([]QueueCount, error) {
	if !caller.Covers(owner) {
		return nil, fault.Missing()
	}
	counts, err := list(ctx, s, tallyOf, scanCount, countedAs(owner))
	return slices.DeleteFunc(counts, func(c QueueCount) bool { return c.N == 0 || !f.takes(c.group()) }), err
}

func scanCount(r row) (c QueueCount, err error) {
	err = r.Scan(&c.Provider, &c.Status, &c.Turn, &c.Code, &c.N)
	return c, err
}

// countedAs is under which name the connections of an owner are counted and
// found: a platform sees its world.
func countedAs(owner account.ID) string {
	if owner.IsPlatform() {
		return worldOf(owner)
	}
	return string(owner)
}

var unplaced = reads(`SELECT account, provider FROM connection
	WHERE since IS NULL AND (account, provider) > ($1, $2) ORDER BY account, provider LIMIT $3`)

const (
	queueColumns = `account, provider, status, stands_at, since, turn, due_at, code, assignee, snoozed_until`

	queueWaits = `stands_at <> '' AND (status <> 'enabled' OR turn <> '')`

	queueRow = `c.account, c.provider, c.status, c.stands_at, c.since, c.turn, c.due_at, c.code, c.assignee, c.snoozed_until,
		a.owner, a.company, a.ahead, s.expires_at`

	queueAround = ` AS c JOIN account AS a ON a.id = c.account
		LEFT JOIN signup AS s ON s.account = c.account AND s.provider = c.provider AND s.seq = c.last_signup `
)

// The ranges of connections that the queue is read from: those of an owner or
// of a world; by age or by due date.
var (
	groupsByAge = map[bool]*statement{false: groupRange("owner", "since", ""), true: groupRange("world", "since", "")}

	groupsByDue = map[bool]*statement{
		false: groupRange("owner", "due_at", "AND due_at IS NOT NULL"), true: groupRange("world", "due_at", "AND due_at IS NOT NULL"),
	}

	assigned = map[bool]*statement{false: handRange("owner", "assignee = $2 AND assignee <> ''"), true: handRange("world", "assignee = $2 AND assignee <> ''")}

	snoozed = map[bool]*statement{
		false: handRange("owner", "$2 = '' AND snoozed_until IS NOT NULL"), true: handRange("world", "$2 = '' AND snoozed_until IS NOT NULL"),
	}
)

// groupRange reads connections of one group in the order of key.
func groupRange(whose, key, also string) *statement {
	from := func(whose string, g [9]any) string {
		return fmt.Sprintf(`(SELECT `+queueColumns+`, last_signup FROM connection
			WHERE `+whose+` = %v AND provider = %v AND status = %v AND turn = %v AND code = %v
			AND `+queueWaits+` `+also+` AND (`+key+`, account) >= (%v, %v) AND `+key+` <= %v
			ORDER BY `+key+`, account LIMIT %v)`, g[:]...)
	}
	order := `ORDER BY c.` + key + `, c.account`
	return define(reading,
		`SELECT `+queueRow+` FROM `+from(whose, [9]any{"$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9"})+queueAround+order,
		`SELECT `+queueRow+` FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
			$8::bigint[], $9::bigint[]) AS g (g1, g2, g3, g4, g5, g6, g7, g8, g9) CROSS JOIN LATERAL `+
			from("connection."+whose, [9]any{"g.g1", "g.g2", "g.g3", "g.g4", "g.g5", "g.g6", "g.g7", "g.g8", "g.g9"})+queueAround+order)
}

// handRange reads connections that people did something with.
func handRange(whose, condition string) *statement {
	return define(reading,
		`SELECT `+queueRow+` FROM (SELECT `+queueColumns+`, last_signup FROM connection
			WHERE `+whose+` = $1 AND `+condition+` AND `+queueWaits+` AND (since, account) >= ($3, $4) AND since <= $5
			ORDER BY since, account, provider LIMIT $6)`+queueAround+`ORDER BY c.since, c.account, c.provider`, "")
}

func scanQueueRow(r row) (QueueRow, error) {
	var (
		q                         QueueRow
		owner                     sql.NullString
		company                   []byte
		ahead                     int64
		since, due, snoozed, ends sql.NullInt64
	)
	if err := r.Scan(&q.Account.ID, &q.Provider, &q.Status, &q.Stand.Event, &since, &q.Stand.Turn, &due, &q.Stand.Code,
		&q.Stand.Assignee, &snoozed, &owner, &company, &ahead, &ends); err != nil {
		return q, err
	}
	q.Stand.Since, q.Stand.Due, q.Stand.SnoozedUntil = instant(since), instant(due), instant(snoozed)
	q.LinkEnds = instant(ends)
	q.Account.Owner, q.Account.Ahead = account.ID(owner.String), time.Duration(ahead)*time.Microsecond
	return q, json.Unmarshal(company, &q.Account.Company)
}

// compare says which place comes first.
func (p QueuePosition) compare(other QueuePosition) int {
	if c := p.At.Compare(other.At); c != 0 {
		return c
	}
	return place{p.Account, p.Provider}.compare(place{other.Account, other.Provider})
}

// String is the position as a text that ParseQueuePosition reads.
func (p QueuePosition) String() string {
	return fmt.Sprintf("%d/%s/%s", p.At.UnixMicro(), p.Account, p.Provider)
}

// ParseQueuePosition reads what String wrote.
func ParseQueuePosition(text string) (p QueuePosition, ok bool) {
	var micro int64
	parts := strings.SplitN(text, "/", 3)
	if len(parts) != 3 {
		return p, false
	}
	if _, err := fmt.Sscan(parts[0], &micro); err != nil {
		return p, false
	}
	return QueuePosition{time.UnixMicro(micro).UTC(), account.ID(parts[1]), parts[2]}, true
}
