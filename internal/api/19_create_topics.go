package api

import (
	"barnabas/internal/controller"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopics 2-7. Version 4 lets partitions and replication factor be -1, the broker's defaults (KIP-464), 5 is flexible and
// answers what was made with its configs (KIP-525), 6 may answer THROTTLING_QUOTA_EXCEEDED, 7 tells the topic id. A topic
// named twice is INVALID_REQUEST, once; so is the name that Kafka's own metadata log has. A topic that is answered without error has its leaders.

// clusterMetadataTopic is the log of Kafka's controllers. Nothing of that name is here, and clients must not make it.
const clusterMetadataTopic = "__cluster_metadata"

func (a *API) createTopics(c *Call, request *kmsg.CreateTopicsRequest) *kmsg.CreateTopicsResponse {
	response := kmsg.NewPtrCreateTopicsResponse()
	wanted, refused := a.creatable(c, request)
	response.Topics = refused
	ctx, cancel := within(request.TimeoutMillis)
	defer cancel()
	made, err := a.Controller.CreateTopics(ctx, wanted, request.ValidateOnly)
	if err != nil {
		for _, t := range wanted {
			response.Topics = append(response.Topics, refusedTopic(t.Name, codeOf(err), err.Error()))
		}
		return response
	}
	for _, t := range made {
		response.Topics = append(response.Topics, a.createdTopic(t))
	}
	return response
}

// creatable splits a request into what the controller is asked for and what is refused before.
func (a *API) creatable(c *Call, request *kmsg.CreateTopicsRequest) ([]controller.NewTopic, []kmsg.CreateTopicsResponseTopic) {
	times := make(map[string]int, len(request.Topics))
	for i := range request.Topics {
		times[request.Topics[i].Topic]++
	}
	var wanted []controller.NewTopic
	var refused []kmsg.CreateTopicsResponseTopic
	for i := range request.Topics {
		name := request.Topics[i].Topic
		switch {
		case times[name] > 1:
			refused = append(refused, refusedTopic(name, kerr.InvalidRequest.Code, "Duplicate topic name."))
			times[name] = -1 // told once
		case times[name] < 0:
		case name == clusterMetadataTopic:
			refused = append(refused, refusedTopic(name, kerr.InvalidRequest.Code,
				"Creation of internal topic "+name+" is prohibited."))
		case !a.authorized(c, opCreate, metadata.TopicResource, name):
			refused = append(refused, refusedTopic(name, kerr.TopicAuthorizationFailed.Code, "Authorization failed."))
		default:
			wanted = append(wanted, newTopic(&request.Topics[i]))
		}
	}
	return wanted, refused
}

func newTopic(in *kmsg.CreateTopicsRequestTopic) controller.NewTopic {
	t := controller.NewTopic{
		Name: in.Topic, Partitions: in.NumPartitions, ReplicationFactor: in.ReplicationFactor,
	}
	for _, assignment := range in.ReplicaAssignment {
		t.Assignments = append(t.Assignments, controller.Assignment{
			Partition: assignment.Partition, Replicas: toBrokers(assignment.Replicas),
		})
	}
	for _, entry := range in.Configs {
		t.Configs = append(t.Configs, controller.ConfigEntry{Name: entry.Name, Value: entry.Value})
	}
	return t
}

func toBrokers(ids []int32) []ident.BrokerID {
	out := make([]ident.BrokerID, len(ids))
	for i, id := range ids {
		out[i] = ident.BrokerID(id)
	}
	return out
}

func refusedTopic(name string, code int16, message string) kmsg.CreateTopicsResponseTopic {
	topic := kmsg.NewCreateTopicsResponseTopic()
	topic.Topic, topic.ErrorCode, topic.ErrorMessage = name, code, &message
	topic.NumPartitions, topic.ReplicationFactor = -1, -1
	topic.Configs = []kmsg.CreateTopicsResponseTopicConfig{} // empty and not null, as Kafka writes it
	return topic
}

func (a *API) createdTopic(t controller.CreatedTopic) kmsg.CreateTopicsResponseTopic {
	if t.Err != nil {
		return refusedTopic(t.Name, codeOf(t.Err), t.Err.Error())
	}
	topic := kmsg.NewCreateTopicsResponseTopic()
	topic.Topic, topic.TopicID = t.Name, t.ID
	topic.NumPartitions, topic.ReplicationFactor = t.Partitions, t.ReplicationFactor
	topic.Configs = a.createdConfigs(t)
	return topic
}
