package api

import (
	"errors"

	"barnabas/internal/controller"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreatePartitions 0-3. Version 2 is flexible, 3 may answer THROTTLING_QUOTA_EXCEEDED. A topic named twice is
// INVALID_REQUEST, once.

func (a *API) createPartitions(c *Call, request *kmsg.CreatePartitionsRequest) *kmsg.CreatePartitionsResponse {
	response := kmsg.NewPtrCreatePartitionsResponse()
	answer := func(name string, code int16, message *string) {
		topic := kmsg.NewCreatePartitionsResponseTopic()
		topic.Topic, topic.ErrorCode, topic.ErrorMessage = name, code, message
		response.Topics = append(response.Topics, topic)
	}
	times := make(map[string]int, len(request.Topics))
	for i := range request.Topics {
		times[request.Topics[i].Topic]++
	}
	var wanted []controller.MorePartitions
	for i := range request.Topics {
		name := request.Topics[i].Topic
		switch {
		case times[name] > 1:
			message := "Duplicate topic name."
			answer(name, kerr.InvalidRequest.Code, &message)
			times[name] = -1 // told once
		case times[name] < 0:
		case !a.authorized(c, opAlter, metadata.TopicResource, name):
			answer(name, kerr.TopicAuthorizationFailed.Code, nil)
		default:
			wanted = append(wanted, morePartitions(&request.Topics[i]))
		}
	}
	ctx, cancel := within(request.TimeoutMillis)
	defer cancel()
	outcomes, err := a.Controller.CreatePartitions(ctx, wanted, request.ValidateOnly)
	for i, t := range wanted {
		outcome := err
		if err == nil {
			outcome = outcomes[i]
		}
		message := messageOf(outcome)
		if errors.Is(outcome, controller.ErrUnknownTopic) {
			message = nil // Kafka has no words for it here
		}
		answer(t.Topic, codeOf(outcome), message)
	}
	return response
}

func morePartitions(in *kmsg.CreatePartitionsRequestTopic) controller.MorePartitions {
	more := controller.MorePartitions{Topic: in.Topic, Count: in.Count}
	if in.Assignment == nil {
		return more
	}
	more.Assignments = make([][]ident.BrokerID, len(in.Assignment))
	for i, assignment := range in.Assignment {
		more.Assignments[i] = toBrokers(assignment.Replicas)
	}
	return more
}
