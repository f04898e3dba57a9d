package api

import (
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeQuorum 0-2 (KIP-595). There is no __cluster_metadata log: the keepers hold the metadata. The answer is what a tool wants
// to know all the same: the leader is the elected controller, its epoch the number of that election, the high watermark the
// revision of the metadata; brokers follow it as observers. Version 1 adds timestamps, 2 directories and nodes (KIP-853).

const metadataTopic = "__cluster_metadata"

func (a *API) describeQuorum(c *Call, request *kmsg.DescribeQuorumRequest) *kmsg.DescribeQuorumResponse {
	response := kmsg.NewPtrDescribeQuorumResponse()
	if !a.authorized(c, opDescribe, metadata.BrokerResource, "") {
		response.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return response
	}
	image := a.Metadata.Current()
	metadataAlone := asksForMetadataAlone(request)
	for _, t := range request.Topics {
		topic := kmsg.NewDescribeQuorumResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			partition := kmsg.NewDescribeQuorumResponseTopicPartition()
			partition.Partition = p.Partition
			if metadataAlone {
				a.quorum(image, &partition)
			} else {
				partition.ErrorCode = kerr.UnknownTopicOrPartition.Code
				partition.ErrorMessage = &kerr.UnknownTopicOrPartition.Description
			}
			topic.Partitions = append(topic.Partitions, partition)
		}
		response.Topics = append(response.Topics, topic)
	}
	if metadataAlone {
		a.quorumNodes(image, response)
	} else {
		response.ErrorMessage = new(string) // empty: the partitions have the words
	}
	return response
}

// asksForMetadataAlone reports whether the one partition that has a quorum is asked for, and no other: Kafka answers nothing else.
func asksForMetadataAlone(request *kmsg.DescribeQuorumRequest) bool {
	return len(request.Topics) == 1 && request.Topics[0].Topic == metadataTopic &&
		len(request.Topics[0].Partitions) == 1 && request.Topics[0].Partitions[0].Partition == 0
}

// quorum tells of the controller as the one voter, and of each broker by the revision that this one
// knows it to have: its own.
func (a *API) quorum(image *metadata.Image, out *kmsg.DescribeQuorumResponseTopicPartition) {
	leader := image.Controller()
	now := a.Clock().UnixMilli()
	out.LeaderID, out.LeaderEpoch = int32(leader.Broker), int32(leader.Epoch)
	out.HighWatermark = int64(image.Revision())
	for _, b := range image.Brokers() {
		state := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		state.ReplicaID, state.LogEndOffset = int32(b.ID), int64(image.Revision())
		state.LastFetchTimestamp, state.LastCaughtUpTimestamp = now, now
		if b.ID == leader.Broker {
			out.CurrentVoters = append(out.CurrentVoters, state)
			continue
		}
		out.Observers = append(out.Observers, state)
	}
}

func (a *API) quorumNodes(image *metadata.Image, response *kmsg.DescribeQuorumResponse) {
	for _, b := range image.Brokers() {
		if b.ID != image.ControllerID() {
			continue
		}
		node := kmsg.NewDescribeQuorumResponseNode()
		node.NodeID = int32(b.ID)
		for _, e := range b.Endpoints {
			listener := kmsg.NewDescribeQuorumResponseNodeListener()
			listener.Name, listener.Host, listener.Port = e.Listener, e.Host, uint16(e.Port)
			node.Listeners = append(node.Listeners, listener)
		}
		response.Nodes = append(response.Nodes, node)
	}
}
