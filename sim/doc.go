// Package sim runs whole brokers under a seeded schedule of traffic and faults, in virtual time, and judges what the
// clients saw.
//
// A run lives in a testing/synctest bubble: the brokers are those that users run, their listeners are on a network in
// memory, their log directories on disks in memory that can be crashed, their metadata in a store in memory. The seed
// decides the schedule, the delays and what a crash takes. Goroutines that are ready at the same virtual instant
// run in the order that Go's scheduler likes, so a seed gives nearly the same run each time and not exactly.
//
// There are runs of one broker (Run) and of three to five (RunCluster). What the checkers (package check) hold one
// broker to: kill -9 loses nothing that was acknowledged; the crash of a machine may take what was not synced, and
// nothing on a topic with flush.messages=1; a destroyed store takes its records, is in the loss ledger, and gives no
// offset out twice. Of a cluster: no record acknowledged with acks=all is lost while one copy that counts for its
// partition is whole, whatever the rest goes through; where a run destroys them all, the ledger says so. Leaders are
// one for each epoch, replicas hold the same below the high watermark, no idempotent producer is told of a gap, and
// a minute after the last fault every partition is led and written, with all replicas in sync.
//
// The promise is kept to by the faults (fates.go, truth.go): three runs of clusters in four spare the last whole copy
// of a partition, judged by the metadata store and the disks as they are at that moment.
//
// In some runs all machines of a cluster lose their power at once, twice (outage.go), the syncs that acknowledgements wait for
// being slow: topics with fsync.on.ack lose nothing then. In one of five brokers have two log directories, between which
// replicas are moved to and fro, and one of the two fails for a while, or is destroyed alone.
//
// One run in four has mostly topics of one replica, and brokers that leave safely and come back (homes.go): an only replica has to be at home
// again when all is well, unless an administrator moves replicas by hand.
//
// Keepers are wiped too, all of them or so many that what they agreed on last is lost, and all brokers but one at most die with
// them (keepers.go): what the brokers know has to be put back. Wall clocks are set, for the logs of one machine.
//
//	go test ./sim                       60 seeds of one broker, 60 of clusters
//	go test ./sim -run ClusterSeeds -seed 4711 -v   one seed, with what happened; -log adds the brokers' logs
//	make sim SEEDS=10000                as many as asked for, from FROM on
package sim
