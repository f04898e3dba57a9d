package zookeeper

import (
	"fmt"
	"strconv"
	"strings"

	"barnabas/internal/metadata"
	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/tree"
)

// The keys, relative to the store's root. A node has two: its own, and one for its children's coming and going, so that
// a new child does not write its parent's data again.
const (
	headKey       = "head"
	nodePrefix    = "n"
	kidsPrefix    = "c"
	sessionPrefix = "s/"
	keeperPrefix  = "k/"
)

// layoutVersion begins every value.
const layoutVersion = 1

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

func (h *head) encode() []byte {
	b := jute.AppendLong([]byte{layoutVersion}, h.zxid)
	b = jute.AppendLong(jute.AppendString(b, h.keeper), h.batch)
	b = jute.AppendInt(b, int32(len(h.events)))
	for _, e := range h.events {
		b = jute.AppendString(append(jute.AppendLong(b, e.Zxid), byte(e.Type)), e.Path)
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

func decodeHead(b []byte) (*head, error) {
	r, err := value(b)
	if err != nil {
		return nil, err
	}
	h := &head{zxid: r.Long(), keeper: r.String(), batch: r.Long()}
	for n := r.Int(); n > 0 && r.Err() == nil; n-- {
		h.events = append(h.events, tree.Event{Zxid: r.Long(), Type: jute.EventType(r.Byte()), Path: r.String()})
	}
	for n := r.Int(); n > 0 && r.Err() == nil; n-- {
		h.spill = append(h.spill, metadata.Op{Kind: metadata.OpKind(r.Byte()), Key: r.String(), Value: r.Buffer()})
	}
	return h, r.Err()
}

func encodeNode(own *tree.Own) []byte {
	b := jute.AppendACLs([]byte{layoutVersion}, own.ACL)
	for _, v := range [...]int64{own.Czxid, own.Mzxid, own.Ctime, own.Mtime, own.Owner} {
		b = jute.AppendLong(b, v)
	}
	b = jute.AppendInt(jute.AppendInt(b, own.Version), own.Aversion)
	return jute.AppendBuffer(b, own.Data)
}

func decodeNode(b []byte) (*tree.Own, error) {
	r, err := value(b)
	if err != nil {
		return nil, err
	}
	acl := r.ACLs()
	if len(acl) == 1 && acl[0] == jute.OpenACL[0] {
		acl = jute.OpenACL // nearly all nodes have it: they share it
	}
	own := &tree.Own{
		ACL: acl, Czxid: r.Long(), Mzxid: r.Long(), Ctime: r.Long(), Mtime: r.Long(), Owner: r.Long(),
		Version: r.Int(), Aversion: r.Int(), Data: r.Buffer(),
	}
	return own, r.Err()
}

func encodeKids(k tree.Kids) []byte {
	return jute.AppendLong(jute.AppendInt([]byte{layoutVersion}, k.Created), k.Pzxid)
}

func decodeKids(b []byte) (*tree.Kids, error) {
	r, err := value(b)
	if err != nil {
		return nil, err
	}
	return &tree.Kids{Created: r.Int(), Pzxid: r.Long()}, r.Err()
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

// operations are the writes that carry out a step.
func operations(d tree.Delta) (ops []metadata.Op) {
	for _, n := range d.Nodes {
		if n.Gone {
			ops = append(ops, metadata.Delete(nodePrefix+n.Path), metadata.Delete(kidsPrefix+n.Path))
			continue
		}
		if n.Own != nil {
			ops = append(ops, metadata.Put(nodePrefix+n.Path, encodeNode(n.Own)))
		}
		if n.Kids != nil {
			ops = append(ops, metadata.Put(kidsPrefix+n.Path, encodeKids(*n.Kids)))
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

// collect adds what a write of a key means to a step.
func collect(d *tree.Delta, op metadata.Op) error {
	deleted := op.Kind == metadata.OpDelete
	switch {
	case strings.HasPrefix(op.Key, sessionPrefix):
		return collectSession(d, op, deleted)
	case strings.HasPrefix(op.Key, nodePrefix+"/"):
		change := tree.NodeChange{Path: op.Key[len(nodePrefix):], Gone: deleted}
		if !deleted {
			own, err := decodeNode(op.Value)
			if err != nil {
				return fmt.Errorf("zookeeper: node %s: %w", change.Path, err)
			}
			change.Own = own
		}
		d.Nodes = append(d.Nodes, change)
	case strings.HasPrefix(op.Key, kidsPrefix+"/") && !deleted:
		kids, err := decodeKids(op.Value)
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
