//go:build !unix

package outbound

import "syscall"

// silent can't be known here: no connection is used twice.
func silent(syscall.RawConn) bool { return false }
