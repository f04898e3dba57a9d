package keeper

import (
	_ "unsafe" // for go:linkname

	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/raft/v3"
)

// raftStatus is etcd's, which shows it to nobody else.
//
//go:linkname raftStatus go.etcd.io/etcd/server/v3/etcdserver.(*EtcdServer).raftStatus
func raftStatus(*etcdserver.EtcdServer) raft.Status

// progressOf is how far a leader knows a member's log to have been on its disk; 0 where it has not heard of it since it leads, or does
// not lead.
func progressOf(server *etcdServer, member uint64) uint64 {
	return raftStatus(server).Progress[member].Match
}
