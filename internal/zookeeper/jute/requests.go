package jute

import "fmt"

// Request is a request's body; which fields count depends on Op.
type Request struct {
	Op   Op
	Path string
	// Data is what create and setData write, auth's credentials, and nil for null.
	Data    []byte
	ACL     []ACL
	Flags   int32
	TTL     int64
	Version int32
	// Watch asks getData, exists and getChildren to leave a watch.
	Watch bool
	// Kind is addWatch's mode, and which watches checkWatches and removeWatches mean.
	Kind   int32
	Scheme string
	// Parts are the operations of a multi.
	Parts   []Request
	Watches *Watches
}

// Watches are those that a client had and sets again on a new connection.
type Watches struct {
	// RelativeZxid is the last change that the client has seen.
	RelativeZxid                    int64
	Data, Exist, Child              []string
	Persistent, PersistentRecursive []string
}

// maxParts bounds the operations of one multi; the frame's length bounds them too.
const maxParts = 20000

// Body reads the body of a request. Its error is ErrTruncated, or names the operation that is not known.
func (r *Reader) Body(op Op) (Request, error) {
	req := Request{Op: op}
	known := true
	switch op {
	case OpMulti, OpMultiRead:
		return r.multi(req)
	case OpAuth:
		r.Int()
		req.Scheme, req.Data = r.String(), r.Buffer()
	case OpSetWatches, OpSetWatches2:
		req.Watches = r.watches(op)
	case OpAddWatch, OpCheckWatches, OpRemoveWatches:
		req.Path, req.Kind = r.String(), r.Int()
	case OpPing, OpCloseSession, OpWhoAmI, OpReconfig, OpSASL:
	default:
		known = r.node(&req)
	}
	if !known {
		return req, fmt.Errorf("jute: there is no operation %d", op)
	}
	return req, r.Err()
}

// node reads the bodies that begin with a node's path.
func (r *Reader) node(req *Request) bool {
	req.Path = r.String()
	switch req.Op {
	case OpCreate, OpCreate2, OpCreateContainer:
		req.Data, req.ACL, req.Flags, req.TTL = r.Buffer(), r.ACLs(), r.Int(), -1
	case OpCreateTTL:
		req.Data, req.ACL, req.Flags, req.TTL = r.Buffer(), r.ACLs(), r.Int(), r.Long()
	case OpDelete, OpCheck:
		req.Version = r.Int()
	case OpSetData:
		req.Data, req.Version = r.Buffer(), r.Int()
	case OpSetACL:
		req.ACL, req.Version = r.ACLs(), r.Int()
	case OpExists, OpGetData, OpGetChildren, OpGetChildren2:
		req.Watch = r.Bool()
	case OpGetACL, OpSync, OpGetEphemerals, OpGetAllChildrenNumber, OpDeleteContainer:
	default:
		return false
	}
	return true
}

func (r *Reader) multi(req Request) (Request, error) {
	for {
		h := r.MultiHeader()
		if r.err != nil || h.Done {
			return req, r.err
		}
		part := Request{Op: h.Op}
		if !inMulti(req.Op, h.Op) || !r.node(&part) {
			return req, fmt.Errorf("jute: operation %d can't be part of a multi", h.Op)
		}
		if len(req.Parts) == maxParts {
			return req, fmt.Errorf("jute: a multi of more than %d operations", maxParts)
		}
		req.Parts = append(req.Parts, part)
	}
}

// inMulti says whether an operation may be part of a multi, which either reads or writes.
func inMulti(multi, op Op) bool {
	switch op {
	case OpGetData, OpGetChildren:
		return multi == OpMultiRead
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData, OpCheck:
		return multi == OpMulti
	}
	return false
}

func (r *Reader) watches(op Op) *Watches {
	w := &Watches{RelativeZxid: r.Long(), Data: r.Strings(), Exist: r.Strings(), Child: r.Strings()}
	if op == OpSetWatches2 {
		w.Persistent, w.PersistentRecursive = r.Strings(), r.Strings()
	}
	return w
}

// Append appends the body as a client sends it.
func (req Request) Append(b []byte) []byte {
	switch req.Op {
	case OpMulti, OpMultiRead:
		for _, part := range req.Parts {
			b = part.Append(AppendMultiHeader(b, MultiHeader{Op: part.Op, Code: -1}))
		}
		return AppendMultiHeader(b, MultiEnd)
	case OpAuth:
		return AppendBuffer(AppendString(AppendInt(b, 0), req.Scheme), req.Data)
	case OpSetWatches, OpSetWatches2:
		return req.Watches.append(b, req.Op)
	case OpAddWatch, OpCheckWatches, OpRemoveWatches:
		return AppendInt(AppendString(b, req.Path), req.Kind)
	case OpPing, OpCloseSession, OpWhoAmI, OpReconfig, OpSASL:
		return b
	}
	b = AppendString(b, req.Path)
	switch req.Op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
		b = AppendInt(AppendACLs(AppendBuffer(b, req.Data), req.ACL), req.Flags)
		if req.Op == OpCreateTTL {
			b = AppendLong(b, req.TTL)
		}
	case OpDelete, OpCheck:
		b = AppendInt(b, req.Version)
	case OpSetData:
		b = AppendInt(AppendBuffer(b, req.Data), req.Version)
	case OpSetACL:
		b = AppendInt(AppendACLs(b, req.ACL), req.Version)
	case OpExists, OpGetData, OpGetChildren, OpGetChildren2:
		b = AppendBool(b, req.Watch)
	}
	return b
}

func (w *Watches) append(b []byte, op Op) []byte {
	b = AppendStrings(AppendStrings(AppendStrings(AppendLong(b, w.RelativeZxid), w.Data), w.Exist), w.Child)
	if op == OpSetWatches2 {
		b = AppendStrings(AppendStrings(b, w.Persistent), w.PersistentRecursive)
	}
	return b
}
