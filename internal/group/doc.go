// Package group is the group coordinator: classic consumer groups and their committed offsets, kept in
// __consumer_offsets in Kafka's own record formats.
//
// A request comes from the api room as a kmsg request with a callback for its response. Groups finds the
// partition of the group and hands a command to its shard (package coordinator); there a machine, which
// is pure, turns it into records and replies. JoinGroup and SyncGroup wait inside the machine as
// callbacks; no goroutine stands behind a waiting member.
//
// What of a group is durable is in its records: members with subscriptions and assignments once a
// generation is complete (GroupMetadata), and offsets (OffsetCommit). The rebalance in between is
// memory only, as in Kafka: after a failover members find their generation unknown or join again.
//
// The goroutines are the runtime's; Close ends them.
package group
