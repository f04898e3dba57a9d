package api

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterReplicaLogDirs 1-2 (KIP-113). Version 2 is flexible. The answer says that a replica's move has begun, not that it is
// done, which DescribeLogDirs shows. A partition that has no replica here, or not yet, is answered REPLICA_NOT_AVAILABLE, and
// its replica is made in that directory should it come.

func (a *API) alterReplicaLogDirs(c *Call, request *kmsg.AlterReplicaLogDirsRequest) *kmsg.AlterReplicaLogDirsResponse {
	response := kmsg.NewPtrAlterReplicaLogDirsResponse()
	allowed := a.authorized(c, opAlter, metadata.BrokerResource, "")
	at := make(map[string]int)
	for _, d := range request.Dirs {
		for _, t := range d.Topics {
			if len(t.Partitions) == 0 {
				continue // Kafka says nothing of it
			}
			i, known := at[t.Topic]
			if !known {
				i = len(response.Topics)
				at[t.Topic] = i
				topic := kmsg.NewAlterReplicaLogDirsResponseTopic()
				topic.Topic = t.Topic
				response.Topics = append(response.Topics, topic)
			}
			for _, n := range t.Partitions {
				answer := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
				answer.Partition, answer.ErrorCode = n, kerr.ClusterAuthorizationFailed.Code
				if allowed {
					answer.ErrorCode = a.moveReplica(c, ident.TopicPartition{Topic: t.Topic, Partition: n}, d.Dir)
				}
				response.Topics[i].Partitions = append(response.Topics[i].Partitions, answer)
			}
		}
	}
	return response
}

func (a *API) moveReplica(c *Call, tp ident.TopicPartition, dir string) int16 {
	err := a.Partitions.MoveReplica(tp, dir)
	if err != nil {
		c.logger().Warn("replica is not moved", "partition", tp.String(), "to", dir, "error", err)
	}
	return codeOf(err)
}
