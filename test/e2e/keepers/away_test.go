package keepers

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Who wants a topic while no keeper answers is told so by REQUEST_TIMED_OUT, as by a Kafka without its controllers, and what has to come
// about first: by the controller, by a broker that asks it, once their registrations have ended, and once the controller is gone too.
func TestTopicsWhileKeepersAreAway(t *testing.T) {
	t.Parallel()
	e := newEnsemble(t, 1)
	e.session = 2 * time.Second
	e.launchAll()
	e.allReady()
	e.startBrokers(2, false)
	client := e.client()
	admin := kadm.NewClient(client)
	elected := 0
	e.await("both brokers and the controller to be known", func() bool {
		m, err := admin.BrokerMetadata(t.Context())
		elected = int(m.Controller)
		return err == nil && len(m.Brokers) == 2 && elected > 0
	})
	e.keepers[0].kill()
	e.refused(client, e.brokers...)
	for _, b := range e.brokers {
		e.await(b.name+" to have lost its registration", func() bool { return b.output.Says("the registration was lost") })
	}
	e.refused(client, e.brokers...)
	e.brokers[elected-1].kill()
	e.refused(client, e.brokers[2-elected])
	e.launch(e.keepers[0])
	e.await("the topic to be created", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		made, err := admin.CreateTopic(ctx, 1, 1, nil, topic)
		return err == nil && made.Err == nil || errors.Is(made.Err, kerr.TopicAlreadyExists)
	})
}

// refused asks brokers for a topic.
func (e *ensemble) refused(client *kgo.Client, brokers ...*process) {
	e.t.Helper()
	for _, b := range brokers {
		request := kmsg.NewPtrCreateTopicsRequest()
		wanted := kmsg.NewCreateTopicsRequestTopic()
		wanted.Topic, wanted.NumPartitions, wanted.ReplicationFactor = topic, 1, 2
		request.Topics, request.TimeoutMillis = append(request.Topics, wanted), 500
		ctx, cancel := context.WithTimeout(e.t.Context(), patience)
		answer, err := client.Broker(b.number).Request(ctx, request)
		cancel()
		if err != nil {
			e.t.Errorf("%s: %v", b.name, err)
			continue
		}
		for _, told := range answer.(*kmsg.CreateTopicsResponse).Topics {
			message := ""
			if told.ErrorMessage != nil {
				message = *told.ErrorMessage
			}
			if told.ErrorCode != kerr.RequestTimedOut.Code || !strings.Contains(message, "keepers") {
				e.t.Errorf("%s answers %v: %q", b.name, kerr.ErrorForCode(told.ErrorCode), message)
			}
		}
	}
}
