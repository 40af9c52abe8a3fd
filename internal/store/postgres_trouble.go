package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

func (e *postgres) trouble(err error) trouble {
	if failed, ok := errors.AsType[*pgconn.PgError](err); ok {
		return troubleOf(failed.Code)
	}
	if silent(err) {
		return down
	}
	if _, ok := errors.AsType[unfit](err); ok {
		return down // such as a server that fell back to be a standby
	}
	return guilty
}

// troubleOf reads a SQLSTATE.
func troubleOf(code string) trouble {
	switch {
	case code == "40001" || code == "40P01": // serialization failure, deadlock
		return conflict
	case code == "23505": // unique violation
		return raced
	case code == "53100" || code == "53200": // no room on disk, no memory
		return stuck
	case strings.HasPrefix(code, "08"), // connection
		strings.HasPrefix(code, "53"),    // out of something else, such as connections
		strings.HasPrefix(code, "57"),    // operator: shutdown, starting up, cancelled
		strings.HasPrefix(code, "58"),    // system: I/O
		code == "25006", code == "55P03", // no longer the primary; lock not available
		code == "25P03": // the transaction did nothing for too long
		return down
	default:
		return guilty
	}
}

// silent says whether err means that the server was not heard, rather than
// that it refused.
func silent(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	for _, known := range []error{driver.ErrBadConn, sql.ErrConnDone, pgconn.ErrConnClosed, io.EOF, io.ErrUnexpectedEOF, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// troubleAtCommit trusts only the server's own word that it rolled back.
func (e *postgres) troubleAtCommit(err error) trouble {
	if failed, ok := errors.AsType[*pgconn.PgError](err); ok {
		if kind := troubleOf(failed.Code); kind == conflict || kind == raced {
			return kind
		}
	}
	return unknown
}
