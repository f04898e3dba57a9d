// Package keeper is the life of a keeper: an etcd member inside this process, which holds the
// cluster's metadata behind the port that ZooKeeper has. For one process it is an ensemble of one,
// in a directory of its own, that listens nowhere unless told to; the process reaches it by function
// calls. Dial reaches keepers, or an etcd cluster of somebody else's, over the network, by the same Store.
//
// A Keeper's goroutines are etcd's, and those of its listener; all end with Stop.
package keeper
