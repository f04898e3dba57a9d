package zookeeper

import (
	"context"
	"slices"
	"time"

	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/tree"
)

// handle carries out one request; false if it was the connection's last.
func (c *conn) handle(frame []byte) bool {
	arrived := time.Now()
	c.local.heard.Store(int64(arrived.Sub(c.server.started)))
	r := jute.NewReader(frame)
	h := r.Header()
	if r.Err() != nil {
		c.server.log.Warn("zookeeper: a packet without a header", "client", c.net.RemoteAddr(), "bytes", len(frame))
		return false
	}
	c.tally.asked(h)
	req, err := r.Body(h.Op)
	switch {
	case err != nil && r.Err() == nil:
		return c.refuse(h, jute.Unimplemented, err)
	case err != nil:
		return c.answer(h, arrived, jute.MarshallingError, nil)
	}
	switch h.Op {
	case jute.OpPing:
		c.reply(jute.XidPing, c.zxid(), jute.OK, nil)
		c.done(arrived)
		return true
	case jute.OpAuth:
		return c.authenticate(h, &req)
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL, jute.OpDelete, jute.OpSetData,
		jute.OpSetACL, jute.OpCheck, jute.OpMulti:
		return c.write(h, &req, arrived)
	case jute.OpCloseSession:
		return c.closeSession(h, arrived)
	case jute.OpSync:
		return c.sync(h, &req, arrived)
	case jute.OpReconfig:
		return c.answer(h, arrived, jute.ReconfigDisabled, nil)
	case jute.OpSASL, jute.OpDeleteContainer:
		return c.refuse(h, jute.Unimplemented, nil)
	}
	return c.read(h, &req, arrived)
}

func (c *conn) zxid() int64 {
	r := c.server.replica
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.tree == nil {
		return 0
	}
	return r.tree.Zxid()
}

// answer answers in turn, when all writes before have been.
func (c *conn) answer(h jute.RequestHeader, arrived time.Time, code jute.Code, body []byte) bool {
	if !c.idle() {
		return false
	}
	c.reply(h.Xid, c.zxid(), code, body)
	c.done(arrived)
	return true
}

// refuse answers a request that this server does not know, and ends the connection as ZooKeeper does.
func (c *conn) refuse(h jute.RequestHeader, code jute.Code, err error) bool {
	c.server.log.Warn("zookeeper: a client asks for what is not known here", "client", c.net.RemoteAddr(), "operation", int32(h.Op), "error", err)
	c.answer(h, time.Now(), code, nil)
	c.finish()
	return false
}

func (c *conn) authenticate(h jute.RequestHeader, req *jute.Request) bool {
	ids := c.identities()
	switch req.Scheme {
	case "digest":
		id := tree.Digest(req.Data)
		if c.server.options.SuperDigest != "" && id.ID == c.server.options.SuperDigest {
			ids = with(ids, tree.Super())
		}
		ids = with(ids, id)
	case "ip":
		ids = with(ids, tree.Address(c.address))
	default:
		c.server.log.Warn("zookeeper: a scheme of authentication is not known", "client", c.net.RemoteAddr(), "scheme", req.Scheme)
		c.reply(h.Xid, 0, jute.AuthFailed, nil)
		c.finish()
		return false
	}
	if len(ids) > maxIdentities {
		c.reply(h.Xid, 0, jute.AuthFailed, nil)
		c.finish()
		return false
	}
	c.ids.Store(&ids)
	c.reply(h.Xid, 0, jute.OK, nil)
	return true
}

// maxIdentities bounds what a connection can prove itself to be.
const maxIdentities = 100

func with(ids []jute.ID, id jute.ID) []jute.ID {
	if slices.Contains(ids, id) {
		return ids
	}
	return append(slices.Clip(ids), id)
}

// write hands a change to the writer, and goes on: what is asked next waits for it where it has to.
func (c *conn) write(h jute.RequestHeader, req *jute.Request, arrived time.Time) bool {
	if c.server.replica.intoPicture(req) {
		return c.order(h, req, arrived)
	}
	if !c.begin() {
		return false
	}
	caller := tree.Caller{Session: c.session.Load(), Keeper: c.server.id, IDs: c.identities()}
	return c.server.submit(&write{
		try: func(d *tree.Draft) tree.Result {
			c.server.replica.support(d, req)
			return d.Do(caller, req)
		},
		done: func(result tree.Result, err error) {
			defer c.end()
			if err != nil || result.Code == jute.SessionMoved {
				c.abort() // whether it took place is not known; the client asks another keeper
				return
			}
			c.reply(h.Xid, result.Zxid, multiCode(result), appendResult(nil, h.Op, result))
			c.done(arrived)
		},
	}) == nil
}

func (c *conn) closeSession(h jute.RequestHeader, arrived time.Time) bool {
	if !c.begin() {
		return false
	}
	id := c.session.Load()
	_ = c.server.submit(&write{
		try: func(d *tree.Draft) tree.Result { return d.CloseSession(id, c.server.id) },
		done: func(result tree.Result, err error) {
			defer c.end()
			if err != nil {
				c.abort()
				return
			}
			c.reply(h.Xid, result.Zxid, result.Code, nil)
			c.done(arrived)
			c.finish()
		},
	})
	return false
}

// sync answers when this keeper knows everything that had been committed when it was asked.
func (c *conn) sync(h jute.RequestHeader, req *jute.Request, arrived time.Time) bool {
	if !c.idle() {
		return false
	}
	ctx, cancel := context.WithTimeout(c.server.ctx, storeTimeout)
	defer cancel()
	if err := c.server.replica.sync(ctx); err != nil {
		c.server.log.Warn("zookeeper: a client can't be brought up to date, and is sent away", "client", c.net.RemoteAddr(), "error", err)
		c.abort()
		return false
	}
	return c.answer(h, arrived, jute.OK, jute.AppendString(nil, req.Path))
}

// read answers from this keeper's copy. The answer is put into its place among watch events while the copy stands
// still: a client must not hear of a change before it knows that it watches.
func (c *conn) read(h jute.RequestHeader, req *jute.Request, arrived time.Time) bool {
	if !c.idle() {
		return false
	}
	r := c.server.replica
	if leavesWatch(req) {
		r.mu.Lock()
		defer r.mu.Unlock()
	} else {
		r.mu.RLock()
		defer r.mu.RUnlock()
	}
	if r.tree == nil {
		return false
	}
	body, code := c.look(r, req)
	c.reply(h.Xid, r.tree.Zxid(), code, body)
	c.done(arrived)
	return true
}

func leavesWatch(req *jute.Request) bool {
	switch req.Op {
	case jute.OpSetWatches, jute.OpSetWatches2, jute.OpAddWatch, jute.OpRemoveWatches:
		return true
	}
	return req.Watch
}

// look is what a read comes to; the replica's lock is held.
func (c *conn) look(r *replica, req *jute.Request) ([]byte, jute.Code) {
	ids := c.identities()
	if req.Watch && r.watches.Count(c) >= maxWatches {
		return nil, jute.Throttled
	}
	switch req.Op {
	case jute.OpGetData, jute.OpExists, jute.OpGetChildren, jute.OpGetChildren2:
		return c.lookAtNode(r, req, ids)
	case jute.OpGetACL:
		acl, stat, code := r.acl(req.Path, ids)
		return jute.AppendStat(jute.AppendACLs(nil, acl), stat), code
	case jute.OpGetAllChildrenNumber:
		n, code := r.descendants(req.Path, ids)
		return jute.AppendInt(nil, n), code
	case jute.OpGetEphemerals:
		return jute.AppendStrings(nil, r.tree.Ephemerals(c.session.Load(), req.Path)), jute.OK
	case jute.OpWhoAmI:
		b := jute.AppendInt(nil, int32(len(ids)))
		for _, id := range ids {
			b = jute.AppendString(jute.AppendString(b, id.Scheme), tree.User(id))
		}
		return b, jute.OK
	case jute.OpMultiRead:
		return c.multiRead(r, req, ids), jute.OK
	}
	return c.lookAtWatches(r, req)
}

func (c *conn) lookAtNode(r *replica, req *jute.Request, ids []jute.ID) (body []byte, code jute.Code) {
	var (
		stat  jute.Stat
		table = tree.DataWatches
	)
	switch req.Op {
	case jute.OpGetData:
		var data []byte
		data, stat, code = r.data(req.Path, ids)
		body = jute.AppendStat(jute.AppendBuffer(make([]byte, 0, len(data)+72), data), stat)
	case jute.OpExists:
		stat, code = r.stat(req.Path, ids)
		body = jute.AppendStat(nil, stat)
	default:
		var names []string
		names, stat, code = r.children(req.Path, ids)
		body, table = jute.AppendStrings(nil, names), tree.ChildWatches
		if req.Op == jute.OpGetChildren2 {
			body = jute.AppendStat(body, stat)
		}
	}
	// A watch may be left on a node that is not there, by exists alone.
	if req.Watch && (code == jute.OK || code == jute.NoNode && req.Op == jute.OpExists) {
		r.watches.Add(table, req.Path, c, tree.Once)
	}
	return body, code
}

func (c *conn) multiRead(r *replica, req *jute.Request, ids []jute.ID) (b []byte) {
	for i := range req.Parts {
		part := &req.Parts[i]
		part.Watch = false
		body, code := c.lookAtNode(r, part, ids)
		if code != jute.OK {
			b = jute.AppendMultiHeader(b, jute.MultiHeader{Op: jute.OpError, Code: code})
			b = jute.AppendInt(b, int32(code))
			continue
		}
		b = append(jute.AppendMultiHeader(b, jute.MultiHeader{Op: part.Op}), body...)
	}
	return jute.AppendMultiHeader(b, jute.MultiEnd)
}

func (c *conn) lookAtWatches(r *replica, req *jute.Request) ([]byte, jute.Code) {
	switch req.Op {
	case jute.OpAddWatch:
		switch {
		case r.watches.Count(c) >= maxWatches:
			return nil, jute.Throttled
		case req.Kind == addPersistent:
			r.watches.Add(tree.DataWatches, req.Path, c, tree.Persistent)
			r.watches.Add(tree.ChildWatches, req.Path, c, tree.Persistent)
		case req.Kind == addRecursive:
			r.watches.Add(tree.DataWatches, req.Path, c, tree.Recursive)
		default:
			return nil, jute.MarshallingError
		}
		return jute.AppendInt(nil, 0), jute.OK
	case jute.OpCheckWatches:
		if !r.watches.Has(req.Path, c, req.Kind) {
			return nil, jute.NoWatcher
		}
	case jute.OpRemoveWatches:
		if !r.watches.Remove(req.Path, c, req.Kind) {
			return nil, jute.NoWatcher
		}
	default:
		return nil, c.setWatches(r, req.Watches)
	}
	return nil, jute.OK
}

// The modes of addWatch.
const (
	addPersistent int32 = 0
	addRecursive  int32 = 1
)

// setWatches sets again what a client watched on its last connection, and tells at once what it has missed.
func (c *conn) setWatches(r *replica, w *jute.Watches) jute.Code {
	asked := len(w.Data) + len(w.Exist) + len(w.Child) + 2*len(w.Persistent) + len(w.PersistentRecursive)
	if r.watches.Count(c)+asked > maxWatches {
		return jute.Throttled
	}
	seen := w.RelativeZxid
	if seen > r.tree.Zxid() {
		seen = -1 // it is of changes that were lost: everything may be another one
	}
	for _, once := range []struct {
		kind  int32
		table tree.Table
		paths []string
	}{
		{tree.MissedData, tree.DataWatches, w.Data},
		{tree.MissedExist, tree.DataWatches, w.Exist},
		{tree.MissedChild, tree.ChildWatches, w.Child},
	} {
		for _, path := range once.paths {
			if event := r.missed(once.kind, path, seen); event != 0 {
				c.notify(event, path)
			} else {
				r.watches.Add(once.table, path, c, tree.Once)
			}
		}
	}
	for _, path := range w.Persistent {
		r.watches.Add(tree.DataWatches, path, c, tree.Persistent)
		r.watches.Add(tree.ChildWatches, path, c, tree.Persistent)
	}
	for _, path := range w.PersistentRecursive {
		r.watches.Add(tree.DataWatches, path, c, tree.Recursive)
	}
	return jute.OK
}

// appendResult appends the body of the answer to a change.
func appendResult(b []byte, op jute.Op, r tree.Result) []byte {
	switch op {
	case jute.OpCreate:
		return jute.AppendString(b, r.Path)
	case jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		return jute.AppendStat(jute.AppendString(b, r.Path), r.Stat)
	case jute.OpSetData, jute.OpSetACL:
		return jute.AppendStat(b, r.Stat)
	case jute.OpMulti:
		for _, part := range r.Parts {
			shown := part.Op
			switch shown {
			case jute.OpCreateContainer, jute.OpCreateTTL:
				shown = jute.OpCreate2
			case jute.OpError:
				b = jute.AppendMultiHeader(b, jute.MultiHeader{Op: shown, Code: part.Code})
				b = jute.AppendInt(b, int32(part.Code))
				continue
			}
			b = appendResult(jute.AppendMultiHeader(b, jute.MultiHeader{Op: shown}), shown, part)
		}
		return jute.AppendMultiHeader(b, jute.MultiEnd)
	}
	return b
}
