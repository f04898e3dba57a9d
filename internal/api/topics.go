package api

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
)

// topicRef is how a request names a topic: by name, or in newer versions by id (KIP-516).
type topicRef struct {
	name string
	id   ident.TopicID
	byID bool
}

// resolve finds the topic's name. By id it is that of the image; the code is UNKNOWN_TOPIC_ID or 0. A name
// is taken as it is: whether it exists is for the caller's room to say.
func (r topicRef) resolve(image *metadata.Image) (name string, code int16) {
	if !r.byID {
		return r.name, 0
	}
	topic := image.TopicByID(r.id)
	if topic == nil {
		return "", kerr.UnknownTopicID.Code
	}
	return topic.Name, 0
}

// missing is the code for a partition that is not served here: unknown to the cluster, or another broker's.
func missing(image *metadata.Image, tp ident.TopicPartition) int16 {
	if image.Partition(tp) == nil {
		return kerr.UnknownTopicOrPartition.Code
	}
	return kerr.NotLeaderForPartition.Code
}

// leaderNow is what clients are told beside NOT_LEADER_OR_FOLLOWER, so that they need not ask for metadata
// first (KIP-951): the leader and its epoch, both -1 when nobody knows.
func leaderNow(image *metadata.Image, tp ident.TopicPartition) (ident.BrokerID, int32) {
	p := image.Partition(tp)
	if p == nil {
		return ident.NoBroker, -1
	}
	return p.Leader, int32(p.LeaderEpoch)
}

// endpointOf is where clients of a listener reach a broker.
func endpointOf(image *metadata.Image, id ident.BrokerID, listener string) (*metadata.Broker, metadata.Endpoint, bool) {
	broker := image.Broker(id)
	if broker == nil {
		return nil, metadata.Endpoint{}, false
	}
	endpoint, ok := broker.Endpoint(listener)
	return broker, endpoint, ok
}

// rackOf is a broker's rack as responses have it: nil for none.
func rackOf(b *metadata.Broker) *string {
	if b.Rack == "" {
		return nil
	}
	return &b.Rack
}

// internalTopics are written by coordinators only.
var internalTopics = map[string]bool{
	"__consumer_offsets": true, "__transaction_state": true, "__share_group_state": true,
}
