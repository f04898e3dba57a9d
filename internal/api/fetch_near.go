package api

import (
	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/replication"
)

// near is the replica that a consumer had better read from (KIP-392): of those in sync that are in the rack that it names, and
// that it can reach, the one that has copied furthest. Nobody where the leader, which is asked, is in that rack.
func (f *fetchCall) near(r *fetched) ident.BrokerID {
	if f.rack == "" || f.follower != ident.NoBroker || !config.ReadsNear(f.api.Config()) {
		return ident.NoBroker
	}
	leader, _ := leaderNow(f.image, ident.TopicPartition{Topic: r.topic, Partition: r.at.partition})
	if broker := f.image.Broker(leader); broker == nil || broker.Rack == f.rack {
		return ident.NoBroker
	}
	best := replication.Reader{Broker: ident.NoBroker}
	var room [8]replication.Reader
	for _, reader := range r.partition.Readers(record.Offset(r.at.offset), room[:0]) {
		broker, _, reachable := endpointOf(f.image, reader.Broker, f.call.Client.Listener)
		if !reachable || broker.Rack != f.rack || broker.Leaving {
			continue
		}
		if best.Broker == ident.NoBroker || further(reader, best) {
			best = reader
		}
	}
	return best.Broker
}

// further puts the longer log first, then the one that was level last.
func further(a, b replication.Reader) bool {
	if a.LogEnd != b.LogEnd {
		return a.LogEnd > b.LogEnd
	}
	return a.CaughtUp.After(b.CaughtUp)
}
