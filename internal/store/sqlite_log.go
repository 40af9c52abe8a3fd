package store

import (
	"errors"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite writes each page of its log in two calls to the system, and a commit
// of many changes is hundreds of pages. A connection that is opened through
// this file system has what it writes to its log one after the other held back,
// and written in one call before anybody may see it: before the log is synced,
// read, measured or cut, and before another connection is told of what is in
// it. Order, places and bytes stay what they are, and so does what a full or
// broken disk answers, if later: at the sync that a commit waits for.

// logSystem is the name under which SQLite knows the file system.
const logSystem = "mooring"

// heldMost is how much is held back of one log: SQLite writes less than 128 KiB in one call.
// No page of it is longer than 64 KiB.
const heldMost = 120 << 10

// The calls of SQLite's file systems that are of interest here.
type (
	callOpen  = func(tls *libc.TLS, system, name, file uintptr, flags int32, got uintptr) int32
	callClose = func(tls *libc.TLS, file uintptr) int32
	callBytes = func(tls *libc.TLS, file, bytes uintptr, n int32, at int64) int32
	callCut   = func(tls *libc.TLS, file uintptr, size int64) int32
	callSync  = func(tls *libc.TLS, file uintptr, flags int32) int32
	callSize  = func(tls *libc.TLS, file, size uintptr) int32
	callLock  = func(tls *libc.TLS, file uintptr, from, n, flags int32) int32
	callFence = func(tls *libc.TLS, file uintptr)
)

// addressOf is what SQLite calls a function by. Whoever asks keeps it.
func addressOf[F any](f *F) uintptr { return *(*uintptr)(unsafe.Pointer(f)) }

// callOf is the function that SQLite calls by an address.
func callOf[F any](address uintptr) F { return *(*F)(unsafe.Pointer(&address)) }

// memory is what SQLite keeps at an address.
func memory[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// allocate takes memory that is SQLite's to read, with a copy of what is there;
// 0 when there is none.
func allocate[T any](tls *libc.TLS, what *T) uintptr {
	address := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(*what)))
	if address != 0 {
		*memory[T](address) = *what
	}
	return address
}

// logFiles is the file system: that of the machine, but for logs.
var logFiles struct {
	usual uintptr // that of the machine
	open  callOpen

	sync.Mutex
	logs map[uintptr]*heldLog // those that are open, by SQLite's file
}

// registerLogFiles makes the file system known, once in a process.
var registerLogFiles = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	defer tls.Close()
	usual := sqlite3.Xsqlite3_vfs_find(tls, 0)
	name, err := libc.CString(logSystem)
	if err != nil || usual == 0 {
		return errors.Join(errors.New("SQLite has no file system"), err)
	}
	f := &logFiles
	f.usual, f.open, f.logs = usual, openLog, map[uintptr]*heldLog{}
	system := *memory[sqlite3.Tsqlite3_vfs](usual)
	system.FpNext, system.FzName, system.FxOpen = 0, name, addressOf(&f.open)
	address := allocate(tls, &system)
	if address == 0 || sqlite3.Xsqlite3_vfs_register(tls, address, 0) != sqlite3.SQLITE_OK {
		return errors.New("SQLite took no file system")
	}
	return nil
})

// openLog opens a file as the machine does, and holds back what is written to
// it when it is a log.
func openLog(tls *libc.TLS, _, name, file uintptr, flags int32, got uintptr) int32 {
	usual := memory[sqlite3.Tsqlite3_vfs](logFiles.usual)
	rc := callOf[callOpen](usual.FxOpen)(tls, logFiles.usual, name, file, flags, got)
	if rc != sqlite3.SQLITE_OK || flags&sqlite3.SQLITE_OPEN_WAL == 0 {
		return rc
	}
	l := holdLog(tls, file, sqlite3.Xsqlite3_database_file_object(tls, name))
	if l == nil {
		return rc // there is no memory to hold anything
	}
	logFiles.Lock()
	defer logFiles.Unlock()
	logFiles.logs[file] = l
	return rc
}

// heldLog is the log of one connection, which uses it one call at a time.
type heldLog struct {
	usual sqlite3.Tsqlite3_io_methods // what files do
	file  uintptr                     // the log
	data  uintptr                     // the file of the same connection whose log it is
	other uintptr                     // the calls of that file as they were

	at     int64   // where what is held back belongs
	held   uintptr // what is
	n      int32   // how much is
	failed int32   // why some of it was not written, when nobody could be told

	// What this log and its file do instead. The functions are here so that
	// they stay as long as SQLite knows their addresses.
	logCalls, dataCalls uintptr
	close               callClose
	read, write         callBytes
	cut                 callCut
	sync                callSync
	size                callSize
	lock                callLock
	fence               callFence
}

func holdLog(tls *libc.TLS, file, data uintptr) *heldLog {
	log, of := memory[sqlite3.Tsqlite3_file](file), memory[sqlite3.Tsqlite3_file](data)
	l := &heldLog{usual: *memory[sqlite3.Tsqlite3_io_methods](log.FpMethods), file: file, data: data, other: of.FpMethods}
	l.close, l.read, l.write, l.cut = l.onClose, l.onRead, l.onWrite, l.onCut
	l.sync, l.size, l.lock, l.fence = l.onSync, l.onSize, l.onLock, l.onFence

	calls := l.usual
	calls.FxClose, calls.FxRead, calls.FxWrite = addressOf(&l.close), addressOf(&l.read), addressOf(&l.write)
	calls.FxTruncate, calls.FxSync, calls.FxFileSize = addressOf(&l.cut), addressOf(&l.sync), addressOf(&l.size)
	l.logCalls = allocate(tls, &calls)
	calls = *memory[sqlite3.Tsqlite3_io_methods](of.FpMethods)
	calls.FxShmLock, calls.FxShmBarrier = addressOf(&l.lock), addressOf(&l.fence)
	l.dataCalls = allocate(tls, &calls)
	l.held = libc.Xmalloc(tls, heldMost)
	if l.logCalls == 0 || l.dataCalls == 0 || l.held == 0 {
		l.free(tls)
		return nil
	}
	log.FpMethods, of.FpMethods = l.logCalls, l.dataCalls
	return l
}

func (l *heldLog) free(tls *libc.TLS) {
	for _, address := range []uintptr{l.logCalls, l.dataCalls, l.held} {
		libc.Xfree(tls, address)
	}
}

func (l *heldLog) onClose(tls *libc.TLS, file uintptr) int32 {
	flushed := l.flush(tls)
	memory[sqlite3.Tsqlite3_file](l.data).FpMethods = l.other
	rc := callOf[callClose](l.usual.FxClose)(tls, file)
	l.free(tls)
	logFiles.Lock()
	defer logFiles.Unlock()
	delete(logFiles.logs, file)
	if flushed != sqlite3.SQLITE_OK {
		return flushed
	}
	return rc
}

// onWrite holds back what follows what is held back.
func (l *heldLog) onWrite(tls *libc.TLS, file, bytes uintptr, n int32, at int64) int32 {
	if at != l.at+int64(l.n) || l.n+n > heldMost || l.failed != sqlite3.SQLITE_OK {
		if rc := l.flush(tls); rc != sqlite3.SQLITE_OK {
			return rc
		}
	}
	if l.n == 0 {
		l.at = at
	}
	libc.Xmemcpy(tls, l.held+uintptr(l.n), bytes, libc.Tsize_t(n))
	l.n += n
	return sqlite3.SQLITE_OK
}

// flush writes what is held back. What could not be written is forgotten: the
// transaction that it belongs to failed.
func (l *heldLog) flush(tls *libc.TLS) int32 {
	rc := l.failed
	if l.n > 0 {
		wrote := callOf[callBytes](l.usual.FxWrite)(tls, l.file, l.held, l.n, l.at)
		if rc == sqlite3.SQLITE_OK {
			rc = wrote
		}
	}
	l.n, l.failed = 0, sqlite3.SQLITE_OK
	return rc
}

func (l *heldLog) onRead(tls *libc.TLS, file, bytes uintptr, n int32, at int64) int32 {
	if rc := l.flush(tls); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return callOf[callBytes](l.usual.FxRead)(tls, file, bytes, n, at)
}

func (l *heldLog) onCut(tls *libc.TLS, file uintptr, size int64) int32 {
	if rc := l.flush(tls); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return callOf[callCut](l.usual.FxTruncate)(tls, file, size)
}

func (l *heldLog) onSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	if rc := l.flush(tls); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return callOf[callSync](l.usual.FxSync)(tls, file, flags)
}

func (l *heldLog) onSize(tls *libc.TLS, file, size uintptr) int32 {
	if rc := l.flush(tls); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return callOf[callSize](l.usual.FxFileSize)(tls, file, size)
}

// onLock and onFence come before others see what this connection did, and when
// a transaction ends that came to nothing.
func (l *heldLog) onLock(tls *libc.TLS, file uintptr, from, n, flags int32) int32 {
	l.failed = l.flush(tls)
	return callOf[callLock](l.usual.FxShmLock)(tls, file, from, n, flags)
}

func (l *heldLog) onFence(tls *libc.TLS, file uintptr) {
	l.failed = l.flush(tls)
	callOf[callFence](l.usual.FxShmBarrier)(tls, file)
}
