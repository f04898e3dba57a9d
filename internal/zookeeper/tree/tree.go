package tree

import (
	"cmp"
	"slices"
	"strings"

	"barnabas/internal/zookeeper/jute"
)

// Session is a client's session, which lives on whichever keeper it is connected to.
type Session struct {
	Password  []byte
	TimeoutMs int32
	// Keeper is who serves the session now, by the name that it gave itself.
	Keeper string
}

// Tree is all nodes and sessions as of one change. It changes only by Apply.
type Tree struct {
	zxid       int64
	nodes      map[string]*node
	sessions   map[int64]*Session
	ephemerals map[int64]map[string]struct{}
	// reapable are the containers and TTL nodes.
	reapable map[string]struct{}
	dataSize int64
}

// New is a tree with nothing in it but the nodes that are always there.
func New(zxid int64) *Tree {
	t := &Tree{
		zxid: zxid, nodes: make(map[string]*node), sessions: make(map[int64]*Session),
		ephemerals: make(map[int64]map[string]struct{}), reapable: make(map[string]struct{}),
	}
	read := []jute.ACL{{Perms: jute.PermRead, ID: jute.ID{Scheme: schemeWorld, ID: "anyone"}}}
	for _, n := range []struct {
		path string
		own  *Own
	}{
		{root, &Own{Data: []byte{}, ACL: jute.OpenACL}},
		{systemNode, &Own{Data: []byte{}, ACL: jute.OpenACL}},
		{quotaNode, &Own{Data: []byte{}, ACL: jute.OpenACL}},
		{configNode, &Own{Data: []byte{}, ACL: read, Aversion: -1}},
	} {
		t.put(n.path, n.own)
	}
	return t
}

// Zxid is the last change that is in the tree.
func (t *Tree) Zxid() int64 { return t.zxid }

// Count is the number of nodes, DataSize the bytes of their paths and data.
func (t *Tree) Count() int { return len(t.nodes) }

// DataSize is the bytes of all paths and data.
func (t *Tree) DataSize() int64 { return t.dataSize }

// EphemeralCount is the number of ephemeral nodes.
func (t *Tree) EphemeralCount() (n int) {
	for _, paths := range t.ephemerals {
		n += len(paths)
	}
	return n
}

// Session is a session, nil when it is over or never was.
func (t *Tree) Session(id int64) *Session { return t.sessions[id] }

// Sessions calls visit for every session.
func (t *Tree) Sessions(visit func(id int64, s *Session)) {
	for id, s := range t.sessions {
		visit(id, s)
	}
}

// Ephemerals are a session's ephemeral nodes in order, those below the prefix alone if there is one.
func (t *Tree) Ephemerals(session int64, prefix string) []string {
	if trimmed := strings.TrimSpace(prefix); trimmed == "" || trimmed == root {
		prefix = ""
	}
	var paths []string
	for path := range t.ephemerals[session] {
		if strings.HasPrefix(path, prefix) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// Reapable are the containers and TTL nodes that have had their time at that time, in milliseconds since 1970: empty
// containers that were not always empty, and empty TTL nodes not written for longer than they live.
func (t *Tree) Reapable(nowMs int64) []string {
	var paths []string
	for path := range t.reapable {
		n := t.nodes[path]
		if len(n.children) == 0 && spent(n.own, n.kids, nowMs) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

func spent(own *Own, kids Kids, nowMs int64) bool {
	if own.Owner == containerOwner {
		return kids.Created > 0
	}
	ttl, ok := ttlOf(own.Owner)
	return ok && nowMs-own.Mtime > ttl
}

// NodeChange is what a Delta does to one node.
type NodeChange struct {
	Path string
	// Gone says that the node is no more. Otherwise Own and Kids, unless nil, take the place of what was there.
	Gone bool
	Own  *Own
	Kids *Kids
}

// SessionChange is what a Delta does to one session; nil ends it.
type SessionChange struct {
	ID      int64
	Session *Session
}

// Event is something that watches see, in the order of its happening.
type Event struct {
	Zxid int64
	// Type is created, deleted or data changed; that the parent's children changed follows from it.
	Type jute.EventType
	Path string
}

// Delta is one step of a Tree: some requests, all of which are in it or none.
type Delta struct {
	Zxid     int64
	Nodes    []NodeChange
	Sessions []SessionChange
	Events   []Event
}

// Apply takes a step.
func (t *Tree) Apply(d Delta) {
	slices.SortFunc(d.Nodes, func(a, b NodeChange) int { return cmp.Compare(a.Path, b.Path) })
	for _, change := range slices.Backward(d.Nodes) {
		if change.Gone {
			t.remove(change.Path)
		}
	}
	for _, change := range d.Nodes {
		if change.Own != nil {
			t.put(change.Path, change.Own)
		}
	}
	for _, change := range d.Nodes {
		if n := t.nodes[change.Path]; n != nil && change.Kids != nil {
			n.kids = *change.Kids
		}
	}
	for _, change := range d.Sessions {
		if change.Session == nil {
			delete(t.sessions, change.ID)
		} else {
			t.sessions[change.ID] = change.Session
		}
	}
	t.zxid = max(t.zxid, d.Zxid)
}

func (t *Tree) put(path string, own *Own) {
	n := t.nodes[path]
	if n == nil {
		n = &node{kids: Kids{Pzxid: own.Czxid}}
		t.nodes[path] = n
		t.dataSize += int64(len(path))
		if parent, ok := parentOf(path); ok && path != root {
			if up := t.nodes[parent]; up != nil {
				if up.children == nil {
					up.children = make(map[string]struct{})
				}
				up.children[nameOf(path)] = struct{}{}
			}
		}
	} else {
		if n.own.Czxid != own.Czxid {
			n.kids = Kids{Pzxid: own.Czxid}
		}
		t.dataSize -= int64(len(n.own.Data))
		t.disown(path, n.own.Owner)
	}
	n.own = own
	t.dataSize += int64(len(own.Data))
	switch {
	case own.Owner == 0:
	case Ephemeral(own.Owner):
		paths := t.ephemerals[own.Owner]
		if paths == nil {
			paths = make(map[string]struct{})
			t.ephemerals[own.Owner] = paths
		}
		paths[path] = struct{}{}
	default:
		t.reapable[path] = struct{}{}
	}
}

func (t *Tree) remove(path string) {
	n := t.nodes[path]
	if n == nil {
		return
	}
	delete(t.nodes, path)
	t.dataSize -= int64(len(path) + len(n.own.Data))
	t.disown(path, n.own.Owner)
	if parent, ok := parentOf(path); ok {
		if up := t.nodes[parent]; up != nil {
			delete(up.children, nameOf(path))
		}
	}
}

func (t *Tree) disown(path string, owner int64) {
	delete(t.reapable, path)
	if paths := t.ephemerals[owner]; paths != nil {
		delete(paths, path)
		if len(paths) == 0 {
			delete(t.ephemerals, owner)
		}
	}
}
