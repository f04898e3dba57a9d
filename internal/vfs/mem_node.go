package vfs

import (
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// memNode is a file or a directory of a Mem, whose mutex guards it.
type memNode struct {
	modified time.Time
	touched  time.Duration // a nanosecond for each change
	unlinked bool

	// Of a file: what readers see, what is synced, and the writes that lie between.
	data, synced []byte
	writes       []memWrite

	// Of a directory (entries isn't nil), in the same way.
	entries, durable map[string]*memNode
	changes          []memChange
}

// memWrite is a write at a position or, if data is nil, a truncation to that size.
type memWrite struct {
	at   int64
	data []byte
}

// memChange is a name that was given to a node, or taken away (nil). A rename is two of the same number.
type memChange struct {
	number int
	name   string
	node   *memNode
}

func newMemDir() *memNode {
	return &memNode{
		modified: time.Now(),
		entries:  make(map[string]*memNode),
		durable:  make(map[string]*memNode),
	}
}

func (n *memNode) isDir() bool { return n.entries != nil }

// touch sets the modification time: to another one, though the clock stand still.
func (n *memNode) touch() {
	n.touched++
	n.modified = time.Now().Add(n.touched)
}

func (n *memNode) change(number int, name string, node *memNode) {
	n.touch()
	n.changes = append(n.changes, memChange{number: number, name: name, node: node})
	setEntry(n.entries, name, node)
}

func setEntry(entries map[string]*memNode, name string, node *memNode) {
	if node == nil {
		delete(entries, name)
	} else {
		entries[name] = node
	}
}

func (n *memNode) write(at int64, data []byte) {
	w := memWrite{at: at, data: append([]byte{}, data...)}
	n.data = w.apply(n.data)
	n.writes = append(n.writes, w)
	n.touch()
}

func (n *memNode) truncate(size int64) {
	w := memWrite{at: size}
	n.data = w.apply(n.data)
	n.writes = append(n.writes, w)
	n.touch()
}

func (n *memNode) sync() {
	for _, w := range n.writes {
		n.synced = w.apply(n.synced)
	}
	n.writes = nil
}

// syncEntries makes a directory's entries last.
func (n *memNode) syncEntries() {
	for _, c := range n.changes {
		setEntry(n.durable, c.name, c.node)
	}
	n.changes = nil
}

// syncAll makes everything below a directory last.
func (n *memNode) syncAll() {
	if !n.isDir() {
		n.sync()
		return
	}
	n.syncEntries()
	for _, below := range n.entries {
		below.syncAll()
	}
}

// apply returns what the write makes of a file's content, which it may overwrite.
func (w *memWrite) apply(content []byte) []byte {
	size := w.at + int64(len(w.data))
	if w.data == nil && size <= int64(len(content)) {
		clear(content[size:])
		return content[:size]
	}
	if grow := size - int64(len(content)); grow > 0 {
		content = append(content, make([]byte, grow)...)
	}
	copy(content[w.at:], w.data)
	return content
}

func (n *memNode) info(name string) fs.FileInfo {
	mode := fs.FileMode(0o644)
	if n.isDir() {
		mode = fs.ModeDir | 0o755
	}
	return memInfo{name: name, size: int64(len(n.data)), mode: mode, modified: n.modified}
}

type memInfo struct {
	name     string
	size     int64
	mode     fs.FileMode
	modified time.Time
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) Mode() fs.FileMode  { return i.mode }
func (i memInfo) ModTime() time.Time { return i.modified }
func (i memInfo) IsDir() bool        { return i.mode.IsDir() }
func (i memInfo) Sys() any           { return nil }

// memFile is an open file of a Mem.
type memFile struct {
	fs       *Mem
	node     *memNode
	name     string
	writable bool
	closed   atomic.Bool
}

func (f *memFile) begin(op string, writes bool) error {
	if f.closed.Load() {
		return pathError(op, f.name, fs.ErrClosed)
	}
	if writes && !f.writable {
		return pathError(op, f.name, syscall.EBADF)
	}
	return nil
}

func (f *memFile) ReadAt(buf []byte, at int64) (int, error) {
	if err := f.begin("read", false); err != nil {
		return 0, err
	}
	if at < 0 {
		return 0, pathError("read", f.name, syscall.EINVAL)
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if at >= int64(len(f.node.data)) {
		if len(buf) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := copy(buf, f.node.data[at:])
	if n < len(buf) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(data []byte, at int64) (int, error) {
	if err := f.begin("write", true); err != nil {
		return 0, err
	}
	if at < 0 {
		return 0, pathError("write", f.name, syscall.EINVAL)
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if len(data) == 0 {
		return 0, nil
	}
	if err := f.reserve(at + int64(len(data))); err != nil {
		return 0, pathError("write", f.name, err)
	}
	f.node.write(at, data)
	return len(data), nil
}

// reserve takes room for the file to be size bytes long.
func (f *memFile) reserve(size int64) error {
	grow := size - int64(len(f.node.data))
	if grow <= 0 || f.node.unlinked {
		return nil
	}
	if f.fs.used+grow > f.fs.capacity {
		return syscall.ENOSPC
	}
	f.fs.used += grow
	return nil
}

func (f *memFile) Truncate(size int64) error {
	if err := f.begin("truncate", true); err != nil {
		return err
	}
	if size < 0 {
		return pathError("truncate", f.name, syscall.EINVAL)
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.reserve(size); err != nil {
		return pathError("truncate", f.name, err)
	}
	if shrink := int64(len(f.node.data)) - size; shrink > 0 && !f.node.unlinked {
		f.fs.used -= shrink
	}
	f.node.truncate(size)
	return nil
}

func (f *memFile) Sync() error {
	if err := f.begin("sync", false); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.node.sync()
	return nil
}

func (f *memFile) Size() (int64, error) {
	if err := f.begin("stat", false); err != nil {
		return 0, err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.node.data)), nil
}

func (f *memFile) Close() error {
	if f.closed.Swap(true) {
		return pathError("close", f.name, fs.ErrClosed)
	}
	return nil
}

func (f *memFile) Name() string { return f.name }

// OS is nil: there is nothing to hand to sendfile.
func (f *memFile) OS() *os.File { return nil }
