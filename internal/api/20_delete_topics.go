package api

import (
	"slices"

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
		if name == "" {
			response.Topics = append(response.Topics, namelessTopic(ident.TopicID{}))
			continue
		}
		wanted = append(wanted, controller.TopicRef{Name: name})
	}
	for _, t := range request.Topics {
		ref := controller.TopicRef{ID: t.TopicID}
		if t.Topic != nil {
			ref.Name = *t.Topic
		}
		if t.Topic != nil && ref.Name == "" {
			response.Topics = append(response.Topics, namelessTopic(t.TopicID))
			continue
		}
		wanted = append(wanted, ref)
	}
	wanted, response.Topics = a.namedTwice(wanted, response.Topics)
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

// namedTwice takes out the topics that are called by their names and by their ids in one request: nobody can mean that, and neither is
// deleted.
func (a *API) namedTwice(
	wanted []controller.TopicRef, answers []kmsg.DeleteTopicsResponseTopic,
) ([]controller.TopicRef, []kmsg.DeleteTopicsResponseTopic) {
	image, none := a.Metadata.Current(), ident.TopicID{}
	meant := func(ref controller.TopicRef) ident.TopicID {
		if ref.Name == "" {
			return ref.ID
		}
		if t := image.Topic(ref.Name); t != nil && ref.ID == none {
			return t.ID
		}
		return none // there is none, or it is called by both at once, which the controller refuses
	}
	byID, twice := map[ident.TopicID]bool{}, map[ident.TopicID]bool{}
	for _, ref := range wanted {
		if ref.Name == "" && ref.ID != none {
			byID[ref.ID] = true
		}
	}
	message := "The provided topic name maps to an ID that was already supplied."
	for _, ref := range wanted {
		if id := meant(ref); ref.Name != "" && byID[id] && !twice[id] {
			twice[id] = true
			answers = append(answers, deletedTopic(ref.Name, id, kerr.InvalidRequest.Code, &message))
		}
	}
	return slices.DeleteFunc(wanted, func(ref controller.TopicRef) bool { return twice[meant(ref)] }), answers
}

// namelessTopic answers for a topic that is called by the empty name, which is a name like others to Kafka.
func namelessTopic(id ident.TopicID) kmsg.DeleteTopicsResponseTopic {
	name, code, message := "", kerr.UnknownTopicOrPartition.Code, kerr.UnknownTopicOrPartition.Description
	if id != (ident.TopicID{}) {
		code, message = kerr.InvalidRequest.Code, "You may not specify both topic name and topic id."
	}
	topic := deletedTopic(name, id, code, &message)
	topic.Topic = &name
	return topic
}

func deletedTopic(name string, id ident.TopicID, code int16, message *string) kmsg.DeleteTopicsResponseTopic {
	topic := kmsg.NewDeleteTopicsResponseTopic()
	topic.TopicID, topic.ErrorCode, topic.ErrorMessage = id, code, message
	if name != "" {
		topic.Topic = &name
	}
	return topic
}
