//go:build unix

package outbound

import "syscall"

// silent says whether a socket is open and has nothing to be read.
func silent(socket syscall.RawConn) bool {
	var err error
	var n int
	var one [1]byte
	failed := socket.Read(func(fd uintptr) bool {
		n, _, err = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	return failed == nil && n <= 0 && (err == syscall.EAGAIN || err == syscall.EINTR)
}
