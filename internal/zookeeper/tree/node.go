package tree

import (
	"math"

	"barnabas/internal/zookeeper/jute"
)

// Own is what belongs to a node itself. It is not changed once it is in a Tree.
type Own struct {
	Data []byte
	ACL  []jute.ACL
	// Czxid and Mzxid are the changes that made the node and last wrote its data, Ctime and Mtime their times in
	// milliseconds since 1970.
	Czxid, Mzxid, Ctime, Mtime int64
	Version, Aversion          int32
	// Owner is the session of an ephemeral node, 0 for a persistent one, or tells a container or a TTL node.
	Owner int64
}

// Kids is what a node knows of its children's coming and going.
type Kids struct {
	// Created counts the children ever created; it numbers sequential ones.
	Created int32
	// Pzxid is the last change of the set of children.
	Pzxid int64
}

// node is a node in a Tree.
type node struct {
	own      *Own
	kids     Kids
	children map[string]struct{}
}

func (n *node) stat() jute.Stat { return stat(n.own, n.kids, len(n.children)) }

// stat is what a client is told. Its cversion counts creations and deletions of children: every deletion had a
// creation, so there were as many as creations less the children left.
func stat(own *Own, kids Kids, children int) jute.Stat {
	return jute.Stat{
		Czxid: own.Czxid, Mzxid: own.Mzxid, Ctime: own.Ctime, Mtime: own.Mtime,
		Version: own.Version, Cversion: kids.Created*2 - int32(children), Aversion: own.Aversion,
		EphemeralOwner: own.Owner, DataLength: int32(len(own.Data)), NumChildren: int32(children), Pzxid: kids.Pzxid,
	}
}

// The owners that are no session.
const (
	containerOwner int64  = math.MinInt64
	ttlMask        uint64 = 0xff << 56
	// maxTTL is 40 bits of milliseconds, about 34 years.
	maxTTL int64 = 1<<40 - 1
)

func ttlOwner(ttl int64) int64 { return int64(ttlMask | uint64(ttl)) }

// ttlOf is a TTL node's time to live in milliseconds.
func ttlOf(owner int64) (int64, bool) {
	if uint64(owner)&ttlMask != ttlMask {
		return 0, false
	}
	return owner & maxTTL, true
}

// Ephemeral says whether a node with that owner vanishes with a session.
func Ephemeral(owner int64) bool {
	return owner != 0 && owner != containerOwner && uint64(owner)&ttlMask != ttlMask
}
