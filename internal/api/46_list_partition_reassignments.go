package api

import (
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListPartitionReassignments 0 (KIP-455): which partitions are being moved, of those asked for or, with null topics, of
// all. One that is not being moved, or does not exist, is left out. The controller answers, so that whoever has
// begun a reassignment sees it. Flexible.

func (a *API) listReassignments(
	c *Call, request *kmsg.ListPartitionReassignmentsRequest,
) *kmsg.ListPartitionReassignmentsResponse {
	response := kmsg.NewPtrListPartitionReassignmentsResponse()
	if !a.authorized(c, opDescribe, metadata.BrokerResource, "") {
		response.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return response
	}
	image := a.Metadata.Current()
	if request.Topics == nil {
		for topic := range image.Topics() {
			var moving kmsg.ListPartitionReassignmentsResponseTopic
			for n, p := range topic.Partitions() {
				addReassignment(&moving, n, p)
			}
			addMoving(response, topic.Name, moving)
		}
		return response
	}
	for _, t := range request.Topics {
		topic := image.Topic(t.Topic)
		if topic == nil {
			continue
		}
		var moving kmsg.ListPartitionReassignmentsResponseTopic
		for _, n := range t.Partitions {
			if p := topic.Partition(n); p != nil {
				addReassignment(&moving, n, p)
			}
		}
		addMoving(response, topic.Name, moving)
	}
	return response
}

func addReassignment(to *kmsg.ListPartitionReassignmentsResponseTopic, n int32, p *metadata.Partition) {
	if !p.Reassigning() {
		return
	}
	out := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
	out.Partition = n
	out.Replicas, out.AddingReplicas, out.RemovingReplicas = brokerIDs(p.Replicas), brokerIDs(p.Adding), brokerIDs(p.Removing)
	to.Partitions = append(to.Partitions, out)
}

func addMoving(
	response *kmsg.ListPartitionReassignmentsResponse, name string, moving kmsg.ListPartitionReassignmentsResponseTopic,
) {
	if len(moving.Partitions) > 0 {
		moving.Topic = name
		response.Topics = append(response.Topics, moving)
	}
}
