package metrics

// Replication are the counters of changes to in-sync sets and leaders. The zero value is ready.
type Replication struct {
	ISRShrinks       Counter // a follower fell behind
	ISRExpands       Counter // a follower caught up
	FailedISRUpdates Counter // the metadata store refused the change
	Elections        Counter // leaders elected by this broker as the controller
	UncleanElections Counter // of replicas that may lack acknowledged records
	LostOffsets      Counter // offsets whose records were on no surviving store
}

// Collect writes the counters under Kafka's names; lost records, which Kafka does not count, have a name of ours.
func (r *Replication) Collect(w *Writer) {
	for _, family := range []struct {
		name, help string
		value      *Counter
	}{
		{"kafka_server_replicamanager_isrshrinks_total", "Followers that left an in-sync set.", &r.ISRShrinks},
		{"kafka_server_replicamanager_isrexpands_total", "Followers that joined an in-sync set.", &r.ISRExpands},
		{"kafka_server_replicamanager_failedisrupdates_total", "Changes of an in-sync set that were refused.", &r.FailedISRUpdates},
		{"kafka_controller_controllerstats_leaderelection_total", "Leaders elected by this controller.", &r.Elections},
		{"kafka_controller_controllerstats_uncleanleaderelections_total", "Leaders elected that may lack acknowledged records.", &r.UncleanElections},
		{"barnabas_lost_offsets_total", "Offsets whose records were on no surviving store.", &r.LostOffsets},
	} {
		w.Family(family.name, CounterType, family.help)
		w.Count(family.value.Load())
	}
}
