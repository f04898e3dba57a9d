package wall

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// Supported says that the clock can be shifted on this machine.
const Supported = true

// clockGettime is where the runtime finds the kernel's function.
//
//go:linkname clockGettime runtime.vdsoClockgettimeSym
var clockGettime uintptr

// original is the kernel's function.
//
//lint:ignore U1000 read by shifted
var original uintptr

// offset lies in the file.
//
//lint:ignore U1000 read by shifted
var offset *int64

// shifted has the C calling convention, and is not for calls from Go.
//
//lint:ignore U1000 entry tells its address
func shifted()

// entry is the address of shifted.
func entry() uintptr

func init() {
	path := os.Getenv(Variable)
	if path == "" {
		return
	}
	file, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	mapped, err := syscall.Mmap(int(file.Fd()), 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(fmt.Errorf("map %s: %w", path, err))
	}
	if clockGettime == 0 {
		panic("this kernel has no clock_gettime to stand in for")
	}
	original, offset = clockGettime, (*int64)(unsafe.Pointer(unsafe.SliceData(mapped)))
	clockGettime = entry()
}
