package api

import (
	"slices"

	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Metadata 0-13. In version 0 an empty list asks for all topics; later null does, and an empty list asks for none.
// Version 4 says whether topics may be made, 5 tells offline replicas, 7 leader epochs, 8 authorized operations, 9 is
// flexible, 10 tells topic ids and 12 asks by them (KIP-516), 13 has an error of its own (KIP-1102). A topic that
// does not exist is made if the client and auto.create.topics.enable allow it: the answer is UNKNOWN_TOPIC_OR_PARTITION,
// and the client asks again.

func (a *API) metadata(c *Call, request *kmsg.MetadataRequest) *kmsg.MetadataResponse {
	all := request.Topics == nil || request.Version == 0 && len(request.Topics) == 0
	byID := slices.ContainsFunc(request.Topics, func(t kmsg.MetadataRequestTopic) bool { return t.TopicID != [16]byte{} })
	switch {
	case request.Version < 12 && (byID || slices.ContainsFunc(request.Topics, isNameless)):
		return refuseTopics(request)
	case byID: // then names count for nothing: Java's clients send empty ones
		request.Topics = withIDs(request.Topics)
	}
	m := metadataCall{api: a, call: c, image: a.Metadata.Current()}
	response := kmsg.NewPtrMetadataResponse()
	m.addCluster(response)
	if all {
		for t := range m.image.Topics() {
			response.Topics = append(response.Topics, m.describe(t))
		}
	} else {
		response.Topics = m.named(request.Topics)
		if !byID {
			m.autoCreate(request)
		}
	}
	m.addOperations(request, response)
	return response
}

func isNameless(t kmsg.MetadataRequestTopic) bool { return t.Topic == nil }

// withIDs leaves what is asked for by id, and of it the id alone.
func withIDs(topics []kmsg.MetadataRequestTopic) []kmsg.MetadataRequestTopic {
	var left []kmsg.MetadataRequestTopic
	for _, t := range topics {
		if t.TopicID != [16]byte{} {
			left = append(left, kmsg.MetadataRequestTopic{TopicID: t.TopicID})
		}
	}
	return left
}

// refuseTopics answers who asks by id in a version that has ids only in its answers.
func refuseTopics(request *kmsg.MetadataRequest) *kmsg.MetadataResponse {
	response := kmsg.NewPtrMetadataResponse()
	for _, t := range request.Topics {
		topic, name := kmsg.NewMetadataResponseTopic(), ""
		if t.Topic != nil {
			name = *t.Topic
		}
		topic.Topic, topic.TopicID, topic.ErrorCode = &name, t.TopicID, kerr.InvalidRequest.Code
		response.Topics = append(response.Topics, topic)
	}
	return response
}

// automatic is a topic with the broker's defaults; internal ones have settings of their own.
func (a *API) automatic(name string) controller.NewTopic {
	if t, ok := a.InternalTopic(name); ok {
		return t
	}
	return controller.NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1}
}

// metadataCall is a Metadata request being answered from one image.
type metadataCall struct {
	api   *API
	call  *Call
	image *metadata.Image
}

func (m *metadataCall) addCluster(response *kmsg.MetadataResponse) {
	id := m.image.ClusterID().String()
	response.ClusterID = &id
	response.ControllerID = int32(m.api.controllerFor(m.image, m.call.Client.Listener))
	for _, b := range m.image.Brokers() {
		endpoint, ok := b.Endpoint(m.call.Client.Listener)
		if !ok {
			continue
		}
		node := kmsg.NewMetadataResponseBroker()
		node.NodeID, node.Host, node.Port, node.Rack = int32(b.ID), endpoint.Host, endpoint.Port, rackOf(b)
		response.Brokers = append(response.Brokers, node)
	}
}

// controllerFor is whom a client shall take for the controller: the one that is, or this broker, which passes requests on, while
// there is none that the client could dial. Without any, clients wait and ask nobody.
func (a *API) controllerFor(image *metadata.Image, listener string) ident.BrokerID {
	if _, _, ok := endpointOf(image, image.ControllerID(), listener); ok {
		return image.ControllerID()
	}
	return a.Broker
}

// autoCreate has the topics made that are asked for by name and do not exist. What goes wrong shows in the next
// answer: the topic isn't there.
func (m *metadataCall) autoCreate(request *kmsg.MetadataRequest) {
	if !(request.AllowAutoTopicCreation || request.Version < 4) || !config.AutoCreateTopics.In(m.api.Config()) {
		return
	}
	for _, t := range request.Topics {
		if m.image.Topic(*t.Topic) == nil && m.api.creatableByAsking(m.call, *t.Topic) {
			m.api.creations.want(m.api.automatic(*t.Topic), m.call.logger())
		}
	}
}

// creatableByAsking leaves out the topic of transactions and that of share groups, which would be made as if anybody wrote to them.
func (a *API) creatableByAsking(c *Call, name string) bool {
	_, ours := a.InternalTopic(name)
	return (ours || !internalTopics[name]) && controller.CheckTopicName(name) == nil && name != clusterMetadataTopic &&
		a.authorized(c, opCreate, metadata.TopicResource, name)
}

// named answers for the topics asked for, each once.
func (m *metadataCall) named(wanted []kmsg.MetadataRequestTopic) []kmsg.MetadataResponseTopic {
	topics := make([]kmsg.MetadataResponseTopic, 0, len(wanted))
	seen := make(map[topicRef]bool, len(wanted))
	for i := range wanted {
		ref := topicRef{id: wanted[i].TopicID}
		if wanted[i].Topic != nil {
			ref = topicRef{name: *wanted[i].Topic}
		}
		if seen[ref] {
			continue
		}
		seen[ref] = true
		topics = append(topics, m.find(&wanted[i]))
	}
	return topics
}

func (m *metadataCall) find(wanted *kmsg.MetadataRequestTopic) kmsg.MetadataResponseTopic {
	missing := kmsg.NewMetadataResponseTopic()
	missing.Topic, missing.TopicID = wanted.Topic, wanted.TopicID
	if wanted.Topic == nil {
		if t := m.image.TopicByID(wanted.TopicID); t != nil {
			return m.describe(t)
		}
		missing.ErrorCode = kerr.UnknownTopicID.Code
		return missing
	}
	name := *wanted.Topic
	if t := m.image.Topic(name); t != nil {
		return m.describe(t)
	}
	missing.TopicID, missing.IsInternal = ident.TopicID{}, internalTopics[name]
	missing.ErrorCode = kerr.UnknownTopicOrPartition.Code
	if controller.CheckTopicName(name) != nil {
		missing.ErrorCode = kerr.InvalidTopicException.Code
	}
	return missing
}

func (m *metadataCall) describe(t *metadata.Topic) kmsg.MetadataResponseTopic {
	topic := kmsg.NewMetadataResponseTopic()
	topic.Topic, topic.TopicID, topic.IsInternal = &t.Name, t.ID, internalTopics[t.Name]
	topic.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, t.NumPartitions())
	for n, p := range t.Partitions() {
		partition := kmsg.NewMetadataResponseTopicPartition()
		partition.Partition = n
		partition.ErrorCode, partition.Leader = m.leader(p)
		partition.LeaderEpoch = int32(p.LeaderEpoch)
		partition.Replicas, partition.ISR = brokerIDs(p.Replicas), memberIDs(p.ISR)
		partition.OfflineReplicas = m.offline(p)
		if m.call.Header.Key == keyMetadata && m.call.Header.Version == 0 {
			m.onlyAlive(&partition)
		}
		topic.Partitions = append(topic.Partitions, partition)
	}
	return topic
}

// leader is a partition's leader as the client's listener has it, or why it has none.
func (m *metadataCall) leader(p *metadata.Partition) (code int16, leader int32) {
	if m.image.Broker(p.Leader) == nil {
		return kerr.LeaderNotAvailable.Code, -1
	}
	if _, _, ok := endpointOf(m.image, p.Leader, m.call.Client.Listener); ok {
		return 0, int32(p.Leader)
	}
	if m.call.Header.Key == keyMetadata && m.call.Header.Version < 6 {
		return kerr.LeaderNotAvailable.Code, -1
	}
	return kerr.ListenerNotFound.Code, -1
}

// onlyAlive leaves out the replicas whose broker isn't there, which is an error for clients of version 0.
func (m *metadataCall) onlyAlive(partition *kmsg.MetadataResponseTopicPartition) {
	absent := func(id int32) bool {
		_, _, ok := endpointOf(m.image, ident.BrokerID(id), m.call.Client.Listener)
		return !ok
	}
	all := len(partition.Replicas) + len(partition.ISR)
	partition.Replicas = slices.DeleteFunc(partition.Replicas, absent)
	partition.ISR = slices.DeleteFunc(partition.ISR, absent)
	if partition.ErrorCode == 0 && len(partition.Replicas)+len(partition.ISR) < all {
		partition.ErrorCode = kerr.ReplicaNotAvailable.Code
	}
}

// offline are the replicas whose broker isn't there, or is there without the store that held the copy.
func (m *metadataCall) offline(p *metadata.Partition) []int32 {
	offline := []int32{}
	for _, id := range p.Replicas {
		broker := m.image.Broker(id)
		member, inSync := p.InISR(id)
		if broker == nil || inSync && !member.Store.IsZero() && !broker.HasStore(member.Store) {
			offline = append(offline, int32(id))
		}
	}
	return offline
}

func (m *metadataCall) addOperations(request *kmsg.MetadataRequest, response *kmsg.MetadataResponse) {
	if request.IncludeClusterAuthorizedOperations {
		response.AuthorizedOperations = clusterOperations
	}
	for i := range response.Topics {
		if request.IncludeTopicAuthorizedOperations && response.Topics[i].ErrorCode != kerr.UnknownTopicID.Code {
			response.Topics[i].AuthorizedOperations = topicOperations
		}
	}
}

func brokerIDs(ids []ident.BrokerID) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		out[i] = int32(id)
	}
	return out
}

func memberIDs(members []metadata.Member) []int32 {
	out := make([]int32, len(members))
	for i, m := range members {
		out[i] = int32(m.Broker)
	}
	return out
}
