package tree

import (
	"maps"
	"slices"

	"barnabas/internal/zookeeper/jute"
)

// Caller is who asks for a change.
type Caller struct {
	Session int64
	// Keeper is the one that the request came to; a session that has moved on is refused.
	Keeper string
	IDs    []jute.ID
}

// Result is what became of a request.
type Result struct {
	Code jute.Code
	// Op is what a part of a multi was, error if it failed or was not tried.
	Op   jute.Op
	Path string
	Stat jute.Stat
	// Zxid is the tree's newest change when the request was done.
	Zxid  int64
	Parts []Result
}

// Move adds to all zxids in a result that are beyond one.
func (r *Result) Move(beyond, by int64) {
	for _, zxid := range [...]*int64{&r.Zxid, &r.Stat.Czxid, &r.Stat.Mzxid, &r.Stat.Pzxid} {
		if *zxid > beyond {
			*zxid += by
		}
	}
	for i := range r.Parts {
		r.Parts[i].Move(beyond, by)
	}
}

// Draft is requests tried one after another on top of a Tree, which they don't change until their Delta is applied.
// The Tree must stay as it is meanwhile.
type Draft struct {
	base  *Tree
	nowMs int64
	zxid  int64
	// changed are the nodes that differ from the tree's.
	changed  map[string]*entry
	sessions map[int64]*Session
	events   []Event
	// undo are the entries that the request under way has replaced.
	undo []replaced
	size int
}

// entry is a node in a draft. An entry is replaced, never changed.
type entry struct {
	own      *Own
	kids     Kids
	children int
	gone     bool
	// wroteOwn and wroteKids say what differs from the tree.
	wroteOwn, wroteKids bool
}

type replaced struct {
	path  string
	entry *entry
}

// Draft begins one at a time in milliseconds since 1970.
func (t *Tree) Draft(nowMs int64) *Draft {
	return &Draft{
		base: t, nowMs: nowMs, zxid: t.zxid, changed: make(map[string]*entry), sessions: make(map[int64]*Session),
	}
}

// Touched is how many nodes and sessions the draft changes, Size about how many bytes that is.
func (d *Draft) Touched() int { return len(d.changed) + len(d.sessions) }

// Size is about how many bytes the changes take.
func (d *Draft) Size() int { return d.size }

// Zxid is the change that the draft has come to.
func (d *Draft) Zxid() int64 { return d.zxid }

func (d *Draft) get(path string) *entry {
	if e, ok := d.changed[path]; ok {
		if e.gone {
			return nil
		}
		return e
	}
	n := d.base.nodes[path]
	if n == nil {
		return nil
	}
	return &entry{own: n.own, kids: n.kids, children: len(n.children)}
}

func (d *Draft) set(path string, e *entry) {
	d.undo = append(d.undo, replaced{path, d.changed[path]})
	d.changed[path] = e
	d.size += len(path) + 64
	if e.own != nil && e.wroteOwn {
		d.size += len(e.own.Data)
	}
}

// attempt does something as one change, which takes place as a whole or, unless its code is OK, not at all.
func (d *Draft) attempt(do func() (Result, jute.Code)) Result {
	d.undo = d.undo[:0]
	events, size := len(d.events), d.size
	d.zxid++
	result, code := do()
	if code != jute.OK {
		for _, r := range slices.Backward(d.undo) {
			if r.entry == nil {
				delete(d.changed, r.path)
			} else {
				d.changed[r.path] = r.entry
			}
		}
		d.events, d.size = d.events[:events], size
		d.zxid--
		if result.Parts == nil {
			result.Code = code
		}
	}
	result.Zxid = d.zxid
	return result
}

// Do tries a request that changes something.
func (d *Draft) Do(c Caller, req *jute.Request) Result {
	if code := d.session(c); code != jute.OK {
		return Result{Code: code, Zxid: d.zxid}
	}
	if req.Op == jute.OpMulti {
		return d.attempt(func() (Result, jute.Code) { return d.multi(c, req) })
	}
	return d.attempt(func() (Result, jute.Code) { return d.one(c, req) })
}

// session says whether a caller may change anything.
func (d *Draft) session(c Caller) jute.Code {
	s := d.findSession(c.Session)
	switch {
	case s == nil:
		return jute.SessionExpired
	case s.Keeper != c.Keeper:
		return jute.SessionMoved
	}
	return jute.OK
}

func (d *Draft) findSession(id int64) *Session {
	if s, ok := d.sessions[id]; ok {
		return s
	}
	return d.base.sessions[id]
}

// multi does all of a request's parts or none. The parts before the one that failed are told as done well, the others
// as not tried.
func (d *Draft) multi(c Caller, req *jute.Request) (Result, jute.Code) {
	result := Result{Parts: make([]Result, 0, len(req.Parts))}
	for i := range req.Parts {
		part, code := d.one(c, &req.Parts[i])
		if code != jute.OK {
			result.Parts = result.Parts[:0]
			for j := range req.Parts {
				failed := Result{Op: jute.OpError}
				if j == i {
					failed.Code = code
				} else if j > i {
					failed.Code = jute.RuntimeInconsistency
				}
				result.Parts = append(result.Parts, failed)
			}
			return result, code
		}
		part.Op = req.Parts[i].Op
		result.Parts = append(result.Parts, part)
	}
	return result, jute.OK
}

func (d *Draft) one(c Caller, req *jute.Request) (Result, jute.Code) {
	switch req.Op {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		return d.create(c, req)
	case jute.OpDelete:
		return d.delete(c, req)
	case jute.OpSetData:
		return d.setData(c, req)
	case jute.OpSetACL:
		return d.setACL(c, req)
	case jute.OpCheck:
		return d.check(c, req)
	}
	return Result{}, jute.Unimplemented
}

// OpenSession begins a session; it is a change, as in ZooKeeper. An id that is taken is refused.
func (d *Draft) OpenSession(id int64, s Session) Result {
	return d.attempt(func() (Result, jute.Code) {
		if d.findSession(id) != nil {
			return Result{}, jute.SystemError
		}
		d.sessions[id] = &s
		return Result{}, jute.OK
	})
}

// MoveSession gives a session that lives to another keeper, if the password is right.
func (d *Draft) MoveSession(id int64, password []byte, keeper string, timeoutMs int32) Result {
	s := d.findSession(id)
	if s == nil || !slices.Equal(s.Password, password) {
		return Result{Code: jute.SessionExpired, Zxid: d.zxid}
	}
	if s.Keeper != keeper || s.TimeoutMs != timeoutMs {
		d.sessions[id] = &Session{Password: s.Password, TimeoutMs: timeoutMs, Keeper: keeper}
	}
	return Result{Zxid: d.zxid}
}

// CloseSession ends a session, and its ephemeral nodes with it. Unless keeper is empty the session must be there.
func (d *Draft) CloseSession(id int64, keeper string) Result {
	s := d.findSession(id)
	if s == nil {
		return Result{Code: jute.SessionExpired, Zxid: d.zxid}
	}
	if keeper != "" && s.Keeper != keeper {
		return Result{Code: jute.SessionMoved, Zxid: d.zxid}
	}
	return d.attempt(func() (Result, jute.Code) {
		owned := maps.Clone(d.base.ephemerals[id])
		if owned == nil {
			owned = make(map[string]struct{})
		}
		for path, e := range d.changed {
			if e.gone {
				delete(owned, path)
			} else if e.own.Owner == id {
				owned[path] = struct{}{}
			}
		}
		for _, path := range slices.Sorted(maps.Keys(owned)) {
			if e := d.get(path); e != nil && e.own.Owner == id {
				d.take(path)
			}
		}
		d.sessions[id] = nil
		return Result{}, jute.OK
	})
}

// Reap removes a container or TTL node that still is as Reapable found it.
func (d *Draft) Reap(path string) Result {
	return d.attempt(func() (Result, jute.Code) {
		e := d.get(path)
		if e == nil {
			return Result{}, jute.NoNode
		}
		if e.children > 0 {
			return Result{}, jute.NotEmpty
		}
		if !spent(e.own, e.kids, d.nowMs) {
			return Result{}, jute.BadVersion
		}
		d.take(path)
		return Result{}, jute.OK
	})
}

// Delta is what the draft has come to. Nodes that came and went in it are not in it, their events are.
func (d *Draft) Delta() Delta {
	delta := Delta{Zxid: d.zxid, Events: d.events}
	for _, path := range slices.Sorted(maps.Keys(d.changed)) {
		e := d.changed[path]
		was := d.base.nodes[path]
		if e.gone {
			if was != nil {
				delta.Nodes = append(delta.Nodes, NodeChange{Path: path, Gone: true})
			}
			continue
		}
		change := NodeChange{Path: path}
		if e.wroteOwn {
			change.Own = e.own
		}
		if e.wroteKids || was != nil && was.own.Czxid != e.own.Czxid {
			change.Kids = &e.kids
		}
		if change.Own != nil || change.Kids != nil {
			delta.Nodes = append(delta.Nodes, change)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.sessions)) {
		s := d.sessions[id]
		if s != nil || d.base.sessions[id] != nil {
			delta.Sessions = append(delta.Sessions, SessionChange{id, s})
		}
	}
	return delta
}

// Ensure makes a directory, and those above it, where there is none.
func (d *Draft) Ensure(path string) {
	if d.get(path) != nil || !valid(path) {
		return
	}
	parent, ok := parentOf(path)
	if !ok {
		return
	}
	d.Ensure(parent)
	d.attempt(func() (Result, jute.Code) {
		return d.create(Caller{IDs: []jute.ID{Super()}}, &jute.Request{
			Op: jute.OpCreate, Path: path, Data: []byte{}, ACL: jute.OpenACL, TTL: -1,
		})
	})
}

// Remove takes a node without children away, whoever may.
func (d *Draft) Remove(path string) Result {
	return d.attempt(func() (Result, jute.Code) {
		return d.delete(Caller{IDs: []jute.ID{Super()}}, &jute.Request{Op: jute.OpDelete, Path: path, Version: -1})
	})
}
