package keepers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// bulky is a setting that takes much room in the metadata.
var bulky = strings.Repeat("0:1,", 100<<10) + "0:1"

// Topics are made until the metadata are near their quota. Then whoever wants another one is told what to do, an alarm is raised,
// and all else goes on: records, the election of leaders when a broker dies, its registration, the deletion of topics, which makes room.
func TestNoRoomForMetadata(t *testing.T) {
	t.Parallel()
	e := newEnsemble(t, 3)
	e.quota = 16 << 20
	e.launchAll()
	e.allReady()
	e.startBrokers(3, false)
	admin := kadm.NewClient(e.client())
	e.createTopic(admin)
	p := e.produce()
	p.goesOn()

	var made []string
	var refused kadm.CreateTopicResponse
	e.await("a topic to be refused", func() bool {
		name := fmt.Sprint("bulky-", len(made))
		answer, err := e.creates(admin, name)
		if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
			made = append(made, name)
			return false
		}
		refused = answer
		return errors.Is(err, kerr.PolicyViolation)
	})
	if !strings.Contains(refused.ErrMessage, "ZOO_QUOTA_BYTES") {
		t.Errorf("of %d topics the last one is refused with %q", len(made)+1, refused.ErrMessage)
	}
	e.await("the alarm", func() bool {
		return e.anySays("the metadata are near their quota") && strings.Contains(e.keepers[0].page("/metrics"), "barnabas_keeper_quota_alarm 1")
	})

	b := e.brokers[0]
	b.kill()
	p.goesOn()
	e.launchBroker(b)
	e.ready(b)
	e.describe(admin)
	p.goesOn()

	for _, name := range made {
		e.await(name+" to be deleted", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			answer, err := admin.DeleteTopic(ctx, name)
			return err == nil && (answer.Err == nil || errors.Is(answer.Err, kerr.UnknownTopicOrPartition))
		})
	}
	e.await("room for a topic", func() bool {
		_, err := e.creates(admin, "small-again")
		return err == nil || errors.Is(err, kerr.TopicAlreadyExists)
	})
	p.check()
}

// creates asks for a topic whose settings are bulky.
func (e *ensemble) creates(admin *kadm.Client, name string) (kadm.CreateTopicResponse, error) {
	ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Second)
	defer cancel()
	answer, err := admin.CreateTopic(ctx, 1, 1, map[string]*string{"leader.replication.throttled.replicas": &bulky}, name)
	if err == nil {
		err = answer.Err
	}
	return answer, err
}
