package server

import (
	"syscall"
	"unsafe"
)

// raw is a read or a write that does not wait, for the socket doesn't, and of which Go's scheduler is not told. One that is told of a call wakes the
// thread that watches over such (sysmon), which then looks every 20 µs for as long as the process is awake: of a request that finds
// the process asleep that is a quarter of the cost.
func raw(trap, fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// rawBytes bounds what is moved so: a call is to be over before anybody could miss the processor.
const rawBytes = 16 << 10
