package zookeeper

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"barnabas/internal/metadata"
	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/tree"
)

// The keys. A node has two: its own, and one for its children's coming and going, so that a new child does not write its
// parent's data again.
const (
	treeRoot      = "zookeeper/"
	headKey       = treeRoot + "head"
	nodePrefix    = treeRoot + "n"
	kidsPrefix    = treeRoot + "c"
	sessionPrefix = treeRoot + "s/"
	keeperPrefix  = treeRoot + "k/"
)

// layoutVersion begins every value.
const layoutVersion = 2

// A zxid is a revision of the store, shifted by zxidBits, and which of the changes of that revision it is. Revisions are
// the same for all keepers, and those of an ensemble that is founded anew are beyond all before, so zxids are too. A change
// is written before its revision is known: its zxid is then the number of the change alone, and whoever reads it adds the
// revision of the key that it stands in.
const (
	zxidBits   = 12
	maxChanges = 1<<zxidBits - 1
)

// zxidAt is the zxid of a revision before its first change.
func zxidAt(r metadata.Revision) int64 { return int64(r) << zxidBits }

// relative is a zxid as it is written in a transaction that is made on top of base.
func relative(zxid, base int64) int64 {
	if zxid > base {
		return zxid - base
	}
	return zxid
}

// absolute is a zxid as it was written at a revision.
func absolute(written int64, at metadata.Revision) int64 {
	if written > 0 && written <= maxChanges {
		return zxidAt(at) + written
	}
	return written
}

func sessionKey(id int64) string { return sessionPrefix + fmt.Sprintf("%016x", uint64(id)) }

// head is the value of the key that every transaction writes.
type head struct {
	zxid int64
	// keeper and batch say whose transaction it was.
	keeper string
	batch  int64
	// events are what happened in it, in order.
	events []tree.Event
	// spill are writes that did not fit into the transaction. They have taken place with it, and whoever writes next
	// first carries them out.
	spill []metadata.Op
}

// encode is the value of a head that is written on top of base.
func (h *head) encode(base int64) []byte {
	b := jute.AppendLong([]byte{layoutVersion}, relative(h.zxid, base))
	b = jute.AppendLong(jute.AppendString(b, h.keeper), h.batch)
	b = jute.AppendInt(b, int32(len(h.events)))
	for _, e := range h.events {
		b = jute.AppendString(append(jute.AppendLong(b, relative(e.Zxid, base)), byte(e.Type)), e.Path)
	}
	b = jute.AppendInt(b, int32(len(h.spill)))
	for _, op := range h.spill {
		b = jute.AppendString(append(b, byte(op.Kind)), op.Key)
		b = jute.AppendBuffer(b, op.Value)
	}
	return b
}

// value begins to read one, and complains of a layout that is not known.
func value(b []byte) (*jute.Reader, error) {
	if len(b) == 0 || b[0] != layoutVersion {
		return nil, fmt.Errorf("a value of a layout that is not known: %.8x", b)
	}
	return jute.NewReader(b[1:]), nil
}

func decodeHead(b []byte, at metadata.Revision) (*head, error) {
	r, err := value(b)
	if err != nil {
		return nil, err
	}
	h := &head{zxid: absolute(r.Long(), at), keeper: r.String(), batch: r.Long()}
	for n := r.Int(); n > 0 && r.Err() == nil; n-- {
		h.events = append(h.events, tree.Event{Zxid: absolute(r.Long(), at), Type: jute.EventType(r.Byte()), Path: r.String()})
	}
	for n := r.Int(); n > 0 && r.Err() == nil; n-- {
		h.spill = append(h.spill, metadata.Op{Kind: metadata.OpKind(r.Byte()), Key: r.String(), Value: r.Buffer()})
	}
	return h, r.Err()
}

func encodeNode(own *tree.Own, base int64) []byte {
	b := jute.AppendACLs([]byte{layoutVersion}, own.ACL)
	for _, v := range [...]int64{relative(own.Czxid, base), relative(own.Mzxid, base), own.Ctime, own.Mtime, own.Owner} {
		b = jute.AppendLong(b, v)
	}
	b = jute.AppendInt(jute.AppendInt(b, own.Version), own.Aversion)
	return jute.AppendBuffer(b, own.Data)
}

func decodeNode(b []byte, at metadata.Revision) (*tree.Own, error) {
	r, err := value(b)
	if err != nil {
		return nil, err
	}
	acl := r.ACLs()
	if len(acl) == 1 && acl[0] == jute.OpenACL[0] {
		acl = jute.OpenACL // nearly all nodes have it: they share it
	}
	own := &tree.Own{
		ACL: acl, Czxid: absolute(r.Long(), at), Mzxid: absolute(r.Long(), at), Ctime: r.Long(), Mtime: r.Long(), Owner: r.Long(),
		Version: r.Int(), Aversion: r.Int(), Data: r.Buffer(),
	}
	return own, r.Err()
}

func encodeKids(k tree.Kids, base int64) []byte {
	return jute.AppendLong(jute.AppendInt([]byte{layoutVersion}, k.Created), relative(k.Pzxid, base))
}

func decodeKids(b []byte, at metadata.Revision) (*tree.Kids, error) {
	r, err := value(b)
	if err != nil {
		return nil, err
	}
	return &tree.Kids{Created: r.Int(), Pzxid: absolute(r.Long(), at)}, r.Err()
}

func encodeSession(s *tree.Session) []byte {
	b := jute.AppendBuffer(jute.AppendInt([]byte{layoutVersion}, s.TimeoutMs), s.Password)
	return jute.AppendString(b, s.Keeper)
}

func decodeSession(b []byte) (*tree.Session, error) {
	r, err := value(b)
	if err != nil {
		return nil, err
	}
	return &tree.Session{TimeoutMs: r.Int(), Password: r.Buffer(), Keeper: r.String()}, r.Err()
}

// operations are the writes that carry out a step on top of base.
func operations(d tree.Delta, base int64) (ops []metadata.Op) {
	for _, n := range d.Nodes {
		if n.Gone {
			ops = append(ops, metadata.Delete(nodePrefix+n.Path), metadata.Delete(kidsPrefix+n.Path))
			continue
		}
		if n.Own != nil {
			ops = append(ops, metadata.Put(nodePrefix+n.Path, encodeNode(n.Own, base)))
		}
		if n.Kids != nil {
			ops = append(ops, metadata.Put(kidsPrefix+n.Path, encodeKids(*n.Kids, base)))
		}
	}
	for _, s := range d.Sessions {
		if s.Session == nil {
			ops = append(ops, metadata.Delete(sessionKey(s.ID)))
		} else {
			ops = append(ops, metadata.Put(sessionKey(s.ID), encodeSession(s.Session)))
		}
	}
	return ops
}

// collect adds what a write of a key at a revision means to a step.
func collect(d *tree.Delta, op metadata.Op, at metadata.Revision) error {
	deleted := op.Kind == metadata.OpDelete
	switch {
	case strings.HasPrefix(op.Key, sessionPrefix):
		return collectSession(d, op, deleted)
	case strings.HasPrefix(op.Key, nodePrefix+"/"):
		change := tree.NodeChange{Path: op.Key[len(nodePrefix):], Gone: deleted}
		if !deleted {
			own, err := decodeNode(op.Value, at)
			if err != nil {
				return fmt.Errorf("zookeeper: node %s: %w", change.Path, err)
			}
			change.Own = own
		}
		d.Nodes = append(d.Nodes, change)
	case strings.HasPrefix(op.Key, kidsPrefix+"/") && !deleted:
		kids, err := decodeKids(op.Value, at)
		if err != nil {
			return fmt.Errorf("zookeeper: children of %s: %w", op.Key[len(kidsPrefix):], err)
		}
		d.Nodes = append(d.Nodes, tree.NodeChange{Path: op.Key[len(kidsPrefix):], Kids: kids})
	}
	return nil
}

func collectSession(d *tree.Delta, op metadata.Op, deleted bool) error {
	id, err := strconv.ParseUint(op.Key[len(sessionPrefix):], 16, 64)
	if err != nil {
		return fmt.Errorf("zookeeper: key %s: %w", op.Key, err)
	}
	change := tree.SessionChange{ID: int64(id)}
	if !deleted {
		if change.Session, err = decodeSession(op.Value); err != nil {
			return fmt.Errorf("zookeeper: session %016x: %w", id, err)
		}
	}
	d.Sessions = append(d.Sessions, change)
	return nil
}

// settled is a write of a revision as it may be carried out in a later one.
func settled(op metadata.Op, at metadata.Revision) (metadata.Op, error) {
	if op.Kind != metadata.OpPut || strings.HasPrefix(op.Key, sessionPrefix) {
		return op, nil
	}
	var d tree.Delta
	if err := collect(&d, op, at); err != nil {
		return op, err
	}
	for _, n := range d.Nodes {
		if n.Own != nil {
			op.Value = encodeNode(n.Own, math.MaxInt64)
		} else if n.Kids != nil {
			op.Value = encodeKids(*n.Kids, math.MaxInt64)
		}
	}
	return op, nil
}
