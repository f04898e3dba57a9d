// Package tree is ZooKeeper's data as a pure state machine: a Tree of nodes and sessions, a Draft in which requests are
// tried on top of it, the Delta that comes of them, and the Watches that a Delta fires. Time is an argument, nothing is
// waited for, and nothing is locked: a Tree has an owner who sees to that.
//
// The rules, the codes and the fields of Stat are ZooKeeper's 3.9. TTL nodes are allowed, quotas are not kept.
package tree
