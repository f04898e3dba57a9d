// Package replication keeps the partitions that this broker holds: who leads them, which replicas are in
// sync, and how far records are safe to show.
//
// It stands between the request handlers and the logs. A produce request comes in through
// [Partition.Append], which checks leadership and the minimum in-sync set before storage writes; a fetch,
// a consumer's or a follower's, comes in through [Partition.Read], bounded by the high watermark, the last
// stable offset or the log end. Whoever has to wait, for a high watermark or for more bytes, leaves a
// [Waiter] with each partition that it waits for.
//
// Decisions are pure and stand in files of their own: progress.go (how far a follower is), isr.go (who is in
// sync), high_watermark.go (what is safe), apply.go (what the cluster image asks of this broker). Replicas are
// named by broker and store, so that a broker which comes back with an empty disk is in no in-sync set.
//
// A partition has one mutex, held over appends and changes of role and never over a wait. Readers take no
// lock: they load the partition's view, an immutable snapshot. The package owns no goroutine.
package replication
