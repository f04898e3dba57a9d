package api

import (
	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/ident"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteTopics 1-6. Version 3 may answer TOPIC_DELETION_DISABLED, 4 is flexible, 5 adds error messages, 6 names topics by
// id too (KIP-516). Naming a topic twice, by both, or by neither is INVALID_REQUEST for that topic.

func (a *API) deleteTopics(c *Call, request *kmsg.DeleteTopicsRequest) *kmsg.DeleteTopicsResponse {
	response := kmsg.NewPtrDeleteTopicsResponse()
	var wanted []controller.TopicRef
	for _, name := range request.TopicNames {
		wanted = append(wanted, controller.TopicRef{Name: name})
	}
	for _, t := range request.Topics {
		ref := controller.TopicRef{ID: t.TopicID}
		if t.Topic != nil {
			ref.Name = *t.Topic
		}
		wanted = append(wanted, ref)
	}
	if !config.DeleteTopicEnable.In(a.Config()) {
		refuseDeletion(c, wanted, response)
		return response
	}
	ctx, cancel := within(request.TimeoutMillis)
	defer cancel()
	deleted, err := a.Controller.DeleteTopics(ctx, wanted)
	if err != nil {
		for _, t := range wanted {
			response.Topics = append(response.Topics, deletedTopic(t.Name, t.ID, codeOf(err), messageOf(err)))
		}
		return response
	}
	for _, t := range deleted {
		response.Topics = append(response.Topics, deletedTopic(t.Name, t.ID, codeOf(t.Err), messageOf(t.Err)))
	}
	return response
}

func refuseDeletion(c *Call, wanted []controller.TopicRef, response *kmsg.DeleteTopicsResponse) {
	code := kerr.TopicDeletionDisabled.Code
	if c.Header.Version < 3 {
		code = kerr.InvalidRequest.Code
	}
	message := "Topic deletion is disabled."
	for _, t := range wanted {
		response.Topics = append(response.Topics, deletedTopic(t.Name, t.ID, code, &message))
	}
}

func deletedTopic(name string, id ident.TopicID, code int16, message *string) kmsg.DeleteTopicsResponseTopic {
	topic := kmsg.NewDeleteTopicsResponseTopic()
	topic.TopicID, topic.ErrorCode, topic.ErrorMessage = id, code, message
	if name != "" {
		topic.Topic = &name
	}
	return topic
}
