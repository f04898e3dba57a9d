package vfs

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Mem is a file system in memory that knows what a crash of the machine would leave of it: it keeps
// apart what is synced from what isn't, for the bytes of files and for the entries of directories.
// Crash makes a copy as some crash would leave it, Restart one as a killed process leaves it.
type Mem struct {
	mu       sync.Mutex
	root     *memNode
	locks    map[string]bool
	capacity int64
	used     int64
	ops      int // numbers the changes of directories
}

var _ FS = (*Mem)(nil)

// memCapacity is the size of a Mem's volume until SetCapacity.
const memCapacity = 1 << 40

// NewMem returns an empty file system. Its root directory exists.
func NewMem() *Mem {
	return &Mem{root: newMemDir(), locks: make(map[string]bool), capacity: memCapacity}
}

// SetCapacity sets the size of the volume in bytes. Writes that need more room fail with ENOSPC.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// Open is FS.Open.
func (m *Mem) Open(name string) (File, error) { return m.OpenFile(name, os.O_RDONLY, 0) }

// Create is FS.Create.
func (m *Mem) Create(name string) (File, error) {
	return m.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
}

// OpenFile is FS.OpenFile.
func (m *Mem) OpenFile(name string, flag int, _ fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	node := dir.entries[base]
	switch {
	case node == nil && flag&os.O_CREATE == 0:
		return nil, pathError("open", name, syscall.ENOENT)
	case node != nil && flag&os.O_EXCL != 0:
		return nil, pathError("open", name, syscall.EEXIST)
	case node != nil && node.isDir():
		return nil, pathError("open", name, syscall.EISDIR)
	case node == nil:
		node = &memNode{modified: time.Now()}
		m.link(dir, base, node)
	}
	writable := flag&(os.O_RDWR|os.O_WRONLY) != 0
	if flag&os.O_TRUNC != 0 && writable {
		m.used -= int64(len(node.data))
		node.truncate(0)
	}
	return &memFile{fs: m, node: node, name: name, writable: writable}, nil
}

// Rename is FS.Rename.
func (m *Mem) Rename(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, oldbase, err := m.parent(oldname)
	if err != nil {
		return pathError("rename", oldname, err)
	}
	to, newbase, err := m.parent(newname)
	if err != nil {
		return pathError("rename", newname, err)
	}
	node := from.entries[oldbase]
	if node == nil {
		return pathError("rename", oldname, syscall.ENOENT)
	}
	if target := to.entries[newbase]; target != nil && target != node {
		switch {
		case target.isDir() && len(target.entries) > 0:
			return pathError("rename", newname, syscall.ENOTEMPTY)
		case target.isDir() != node.isDir():
			return pathError("rename", newname, syscall.EISDIR)
		}
		m.forget(target)
	}
	m.ops++
	from.change(m.ops, oldbase, nil)
	to.change(m.ops, newbase, node)
	return nil
}

// Remove is FS.Remove.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err != nil {
		return pathError("remove", name, err)
	}
	node := dir.entries[base]
	if node == nil {
		return pathError("remove", name, syscall.ENOENT)
	}
	if node.isDir() && len(node.entries) > 0 {
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	m.unlink(dir, base)
	return nil
}

// RemoveAll is FS.RemoveAll.
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err != nil || dir.entries[base] == nil {
		return nil
	}
	m.removeTree(dir, base)
	return nil
}

// removeTree removes the leaves first, as os.RemoveAll does, so that a crash may leave half a tree.
func (m *Mem) removeTree(dir *memNode, base string) {
	node := dir.entries[base]
	for _, name := range slices.Sorted(maps.Keys(node.entries)) {
		m.removeTree(node, name)
	}
	m.unlink(dir, base)
}

// Mkdir is FS.Mkdir.
func (m *Mem) Mkdir(name string, _ fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err == nil && dir.entries[base] != nil {
		err = syscall.EEXIST
	}
	if err != nil {
		return pathError("mkdir", name, err)
	}
	m.link(dir, base, newMemDir())
	return nil
}

// MkdirAll is FS.MkdirAll.
func (m *Mem) MkdirAll(name string, _ fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir := m.root
	for _, base := range split(name) {
		next := dir.entries[base]
		if next == nil {
			next = newMemDir()
			m.link(dir, base, next)
		}
		if !next.isDir() {
			return pathError("mkdir", name, syscall.ENOTDIR)
		}
		dir = next
	}
	return nil
}

// ReadDir is FS.ReadDir.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, err := m.find(name)
	if err == nil && !node.isDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	entries := make([]fs.DirEntry, 0, len(node.entries))
	for _, base := range slices.Sorted(maps.Keys(node.entries)) {
		entries = append(entries, fs.FileInfoToDirEntry(node.entries[base].info(base)))
	}
	return entries, nil
}

// Stat is FS.Stat.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, err := m.find(name)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return node.info(filepath.Base(name)), nil
}

// Chtimes is FS.Chtimes.
func (m *Mem) Chtimes(name string, modified time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, err := m.find(name)
	if err != nil {
		return pathError("chtimes", name, err)
	}
	node.modified = modified
	return nil
}

// Lock is FS.Lock. Neither Crash nor Restart carries locks over.
func (m *Mem) Lock(name string) (Lock, error) {
	f, err := m.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	f.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	key := filepath.Clean(name)
	if m.locks[key] {
		return nil, pathError("lock", name, ErrLocked)
	}
	m.locks[key] = true
	return &memLock{fs: m, key: key}, nil
}

type memLock struct {
	fs  *Mem
	key string
}

func (l *memLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	if !l.fs.locks[l.key] {
		return fs.ErrClosed
	}
	delete(l.fs.locks, l.key)
	return nil
}

// SyncVolume is Lock.SyncVolume.
func (l *memLock) SyncVolume() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	l.fs.root.syncAll()
	return nil
}

// SyncDir is FS.SyncDir.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, err := m.find(name)
	if err == nil && !node.isDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return pathError("sync", name, err)
	}
	node.syncEntries()
	return nil
}

// Free is FS.Free.
func (m *Mem) Free(string) (Space, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Space{Total: m.capacity, Available: max(0, m.capacity-m.used)}, nil
}

func (m *Mem) find(name string) (*memNode, error) {
	node := m.root
	for _, base := range split(name) {
		if !node.isDir() {
			return nil, syscall.ENOTDIR
		}
		if node = node.entries[base]; node == nil {
			return nil, syscall.ENOENT
		}
	}
	return node, nil
}

func (m *Mem) parent(name string) (dir *memNode, base string, err error) {
	parts := split(name)
	if len(parts) == 0 {
		return nil, "", syscall.EBUSY
	}
	dir, err = m.find(strings.Join(parts[:len(parts)-1], "/"))
	if err == nil && !dir.isDir() {
		err = syscall.ENOTDIR
	}
	return dir, parts[len(parts)-1], err
}

func (m *Mem) link(dir *memNode, base string, node *memNode) {
	m.ops++
	dir.change(m.ops, base, node)
}

func (m *Mem) unlink(dir *memNode, base string) {
	m.forget(dir.entries[base])
	m.ops++
	dir.change(m.ops, base, nil)
}

// forget gives back the room of a file that has lost its name.
func (m *Mem) forget(node *memNode) {
	node.unlinked = true
	m.used -= int64(len(node.data))
}

func split(name string) []string {
	return slices.DeleteFunc(strings.Split(filepath.ToSlash(filepath.Clean(name)), "/"),
		func(part string) bool { return part == "" || part == "." })
}

func pathError(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }
