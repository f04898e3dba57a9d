package tree

import (
	"strings"

	"barnabas/internal/zookeeper/jute"
)

func (t *Tree) readable(path string, ids []jute.ID, perms jute.Perms) (*node, jute.Code) {
	n := t.nodes[canonical(path)]
	if n == nil {
		return nil, jute.NoNode
	}
	if !Allowed(n.own.ACL, perms, ids) {
		return nil, jute.NoAuth
	}
	return n, jute.OK
}

// Data reads a node's data, nil for one that has null.
func (t *Tree) Data(path string, ids []jute.ID) ([]byte, jute.Stat, jute.Code) {
	n, code := t.readable(path, ids, jute.PermRead)
	if code != jute.OK {
		return nil, jute.Stat{}, code
	}
	return n.own.Data, n.stat(), jute.OK
}

// Stat says whether a node is there, and tells about it.
func (t *Tree) Stat(path string, ids []jute.ID) (jute.Stat, jute.Code) {
	if strings.IndexByte(path, 0) >= 0 {
		return jute.Stat{}, jute.BadArguments
	}
	n, code := t.readable(path, ids, jute.PermRead)
	if code != jute.OK {
		return jute.Stat{}, code
	}
	return n.stat(), jute.OK
}

// Children lists a node's children, in no order.
func (t *Tree) Children(path string, ids []jute.ID) ([]string, jute.Stat, jute.Code) {
	n, code := t.readable(path, ids, jute.PermRead)
	if code != jute.OK {
		return nil, jute.Stat{}, code
	}
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	return names, n.stat(), jute.OK
}

// Descendants counts the nodes below a node.
func (t *Tree) Descendants(path string, ids []jute.ID) (int32, jute.Code) {
	n, code := t.readable(path, ids, jute.PermRead)
	if code != jute.OK {
		return 0, code
	}
	return t.below(canonical(path), n), jute.OK
}

func (t *Tree) below(path string, n *node) (count int32) {
	for name := range n.children {
		child := strings.TrimSuffix(path, "/") + "/" + name
		count += 1 + t.below(child, t.nodes[child])
	}
	return count
}

// ACL reads a node's ACL; who may not administrate it sees no digests.
func (t *Tree) ACL(path string, ids []jute.ID) ([]jute.ACL, jute.Stat, jute.Code) {
	n, code := t.readable(path, ids, jute.PermRead|jute.PermAdmin)
	if code != jute.OK {
		return nil, jute.Stat{}, code
	}
	acl := n.own.ACL
	if !Allowed(acl, jute.PermAdmin, ids) {
		acl = masked(acl)
	}
	return acl, n.stat(), jute.OK
}

// ACLOf is a node's ACL without asking who wants to know; ok is false where there is no node.
func (t *Tree) ACLOf(path string) (acl []jute.ACL, ok bool) {
	n := t.nodes[canonical(path)]
	if n == nil {
		return nil, false
	}
	return n.own.ACL, true
}

// Missed says what a watch that was left after a client had seen a change has missed since: 0 for nothing.
func (t *Tree) Missed(kind int32, path string, seen int64) jute.EventType {
	n := t.nodes[canonical(path)]
	switch {
	case kind == MissedExist && n != nil:
		return jute.EventCreated
	case kind == MissedExist:
		return 0
	case n == nil:
		return jute.EventDeleted
	case kind == MissedData && n.own.Mzxid > seen:
		return jute.EventDataChanged
	case kind == MissedChild && n.kids.Pzxid > seen:
		return jute.EventChildrenChanged
	}
	return 0
}

// The kinds of one-time watches that a client sets again.
const (
	MissedData int32 = iota
	MissedExist
	MissedChild
)
