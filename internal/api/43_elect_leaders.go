package api

import (
	"fmt"

	"barnabas/internal/controller"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ElectLeaders 0-2 (KIP-183, KIP-460). Version 1 adds the election's type: preferred, or unclean; in version 0 all are
// preferred. 2 is flexible. Null topics ask for all partitions; then those that need no election are not told.

func (a *API) electLeaders(c *Call, request *kmsg.ElectLeadersRequest) *kmsg.ElectLeadersResponse {
	response := kmsg.NewPtrElectLeadersResponse()
	if !a.authorized(c, opAlter, metadata.BrokerResource, "") {
		response.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return response
	}
	if kind := controller.ElectionType(request.ElectionType); !kind.Known() {
		refuseElections(request, response)
		return response
	}
	ctx, cancel := within(request.TimeoutMillis)
	defer cancel()
	outcomes, err := a.Controller.ElectLeaders(ctx, controller.ElectionType(request.ElectionType), elections(request))
	if err != nil {
		response.ErrorCode = codeOf(err)
		return response
	}
	for _, outcome := range outcomes { // those of a topic follow each other
		last := len(response.Topics) - 1
		if last < 0 || response.Topics[last].Topic != outcome.Topic {
			t := kmsg.NewElectLeadersResponseTopic()
			t.Topic = outcome.Topic
			response.Topics, last = append(response.Topics, t), last+1
		}
		p := kmsg.NewElectLeadersResponseTopicPartition()
		p.Partition, p.ErrorCode, p.ErrorMessage = outcome.Partition, codeOf(outcome.Err), messageOf(outcome.Err)
		response.Topics[last].Partitions = append(response.Topics[last].Partitions, p)
	}
	if request.Topics == nil {
		a.addUnneeded(response)
	}
	return response
}

// addUnneeded adds the topics of which no partition needed an election, as Kafka does.
func (a *API) addUnneeded(response *kmsg.ElectLeadersResponse) {
	named := map[string]bool{}
	for _, t := range response.Topics {
		named[t.Topic] = true
	}
	for topic := range a.Metadata.Current().Topics() {
		if !named[topic.Name] {
			t := kmsg.NewElectLeadersResponseTopic()
			t.Topic = topic.Name
			response.Topics = append(response.Topics, t)
		}
	}
}

// refuseElections answers a request of a kind that nobody knows: as a whole, and for each partition named.
func refuseElections(request *kmsg.ElectLeadersRequest, response *kmsg.ElectLeadersResponse) {
	response.ErrorCode = kerr.InvalidRequest.Code
	why := fmt.Sprintf("Unknown election type %d", request.ElectionType)
	for _, t := range request.Topics {
		topic := kmsg.NewElectLeadersResponseTopic()
		topic.Topic = t.Topic
		for _, n := range t.Partitions {
			p := kmsg.NewElectLeadersResponseTopicPartition()
			p.Partition, p.ErrorCode, p.ErrorMessage = n, kerr.InvalidRequest.Code, &why
			topic.Partitions = append(topic.Partitions, p)
		}
		response.Topics = append(response.Topics, topic)
	}
}

// elections are the partitions asked for, nil for all.
func elections(request *kmsg.ElectLeadersRequest) []controller.Election {
	if request.Topics == nil {
		return nil
	}
	wanted := []controller.Election{}
	for _, t := range request.Topics {
		for _, p := range t.Partitions {
			wanted = append(wanted, controller.Election{Topic: t.Topic, Partition: p})
		}
	}
	return wanted
}
