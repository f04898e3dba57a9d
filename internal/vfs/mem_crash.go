package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// pageSize is the unit in which a file's unsynced bytes reach the disk, or don't.
const pageSize = 4096

// Restart returns a copy with everything that was written, synced or not, as it is after the process
// was killed on a machine that goes on running. What is unsynced stays so. Nobody holds a lock.
func (m *Mem) Restart() *Mem { return m.copy(keepAll{}) }

// Crash returns a copy as a crash of the machine may leave it, decided by the seed: of what isn't synced,
// nothing, all, what was done first, or any part has survived. Unsynced writes survive by the page, so
// that they may be torn; a page that is missing before one that isn't reads as zeroes. Equal seeds on
// equal histories give equal copies.
func (m *Mem) Crash(seed uint64) *Mem {
	rng := rand.New(rand.NewPCG(seed, 0xc4a5))
	c := &crash{rng: rng, mode: rng.IntN(4), decided: make(map[int]bool)}
	c.until = rng.Float64()
	return m.copy(c)
}

// fate says what becomes of what isn't synced.
type fate interface {
	// change tells whether the i-th of n unsynced changes of a directory has survived.
	change(c memChange, i, n int) bool
	// file returns what is left of a file, of which content is synced, and may be overwritten.
	file(content []byte, writes []memWrite) []byte
	// forgets tells whether what has survived is on the disk now.
	forgets() bool
}

func (m *Mem) copy(f fate) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := NewMem()
	out.capacity, out.ops = m.capacity, m.ops
	copied := make(map[*memNode]*memNode)
	out.root = copyNode(m.root, f, copied)
	out.used = sizeOf(out.root)
	return out
}

func sizeOf(n *memNode) int64 {
	size := int64(len(n.data))
	for _, child := range n.entries {
		size += sizeOf(child)
	}
	return size
}

func copyNode(n *memNode, f fate, copied map[*memNode]*memNode) *memNode {
	if done := copied[n]; done != nil {
		return done
	}
	out := &memNode{modified: n.modified, touched: n.touched}
	copied[n] = out
	if n.isDir() {
		copyDir(out, n, f, copied)
		return out
	}
	out.data = f.file(slices.Clone(n.synced), n.writes)
	if f.forgets() {
		out.synced = slices.Clone(out.data)
	} else {
		out.synced, out.writes = slices.Clone(n.synced), slices.Clone(n.writes)
	}
	return out
}

func copyDir(out, n *memNode, f fate, copied map[*memNode]*memNode) {
	survived := maps.Clone(n.durable)
	for i, c := range n.changes {
		if f.change(c, i, len(n.changes)) {
			setEntry(survived, c.name, c.node)
		}
	}
	out.entries = make(map[string]*memNode, len(survived))
	// In order, because the fates of files are drawn one after another.
	for _, name := range slices.Sorted(maps.Keys(survived)) {
		out.entries[name] = copyNode(survived[name], f, copied)
	}
	out.durable = maps.Clone(out.entries)
	if f.forgets() {
		return
	}
	out.durable = make(map[string]*memNode, len(n.durable))
	for name, node := range n.durable {
		out.durable[name] = copyNode(node, f, copied)
	}
	for _, c := range n.changes {
		if c.node != nil {
			c.node = copyNode(c.node, f, copied)
		}
		out.changes = append(out.changes, c)
	}
}

type keepAll struct{}

func (keepAll) change(memChange, int, int) bool { return true }
func (keepAll) forgets() bool                   { return false }

func (keepAll) file(content []byte, writes []memWrite) []byte {
	for _, w := range writes {
		content = w.apply(content)
	}
	return content
}

// The modes of a crash.
const (
	loseUnsynced = iota
	keepUnsynced
	keepFirst
	keepSome
)

type crash struct {
	rng     *rand.Rand
	mode    int
	until   float64      // in mode keepFirst, the part that has survived
	decided map[int]bool // by number of change: both halves of a rename share a fate
}

func (c *crash) forgets() bool { return true }

func (c *crash) change(change memChange, i, n int) bool {
	kept, ok := c.decided[change.number]
	if !ok {
		kept = c.keeps(i, n)
		c.decided[change.number] = kept
	}
	return kept
}

func (c *crash) keeps(i, n int) bool {
	switch c.mode {
	case loseUnsynced:
		return false
	case keepUnsynced:
		return true
	case keepFirst:
		return float64(i) < c.until*float64(n)
	}
	return c.rng.IntN(2) == 0
}

func (c *crash) file(content []byte, writes []memWrite) []byte {
	for i := range writes {
		w := writes[i]
		switch {
		case w.data == nil:
			if c.keeps(i, len(writes)) {
				content = w.apply(content)
			}
		case c.mode == keepFirst && c.keeps(i, len(writes)) && !c.keeps(i+1, len(writes)):
			content = c.tear(w).apply(content)
		case c.mode == keepSome:
			content = c.somePages(content, w)
		case c.keeps(i, len(writes)):
			content = w.apply(content)
		}
	}
	return content
}

// tear cuts the last write that has survived at any byte.
func (c *crash) tear(w memWrite) *memWrite {
	return &memWrite{at: w.at, data: w.data[:c.rng.IntN(len(w.data)+1)]}
}

func (c *crash) somePages(content []byte, w memWrite) []byte {
	for at := w.at; at < w.at+int64(len(w.data)); {
		end := min((at/pageSize+1)*pageSize, w.at+int64(len(w.data)))
		if c.rng.IntN(2) == 0 {
			page := memWrite{at: at, data: w.data[at-w.at : end-w.at]}
			content = page.apply(content)
		}
		at = end
	}
	return content
}
