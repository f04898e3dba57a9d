package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// OpKind is what an operation does.
type OpKind string

// The kinds of operations that a Hook sees.
const (
	OpOpen     OpKind = "open"   // an existing file, or one that may exist
	OpCreate   OpKind = "create" // with os.O_CREATE
	OpRead     OpKind = "read"
	OpWrite    OpKind = "write"
	OpTruncate OpKind = "truncate"
	OpSync     OpKind = "sync"
	OpClose    OpKind = "close"
	OpRename   OpKind = "rename" // Path is the old name
	OpRemove   OpKind = "remove" // Remove and RemoveAll
	OpMkdir    OpKind = "mkdir"
	OpReadDir  OpKind = "readdir"
	OpStat     OpKind = "stat" // Stat and Size
	OpChtimes  OpKind = "chtimes"
	OpLock     OpKind = "lock"
	OpSyncDir  OpKind = "syncdir"
	OpFree     OpKind = "free"
	// OpSyncVolume is of all that there is; Path is the lock's.
	OpSyncVolume OpKind = "syncvolume"
)

// Changes tells whether an operation of this kind changes what is on disk, or makes it last.
func (k OpKind) Changes() bool {
	switch k {
	case OpCreate, OpWrite, OpTruncate, OpSync, OpRename, OpRemove, OpMkdir, OpChtimes, OpSyncDir, OpSyncVolume:
		return true
	}
	return false
}

// Op is an operation that is about to happen.
type Op struct {
	Kind OpKind
	Path string
	At   int64 // of reads, writes and truncations
	Size int   // of reads and writes
}

// Hook decides on every operation before it happens: nil lets it happen, an error takes its place, a
// *ShortWrite lets a part of a write happen. It may be called from many goroutines, and may block.
type Hook func(Op) error

// ShortWrite is a Hook's answer to a write of which only the first bytes are to reach the file.
type ShortWrite struct {
	Written int
	Err     error
}

// Error is the cause's.
func (s *ShortWrite) Error() string { return "short write: " + s.Err.Error() }

// Unwrap is the cause.
func (s *ShortWrite) Unwrap() error { return s.Err }

// FailNth returns a Hook that fails the n-th operation, counted from 1, and all that follow if for
// ever. It counts those that match, or all if match is nil.
func FailNth(n int64, forever bool, err error, match func(Op) bool) Hook {
	var seen atomic.Int64
	return func(op Op) error {
		if match != nil && !match(op) {
			return nil
		}
		at := seen.Add(1)
		if at == n || forever && at > n {
			return err
		}
		return nil
	}
}

// MatchPath returns a matcher for FailNth: operations of these kinds (all if there are none) on
// paths whose last part matches the pattern, in the form of path/filepath.Match.
func MatchPath(pattern string, kinds ...OpKind) func(Op) bool {
	return func(op Op) bool {
		if ok, err := filepath.Match(pattern, filepath.Base(op.Path)); err != nil || !ok {
			return false
		}
		for _, kind := range kinds {
			if kind == op.Kind {
				return true
			}
		}
		return len(kinds) == 0
	}
}

// WithFaults returns a view of a file system on which a hook may make operations fail.
func WithFaults(fsys FS, hook Hook) FS { return &faultFS{inner: fsys, hook: hook} }

type faultFS struct {
	inner FS
	hook  Hook
}

func (f *faultFS) ask(kind OpKind, name string) error {
	if err := f.hook(Op{Kind: kind, Path: name}); err != nil {
		return pathError(string(kind), name, err)
	}
	return nil
}

func (f *faultFS) Open(name string) (File, error) { return f.OpenFile(name, os.O_RDONLY, 0) }

func (f *faultFS) Create(name string) (File, error) {
	return f.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
}

func (f *faultFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	kind := OpOpen
	if flag&os.O_CREATE != 0 {
		kind = OpCreate
	}
	if err := f.ask(kind, name); err != nil {
		return nil, err
	}
	file, err := f.inner.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultFile{File: file, fs: f}, nil
}

func (f *faultFS) Rename(oldname, newname string) error {
	if err := f.ask(OpRename, oldname); err != nil {
		return err
	}
	return f.inner.Rename(oldname, newname)
}

func (f *faultFS) Remove(name string) error {
	if err := f.ask(OpRemove, name); err != nil {
		return err
	}
	return f.inner.Remove(name)
}

func (f *faultFS) RemoveAll(name string) error {
	if err := f.ask(OpRemove, name); err != nil {
		return err
	}
	return f.inner.RemoveAll(name)
}

func (f *faultFS) Mkdir(name string, perm fs.FileMode) error {
	if err := f.ask(OpMkdir, name); err != nil {
		return err
	}
	return f.inner.Mkdir(name, perm)
}

func (f *faultFS) MkdirAll(name string, perm fs.FileMode) error {
	if err := f.ask(OpMkdir, name); err != nil {
		return err
	}
	return f.inner.MkdirAll(name, perm)
}

func (f *faultFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.ask(OpReadDir, name); err != nil {
		return nil, err
	}
	return f.inner.ReadDir(name)
}

func (f *faultFS) Stat(name string) (fs.FileInfo, error) {
	if err := f.ask(OpStat, name); err != nil {
		return nil, err
	}
	return f.inner.Stat(name)
}

func (f *faultFS) Chtimes(name string, modified time.Time) error {
	if err := f.ask(OpChtimes, name); err != nil {
		return err
	}
	return f.inner.Chtimes(name, modified)
}

func (f *faultFS) Lock(name string) (Lock, error) {
	if err := f.ask(OpLock, name); err != nil {
		return nil, err
	}
	lock, err := f.inner.Lock(name)
	if err != nil {
		return nil, err
	}
	return faultLock{lock, f, name}, nil
}

type faultLock struct {
	Lock
	fs   *faultFS
	name string
}

func (l faultLock) SyncVolume() error {
	if err := l.fs.ask(OpSyncVolume, l.name); err != nil {
		return err
	}
	return l.Lock.SyncVolume()
}

func (f *faultFS) SyncDir(name string) error {
	if err := f.ask(OpSyncDir, name); err != nil {
		return err
	}
	return f.inner.SyncDir(name)
}

func (f *faultFS) Free(name string) (Space, error) {
	if err := f.ask(OpFree, name); err != nil {
		return Space{}, err
	}
	return f.inner.Free(name)
}

// faultFile passes Name and OS through: what sendfile reads, the hook doesn't see.
type faultFile struct {
	File
	fs *faultFS
}

func (f *faultFile) ReadAt(buf []byte, at int64) (int, error) {
	if err := f.fs.hook(Op{Kind: OpRead, Path: f.Name(), At: at, Size: len(buf)}); err != nil {
		return 0, pathError("read", f.Name(), err)
	}
	return f.File.ReadAt(buf, at)
}

func (f *faultFile) WriteAt(data []byte, at int64) (int, error) {
	err := f.fs.hook(Op{Kind: OpWrite, Path: f.Name(), At: at, Size: len(data)})
	var short *ShortWrite
	switch {
	case err == nil:
		return f.File.WriteAt(data, at)
	case errors.As(err, &short):
		n, inner := f.File.WriteAt(data[:min(short.Written, len(data))], at)
		return n, pathError("write", f.Name(), errors.Join(short, inner))
	}
	return 0, pathError("write", f.Name(), err)
}

func (f *faultFile) Truncate(size int64) error {
	if err := f.fs.hook(Op{Kind: OpTruncate, Path: f.Name(), At: size}); err != nil {
		return pathError("truncate", f.Name(), err)
	}
	return f.File.Truncate(size)
}

func (f *faultFile) Sync() error {
	if err := f.fs.ask(OpSync, f.Name()); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultFile) Size() (int64, error) {
	if err := f.fs.ask(OpStat, f.Name()); err != nil {
		return 0, err
	}
	return f.File.Size()
}

// Close closes the file in any case: a failed close gives the descriptor back too.
func (f *faultFile) Close() error {
	return errors.Join(f.fs.ask(OpClose, f.Name()), f.File.Close())
}
