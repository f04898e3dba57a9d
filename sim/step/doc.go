// Package step is the simulator's first tier: the parts that decide (the controller's elections, replication's leaders,
// followers and in-sync sets, storage and its recovery) stepped one event after another by one scheduler with a
// seeded PRNG. No socket, no broker and no second goroutine at work: the same seed gives the same run, to the bit,
// which the hash of its trace shows.
//
// A run is of one of three kinds (Options): producers write a topic; the topic sets fsync.on.ack, and machines lose their
// power together; or the partition is that of a coordinator of groups, and consumers join, commit, stand still and are killed. Each may
// have machines with several log directories, between which replicas are moved, and which fail, come back and are destroyed alone. The
// coordinators' log may be compacted, and offsets expire and be deleted, groups too.
//
// What stands between those parts in a broker, and waits there in goroutines (registration, proposals, answers to the
// controller's questions), is done here by events: messages between machines and to the metadata store, that are
// delayed, lost, doubled and overtaken. Tier 2, in package sim, runs the brokers themselves.
package step
