package keeper

import (
	"time"
	_ "unsafe" // for go:linkname
)

// probeEvery is how often a member asks each other one, on two connections and over HTTP, how long an answer takes. etcd does
// so every four seconds, for a metric and a line in the log, and it is among the most of what an idle member does.
const probeEvery = time.Minute

// proberInterval is etcd's, which has no setting for it.
//
//go:linkname proberInterval go.etcd.io/etcd/server/v3/etcdserver/api/rafthttp.proberInterval
var proberInterval time.Duration

// etcdProbes is what etcd has by itself, 0 where a new release has it elsewhere: a test tells.
var etcdProbes time.Duration

func init() { etcdProbes, proberInterval = proberInterval, probeEvery }
