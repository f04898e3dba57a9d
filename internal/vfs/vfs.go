// Package vfs is the seam between Barnabas and the file system. The log is written through it, so that
// the same code runs on real files, on a memory that can be crashed at any moment (Mem), and under
// injected faults (WithFaults). It is a leaf and owns no goroutine.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ErrLocked is returned by Lock when another process, or this one, holds the lock.
var ErrLocked = errors.New("lock is held")

// FS is a file system. Paths are absolute or relative to the process, in the form of path/filepath.
// Errors are those of package os: errors.Is(err, fs.ErrNotExist) and the like hold on every
// implementation. All methods may be called from many goroutines.
//
// What survives a crash of the machine is what POSIX promises and no more: a file's bytes after its
// Sync, a directory's entries (created, renamed, removed names) after SyncDir of that directory.
type FS interface {
	// Open opens a file for reading only.
	Open(name string) (File, error)
	// Create opens a file for reading and writing; what it held is cut off.
	Create(name string) (File, error)
	// OpenFile is os.OpenFile: flag is a combination of os.O_ bits. O_APPEND isn't supported, since
	// files are written by position.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Rename replaces newname by oldname in one step. It works on directories too.
	Rename(oldname, newname string) error
	// Remove removes a file or an empty directory.
	Remove(name string) error
	// RemoveAll removes a tree. A name that doesn't exist is no error.
	RemoveAll(name string) error
	// Mkdir makes a directory in one that is there: fs.ErrExist if there is something of that name, fs.ErrNotExist if the one
	// above is missing.
	Mkdir(name string, perm fs.FileMode) error
	// MkdirAll makes a directory and those above it.
	MkdirAll(name string, perm fs.FileMode) error
	// ReadDir lists a directory, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Stat describes a file or directory.
	Stat(name string) (fs.FileInfo, error)
	// Chtimes sets a file's modification time.
	Chtimes(name string, modified time.Time) error
	// Lock takes an exclusive advisory lock on a file, which it creates if need be. Closing gives the
	// lock back, as does the end of the process. ErrLocked says that someone else has it.
	Lock(name string) (Lock, error)
	// SyncDir makes the entries of a directory survive a crash.
	SyncDir(name string) error
	// Free tells the room on the volume that holds name.
	Free(name string) (Space, error)
}

// Lock is one that is held.
type Lock interface {
	io.Closer
	// SyncVolume makes all that is on the volume of the lock's file survive a crash: bytes, sizes and names, of whoever's
	// files. After an error nothing is known: something could not be written since the lock was taken, by anybody, or
	// the system can't do it (errors.ErrUnsupported).
	SyncVolume() error
}

// File is an open file, addressed by position: there is no cursor, so that readers and the one writer
// don't disturb each other.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Truncate cuts the file, or extends it with zeroes, to size bytes.
	Truncate(size int64) error
	// Sync makes the file's bytes and its size survive a crash. The name needs SyncDir.
	Sync() error
	// Size is the length of the file in bytes.
	Size() (int64, error)
	// Name is the name that the file was opened by.
	Name() string
	// OS is the operating system's file, for sendfile; nil when there is none.
	OS() *os.File
}

// Space is the room on a volume, in bytes.
type Space struct {
	// Total is the size of the volume.
	Total int64
	// Available is what a process without privileges may still write.
	Available int64
}

// ReadFile returns a file's whole content.
func ReadFile(fsys FS, name string) ([]byte, error) {
	if whole, ok := fsys.(interface{ ReadFile(string) ([]byte, error) }); ok {
		return whole.ReadFile(name)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if err != nil && !(errors.Is(err, io.EOF) && int64(n) == size) {
		return nil, err
	}
	return data[:n], nil
}

// ReplaceFile replaces a small file in one step as far as running processes can see, by way of name+".tmp". Until it is
// synced, a crash of the machine may leave the old content, the new, or none.
func ReplaceFile(fsys FS, name string, data []byte) error {
	temporary := name + ".tmp"
	f, err := fsys.Create(temporary)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return fsys.Rename(temporary, name)
}

// WriteFileAtomic replaces a file's content so that a crash leaves either the old or the new content:
// it writes name+".tmp", syncs it, renames it and syncs the directory.
func WriteFileAtomic(fsys FS, name string, data []byte) error {
	temporary := name + ".tmp"
	if err := writeSynced(fsys, temporary, data); err != nil {
		return err
	}
	if err := fsys.Rename(temporary, name); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

func writeSynced(fsys FS, name string, data []byte) error {
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
