// Package sim runs whole brokers under a seeded schedule of traffic and faults, in virtual time, and judges what the
// clients saw.
//
// A run lives in a testing/synctest bubble: the broker is the one that users run, its listeners are on a network in
// memory, its log directory on a disk in memory that can be crashed, its metadata in a store in memory. The seed
// decides the schedule, the delays and what a crash takes. Goroutines that are ready at the same virtual instant
// run in the order that Go's scheduler likes, so a seed gives nearly the same run each time and not exactly.
//
// What the checkers (package check) hold the broker to, with one replica: kill -9 loses nothing that was
// acknowledged; the crash of a machine may take what was not synced, and nothing on a topic with
// flush.messages=1; a destroyed store takes its records, is in the loss ledger, and gives no offset out twice.
//
//	go test ./sim                       200 seeds
//	go test ./sim -run Seeds -seed 4711 -v   one seed, with what happened
//	make sim SEEDS=10000                as many as asked for, from FROM on
package sim
