package store

import (
	"context"
	"slices"

	"mooring/internal/account"
)

// stream is a sorted list of account ids that can be entered anywhere.
type stream interface {
	// seek finds the first id that is not below target; "" when there is none.
	// Targets only grow.
	seek(ctx context.Context, target account.ID) (account.ID, error)
}

// How many ids a cursor reads at once: few when the others leap far, many when
// they follow.
const (
	leastIDs = 16
	mostIDs  = 1024
)

// cursor is the stream of one statement, whose last two parameters are the
// target and how many ids to read.
type cursor struct {
	t    *tx
	st   *statement
	args []any

	ids   []account.ID // read and not passed yet
	size  int          // how many were asked for last
	used  int          // how many of them were looked at
	ended bool         // there are no more behind ids
}

func (c *cursor) seek(ctx context.Context, target account.ID) (account.ID, error) {
	i, _ := slices.BinarySearch(c.ids, target)
	c.ids = c.ids[i:]
	if len(c.ids) == 0 && !c.ended {
		if err := c.fill(ctx, target); err != nil {
			return "", err
		}
	}
	if len(c.ids) == 0 {
		return "", nil
	}
	c.used++
	return c.ids[0], nil
}

func (c *cursor) fill(ctx context.Context, target account.ID) error {
	c.size = min(max(2*c.used, leastIDs), mostIDs)
	c.used = 0
	err := c.t.load(ctx, c.st, func(r row) error {
		var id account.ID
		err := r.Scan(&id)
		c.ids = append(c.ids, id)
		return err
	}, append(slices.Clip(c.args), target, c.size)...)
	c.ended = len(c.ids) < c.size
	return err
}

// union is the stream of what stands in any of several.
type union []*member

type member struct {
	stream
	head  account.ID
	ended bool
}

func unite(streams []stream) stream {
	if len(streams) == 1 {
		return streams[0]
	}
	u := make(union, len(streams))
	for i, s := range streams {
		u[i] = &member{stream: s}
	}
	return u
}

func (u union) seek(ctx context.Context, target account.ID) (lowest account.ID, err error) {
	for _, m := range u {
		if !m.ended && m.head < target {
			if m.head, err = m.stream.seek(ctx, target); err != nil {
				return "", err
			}
			m.ended = m.head == ""
		}
		if !m.ended && (lowest == "" || m.head < lowest) {
			lowest = m.head
		}
	}
	return lowest, nil
}

// meet is the stream of what stands in all of several: each in turn leaps to
// the highest id that another has shown, until all show the same.
type meet []stream

func (all meet) seek(ctx context.Context, target account.ID) (account.ID, error) {
	for agreed, i := 0, 0; agreed < len(all); i = (i + 1) % len(all) {
		id, err := all[i].seek(ctx, target)
		if err != nil || id == "" {
			return "", err
		}
		if id > target {
			target, agreed = id, 0
		}
		agreed++
	}
	return target, nil
}
