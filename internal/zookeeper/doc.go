// Package zookeeper is the ZooKeeper face of a keeper: its protocol for old tools and libraries, with the data kept in
// the metadata store.
//
// Every keeper holds a copy of the tree, which the store's watch keeps up to date, and reads are answered from it. Writes
// of all connections go to one goroutine, which tries as many as are there on top of the copy and commits them in one
// transaction, on the condition that the head, a key that every transaction writes, is still the one that the copy knows.
// So transactions of all keepers form one line, and a keeper that was overtaken tries again on what is new. The head holds
// the zxid and what happened in which order; replies and watch events leave when the change comes back by watch, in
// that order, so that nobody sees a change before its events.
//
// A session belongs to the keeper that its client is connected to, and moves with it. Each keeper hangs a key on a lease;
// when that goes, the others let its sessions live for their timeout, and end those that nobody has taken.
//
// Goroutines: the replica's loop, the writer and the clock belong to Server; a connection's reader is its caller's, and
// its sender ends with it.
package zookeeper
