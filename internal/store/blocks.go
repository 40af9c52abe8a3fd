package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// IDBlock is a range of ids that the accounts of a partner get: those that
// begin with its four characters. It is given once, and never given back.
type IDBlock struct {
	Owner     account.ID
	Block     string // such as "T112"
	Next      int    // the number that is tried next
	CreatedAt time.Time
	CreatedBy string
}

// lastNumber is the last number of a block: the first, 0, is the partner's own,
// or nobody's.
const lastNumber = 99_999

// Left is how many ids of the range no account got yet, those apart that came
// with accounts of another system.
func (b IDBlock) Left() int { return max(lastNumber-b.Next+1, 0) }

const blockColumns = `owner, block, next, created_at, created_by`

var (
	blocksFree = writes(`SELECT ` + blockColumns + ` FROM id_block WHERE owner = $1 AND next <= $2 ORDER BY created_at, block`)

	blockTaken = writes(`SELECT block FROM id_block WHERE block = $1`)

	blockAdded = writes(`INSERT INTO id_block (` + blockColumns + `) VALUES ($1, $2, $3, $4, $5)`)

	blockMoved = writes(`UPDATE id_block SET next = $3 WHERE owner = $1 AND block = $2`)

	blocksOfWorld = writes(`SELECT block FROM id_block WHERE block BETWEEN $1 AND $2 ORDER BY block`)

	idsTaken = writes(`SELECT id FROM account WHERE id BETWEEN $1 AND $2 ORDER BY id LIMIT $3`)
)

func scanBlock(r row) (IDBlock, error) {
	var (
		b       IDBlock
		created sql.NullInt64
	)
	err := r.Scan(&b.Owner, &b.Block, &b.Next, &created, &b.CreatedBy)
	b.CreatedAt = instant(created)
	return b, err
}

// addBlock gives a block that nobody has; Conflict when somebody has it.
func (t *tx) addBlock(ctx context.Context, b IDBlock) error {
	if taken, err := t.exists(ctx, blockTaken, b.Block); err != nil {
		return err
	} else if taken {
		return conflicting("the range " + b.Block + " is taken")
	}
	_, err := t.change(ctx, blockAdded, string(b.Owner), b.Block, b.Next, micros(b.CreatedAt), b.CreatedBy)
	return err
}

// allocate takes the next id of a partner's blocks that no account ever had.
// The caller has locked the partner, so that two allocations never meet.
func (t *tx) allocate(ctx context.Context, owner account.ID) (account.ID, error) {
	var blocks []IDBlock
	if err := t.load(ctx, blocksFree, func(r row) error {
		b, err := scanBlock(r)
		blocks = append(blocks, b)
		return err
	}, string(owner), lastNumber); err != nil {
		return "", err
	}
	for _, b := range blocks {
		n, err := t.freeNumber(ctx, b.Block, b.Next)
		if err != nil {
			return "", err
		}
		if _, err := t.change(ctx, blockMoved, string(owner), b.Block, n+1); err != nil {
			return "", err
		}
		if n <= lastNumber {
			return idIn(b.Block, n), nil
		}
	}
	return "", fault.New(fault.Conflict, fault.CodeRangeExhausted,
		"all ids of the ranges of %s are given; the platform adds a range with POST /v1/operator/accounts/%s/ranges", owner.PartnerID(), owner)
}

// idsAtOnce is how many taken ids are looked at together.
const idsAtOnce = 500

// freeNumber finds the first number of a block, from n on, that no account has;
// more than lastNumber when there is none.
func (t *tx) freeNumber(ctx context.Context, block string, n int) (int, error) {
	for n <= lastNumber {
		first, looked := n, 0
		err := t.load(ctx, idsTaken, func(r row) error {
			var id account.ID
			err := r.Scan(&id)
			looked++
			if id == idIn(block, n) {
				n++
			}
			return err
		}, string(idIn(block, n)), string(idIn(block, lastNumber)), idsAtOnce)
		if err != nil || looked < idsAtOnce || n < first+looked {
			return n, err
		}
	}
	return n, nil
}

// idIn is the id with a number in a block.
func idIn(block string, n int) account.ID { return account.ID(fmt.Sprintf("%s%05d", block, n)) }

// freeBlock finds the first block of a world that nobody has, and that no
// account's id begins as a partner's; a Conflict when there is none.
func (t *tx) freeBlock(ctx context.Context, w account.World) (string, error) {
	taken := map[string]bool{}
	if err := t.load(ctx, blocksOfWorld, func(r row) error {
		var block string
		err := r.Scan(&block)
		taken[block] = true
		return err
	}, firstOf(w)[:4], lastOf(w)[:4]); err != nil {
		return "", err
	}
	for n := 1; n <= 999; n++ {
		block := string(rune(w)) + strconv.Itoa(1000 + n)[1:]
		if taken[block] {
			continue
		}
		there, err := t.exists(ctx, accountTaken, string(idIn(block, 0)))
		if err != nil {
			return "", err
		}
		if !there {
			return block, nil
		}
	}
	return "", fault.New(fault.Conflict, fault.CodeRangeExhausted, "all 999 ranges of this world are given")
}
