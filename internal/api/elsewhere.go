package api

import (
	"context"
	"errors"
	"time"

	"barnabas/internal/controller"
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// elsewhere reports whether a request has to go to another broker, the controller. One that came in an envelope
// does not go on.
func (a *API) elsewhere(c *Call) bool {
	_, came := c.exchange.(*enclosed)
	return !came && !a.Controller.Elected()
}

// CreateTopics has the controller create topics, wherever it is, and waits until this broker knows them too. An
// outcome's error is the controller's *Error here, and a protocol error when it comes from elsewhere.
func (a *API) CreateTopics(ctx context.Context, wanted []controller.NewTopic) ([]controller.CreatedTopic, error) {
	made, err := a.Controller.CreateTopics(ctx, wanted, false)
	if !errors.Is(err, controller.ErrNotController) {
		return made, err
	}
	request := createRequest(ctx, wanted)
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, request, 0)[4:]
	answer, err := a.Forward(ctx, frame, &wire.Client{})
	if err != nil {
		return nil, err
	}
	decoded, err := wire.DecodeAnswer(answer, request, 0)
	if err != nil {
		return nil, err
	}
	response := decoded.(*kmsg.CreateTopicsResponse)
	outcomes := make([]controller.CreatedTopic, len(response.Topics))
	for i, t := range response.Topics {
		outcomes[i] = controller.CreatedTopic{
			Name: t.Topic, ID: t.TopicID, Partitions: t.NumPartitions, ReplicationFactor: t.ReplicationFactor,
			Err: outcomeOf(t.ErrorCode),
		}
		a.awaitTopic(ctx, t.Topic, outcomes[i].Err)
	}
	return outcomes, nil
}

func createRequest(ctx context.Context, wanted []controller.NewTopic) *kmsg.CreateTopicsRequest {
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Version = 7
	if deadline, ok := ctx.Deadline(); ok {
		request.TimeoutMillis = int32(time.Until(deadline).Milliseconds())
	}
	for _, w := range wanted {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = w.Name, w.Partitions, w.ReplicationFactor
		for _, entry := range w.Configs {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = entry.Name, entry.Value
			t.Configs = append(t.Configs, c)
		}
		request.Topics = append(request.Topics, t)
	}
	return request
}

// outcomeOf is what a code of CreateTopics means to those who look for the controller's errors.
func outcomeOf(code int16) error {
	switch kerr.ErrorForCode(code) {
	case nil:
		return nil
	case kerr.TopicAlreadyExists:
		return controller.ErrTopicExists
	case kerr.InvalidReplicationFactor:
		return controller.ErrInvalidReplicationFactor
	case kerr.RequestTimedOut, kerr.NotController:
		return controller.ErrUnavailable
	}
	return kerr.ErrorForCode(code)
}

// awaitTopic waits until this broker has heard of a topic that exists at the controller.
func (a *API) awaitTopic(ctx context.Context, name string, outcome error) {
	if outcome != nil && !errors.Is(outcome, controller.ErrTopicExists) {
		return
	}
	for ctx.Err() == nil && a.Metadata.Current().Topic(name) == nil {
		timer := time.NewTimer(topicPoll)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// topicPoll is how often awaitTopic looks.
const topicPoll = 2 * time.Millisecond
