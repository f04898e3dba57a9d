package vfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openFile is os.OpenFile for regular files. That one asks the kernel for each file whether it can be polled, which costs
// five system calls more than opening it: too many for a log directory with 50,000 of them.
func openFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	fd, err := openDescriptor(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func openDescriptor(name string, flag int, perm fs.FileMode) (int, error) {
	for {
		fd, err := syscall.Open(name, flag|syscall.O_CLOEXEC, uint32(perm.Perm()))
		if err == nil {
			return fd, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return -1, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

// smallFile is how many bytes ReadFile tries to get at once.
const smallFile = 2048

// ReadFile reads a file as a whole: a small one by one call.
func (osFS) ReadFile(name string) ([]byte, error) {
	fd, err := openDescriptor(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	data := make([]byte, 0, smallFile)
	for {
		n, err := syscall.Read(fd, data[len(data):cap(data)])
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: name, Err: err}
		case n < cap(data)-len(data):
			return data[:len(data)+n], nil // a regular file gives less only at its end
		default:
			data = append(data[:len(data)+n], make([]byte, len(data)+n)...)[:len(data)+n]
		}
	}
}
