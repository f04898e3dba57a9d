package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// SyncVolume is one system call, however many files there are.
func (l osLock) SyncVolume() error {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Syncfs(int(fd)) }); err != nil {
		return err
	}
	return os.NewSyscallError("syncfs", failed)
}
