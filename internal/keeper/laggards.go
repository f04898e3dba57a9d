package keeper

import (
	"time"
	_ "unsafe" // for go:linkname
)

// laggardsEvery is how often a member looks whether there are watches that have fallen behind: those that were begun anew at
// another keeper and have missed something. etcd does so every 100 ms, and a quarter of what wakes up an idle member was that.
// Such a watch hears what it has missed 50 ms later than it would, on average.
const laggardsEvery = 200 * time.Millisecond

// watchResyncPeriod is etcd's, which has no setting for it.
//
//go:linkname watchResyncPeriod go.etcd.io/etcd/server/v3/storage/mvcc.watchResyncPeriod
var watchResyncPeriod time.Duration

// etcdLaggards is what etcd has by itself, 0 where a new release has it elsewhere: a test tells.
var etcdLaggards time.Duration

func init() { etcdLaggards, watchResyncPeriod = watchResyncPeriod, laggardsEvery }
