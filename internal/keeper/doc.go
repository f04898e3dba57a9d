// Package keeper is the life of a keeper: an etcd member inside this process, which holds the
// cluster's metadata behind the port that ZooKeeper has. For one process it is an ensemble of one,
// in a directory of its own, that listens nowhere unless told to; the process reaches it by function
// calls. Dial reaches keepers, or an etcd cluster of somebody else's, over the network, by the same Store.
//
// A Keeper is such an ensemble of one; a Member is one of several, whose life (roll-call, founding, serving, recovery, succession) is one
// goroutine, live. Their other goroutines are etcd's, those of the listeners, the upkeep, and those that ask other keepers; all end with Stop.
package keeper
