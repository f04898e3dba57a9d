package tree

import (
	"fmt"

	"barnabas/internal/zookeeper/jute"
)

// create makes a node. The order of its checks is ZooKeeper's, because it decides which of several errors is told.
func (d *Draft) create(c Caller, req *jute.Request) (Result, jute.Code) {
	owner, code := ownerOf(c, req)
	if code != jute.OK {
		return Result{}, code
	}
	path := req.Path
	parent, ok := parentOf(path)
	if !ok {
		return Result{}, jute.BadArguments
	}
	acl, ok := fixed(c.IDs, req.ACL)
	if !ok {
		return Result{}, jute.InvalidACL
	}
	up := d.get(parent)
	if up == nil {
		return Result{}, jute.NoNode
	}
	if !Allowed(up.own.ACL, jute.PermCreate, c.IDs) {
		return Result{}, jute.NoAuth
	}
	switch req.Flags {
	case jute.FlagSequential, jute.FlagEphemeralSequential, jute.FlagPersistentSequentialTTL:
		path += fmt.Sprintf("%010d", up.kids.Created)
	}
	switch {
	case !valid(path):
		return Result{}, jute.BadArguments
	case d.get(path) != nil:
		return Result{}, jute.NodeExists
	case Ephemeral(up.own.Owner):
		return Result{}, jute.NoChildrenForEphemerals
	}
	own := &Own{
		Data: req.Data, ACL: acl, Czxid: d.zxid, Mzxid: d.zxid, Ctime: d.nowMs, Mtime: d.nowMs, Owner: owner,
	}
	made := &entry{own: own, kids: Kids{Pzxid: d.zxid}, wroteOwn: true}
	d.set(path, made)
	d.setKids(parent, up, Kids{Created: up.kids.Created + 1, Pzxid: d.zxid}, 1)
	d.events = append(d.events, Event{d.zxid, jute.EventCreated, path})
	return Result{Path: path, Stat: stat(own, made.kids, 0)}, jute.OK
}

// ownerOf is the owner that a new node gets, by its flags.
func ownerOf(c Caller, req *jute.Request) (int64, jute.Code) {
	ttl := false
	switch req.Flags {
	case jute.FlagPersistent, jute.FlagSequential, jute.FlagEphemeral, jute.FlagEphemeralSequential, jute.FlagContainer:
	case jute.FlagPersistentTTL, jute.FlagPersistentSequentialTTL:
		ttl = true
	default:
		return 0, jute.BadArguments
	}
	switch {
	case ttl && (req.TTL <= 0 || req.TTL > maxTTL), !ttl && req.TTL >= 0:
		return 0, jute.BadArguments
	case ttl:
		return ttlOwner(req.TTL), jute.OK
	case req.Op == jute.OpCreateContainer, req.Flags == jute.FlagContainer:
		return containerOwner, jute.OK
	case req.Flags == jute.FlagEphemeral, req.Flags == jute.FlagEphemeralSequential:
		return c.Session, jute.OK
	}
	return 0, jute.OK
}

func (d *Draft) setKids(path string, e *entry, kids Kids, more int) {
	changed := *e
	changed.kids, changed.wroteKids = kids, true
	changed.children += more
	d.set(path, &changed)
}

func (d *Draft) setOwn(path string, e *entry, own *Own) Result {
	changed := *e
	changed.own, changed.wroteOwn = own, true
	d.set(path, &changed)
	return Result{Path: path, Stat: stat(own, e.kids, e.children)}
}

func (d *Draft) delete(c Caller, req *jute.Request) (Result, jute.Code) {
	parent, ok := parentOf(req.Path)
	if !ok || special(req.Path) {
		return Result{}, jute.BadArguments
	}
	up := d.get(parent)
	if up == nil {
		return Result{}, jute.NoNode
	}
	if !Allowed(up.own.ACL, jute.PermDelete, c.IDs) {
		return Result{}, jute.NoAuth
	}
	e := d.get(req.Path)
	switch {
	case e == nil:
		return Result{}, jute.NoNode
	case req.Version != -1 && req.Version != e.own.Version:
		return Result{}, jute.BadVersion
	case e.children > 0:
		return Result{}, jute.NotEmpty
	}
	d.take(req.Path)
	return Result{Path: req.Path}, jute.OK
}

// take removes a node that is there and has no children.
func (d *Draft) take(path string) {
	d.set(path, &entry{gone: true})
	if parent, ok := parentOf(path); ok {
		if up := d.get(parent); up != nil {
			d.setKids(parent, up, Kids{Created: up.kids.Created, Pzxid: d.zxid}, -1)
		}
	}
	d.events = append(d.events, Event{d.zxid, jute.EventDeleted, path})
}

// writable finds a node that the caller may do something with.
func (d *Draft) writable(c Caller, path string, perms jute.Perms) (*entry, jute.Code) {
	e := d.get(path)
	if e == nil {
		return nil, jute.NoNode
	}
	if !Allowed(e.own.ACL, perms, c.IDs) {
		return nil, jute.NoAuth
	}
	return e, jute.OK
}

func (d *Draft) setData(c Caller, req *jute.Request) (Result, jute.Code) {
	if !valid(req.Path) {
		return Result{}, jute.BadArguments
	}
	e, code := d.writable(c, req.Path, jute.PermWrite)
	if code != jute.OK {
		return Result{}, code
	}
	version, ok := next(e.own.Version, req.Version)
	if !ok {
		return Result{}, jute.BadVersion
	}
	own := *e.own
	own.Data, own.Version, own.Mzxid, own.Mtime = req.Data, version, d.zxid, d.nowMs
	d.events = append(d.events, Event{d.zxid, jute.EventDataChanged, req.Path})
	return d.setOwn(req.Path, e, &own), jute.OK
}

func (d *Draft) setACL(c Caller, req *jute.Request) (Result, jute.Code) {
	if !valid(req.Path) {
		return Result{}, jute.BadArguments
	}
	acl, ok := fixed(c.IDs, req.ACL)
	if !ok {
		return Result{}, jute.InvalidACL
	}
	e, code := d.writable(c, req.Path, jute.PermAdmin)
	if code != jute.OK {
		return Result{}, code
	}
	version, ok := next(e.own.Aversion, req.Version)
	if !ok {
		return Result{}, jute.BadVersion
	}
	own := *e.own
	own.ACL, own.Aversion = acl, version
	return d.setOwn(req.Path, e, &own), jute.OK
}

func (d *Draft) check(c Caller, req *jute.Request) (Result, jute.Code) {
	if !valid(req.Path) {
		return Result{}, jute.BadArguments
	}
	e, code := d.writable(c, req.Path, jute.PermRead)
	if code != jute.OK {
		return Result{}, code
	}
	if _, ok := next(e.own.Version, req.Version); !ok {
		return Result{}, jute.BadVersion
	}
	return Result{Path: req.Path}, jute.OK
}

// next is the version after one, if that is the one wanted; -1 wants any. It is never -1, for which nobody could ask.
func next(version, wanted int32) (int32, bool) {
	if wanted != -1 && wanted != version {
		return 0, false
	}
	if version+1 == -1 {
		return 0, true
	}
	return version + 1, true
}
