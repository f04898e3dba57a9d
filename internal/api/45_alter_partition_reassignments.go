package api

import (
	"barnabas/internal/controller"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartitionReassignments 0-1 (KIP-455): other replicas for partitions, or with null replicas the end of the
// reassignment under way. Version 1 can refuse to change the number of replicas (KIP-860); 0 never does. Flexible.

func (a *API) alterReassignments(
	c *Call, request *kmsg.AlterPartitionAssignmentsRequest,
) *kmsg.AlterPartitionAssignmentsResponse {
	response := kmsg.NewPtrAlterPartitionAssignmentsResponse()
	response.AllowReplicationFactorChange = request.AllowReplicationFactorChange
	if !a.authorized(c, opAlter, metadata.BrokerResource, "") {
		response.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return response
	}
	ctx, cancel := within(request.TimeoutMillis)
	defer cancel()
	allow := request.AllowReplicationFactorChange || request.GetVersion() == 0
	outcomes, err := a.Controller.AlterReassignments(ctx, reassignments(request), allow)
	if err != nil {
		response.ErrorCode, response.ErrorMessage = codeOf(err), messageOf(err)
		return response
	}
	for _, t := range request.Topics {
		topic := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			partition := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			partition.Partition = p.Partition
			partition.ErrorCode, partition.ErrorMessage = codeOf(outcomes[0]), messageOf(outcomes[0])
			topic.Partitions = append(topic.Partitions, partition)
			outcomes = outcomes[1:]
		}
		response.Topics = append(response.Topics, topic)
	}
	return response
}

func reassignments(request *kmsg.AlterPartitionAssignmentsRequest) (wanted []controller.Reassignment) {
	for _, t := range request.Topics {
		for _, p := range t.Partitions {
			w := controller.Reassignment{Topic: t.Topic, Partition: p.Partition}
			if p.Replicas != nil {
				w.Replicas = make([]ident.BrokerID, len(p.Replicas))
				for i, id := range p.Replicas {
					w.Replicas[i] = ident.BrokerID(id)
				}
			}
			wanted = append(wanted, w)
		}
	}
	return wanted
}
