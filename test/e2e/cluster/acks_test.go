package cluster

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"barnabas/internal/record"
	"barnabas/test/launch"
)

// strict is a topic of one partition, as a client sees it that asks the leader alone and tries nothing again.
type strict struct {
	c      *cluster
	client map[int16]*kgo.Client // by acks, which this client sets as it was told
	leader int
}

// write sends one record, and returns the leader's answer; none for acks=0.
func (s *strict) write(value string, acks int16) error {
	builder := record.NewBuilder(record.Options{})
	builder.Append(time.Now().UnixMilli(), nil, []byte(value))
	batch, err := builder.Build()
	if err != nil {
		s.c.t.Fatal(err)
	}
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis = acks, 1000
	topic, partition := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	topic.Topic, partition.Records = "strict", batch
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	answer := kmsg.NewPtrProduceResponse()
	s.ask(acks, request, func(response kmsg.Response) { answer = response.(*kmsg.ProduceResponse) })
	if acks == 0 {
		return nil
	}
	return kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
}

func (s *strict) ask(acks int16, request kmsg.Request, take func(kmsg.Response)) {
	s.c.t.Helper()
	ctx, cancel := context.WithTimeout(s.c.t.Context(), patience)
	defer cancel()
	response, err := s.client[acks].Broker(s.leader).Request(ctx, request)
	if err != nil {
		s.c.t.Fatalf("%v\n%s", err, s.c.outputs())
	}
	take(response)
}

// inSync is how many replicas are in sync, as the leader tells it.
func (s *strict) inSync() int {
	request, name := kmsg.NewPtrMetadataRequest(), "strict"
	wanted := kmsg.NewMetadataRequestTopic()
	wanted.Topic = &name
	request.Topics = append(request.Topics, wanted)
	count := 0
	s.ask(-1, request, func(response kmsg.Response) {
		for _, topic := range response.(*kmsg.MetadataResponse).Topics {
			for _, p := range topic.Partitions {
				count, s.leader = len(p.ISR), int(p.Leader)
			}
		}
	})
	return count
}

// TestTooFewInSync has a topic that wants all three replicas in sync lose one. What is on its way then is not acknowledged, what comes
// later is refused before it is written; who wants no other copy, or no answer, writes on. With the third one back all is well.
func TestTooFewInSync(t *testing.T) {
	c := startWithKeeper(t, 3)
	c.says(true, "Created topic strict", "kafka-topics.sh", "--create", "--topic", "strict", "--replica-assignment", "1:2:0",
		"--config", "min.insync.replicas=3", "--bootstrap-server", c.addresses()[0])
	s := &strict{c: c, client: map[int16]*kgo.Client{}, leader: 1}
	for acks, option := range map[int16]kgo.Acks{-1: kgo.AllISRAcks(), 1: kgo.LeaderAck(), 0: kgo.NoAck()} {
		s.client[acks] = newClient(t, c, kgo.MaxVersions(kversion.V2_4_0()), kgo.RequiredAcks(option), kgo.DisableIdempotentWrite())
	}
	c.await("all three to be in sync", func() bool { return s.inSync() == 3 })
	if err := s.write("before", -1); err != nil {
		t.Fatal(err)
	}
	launch.Pause(t, c.nodes[2].command.Process)
	// The in-sync set has three members still. That it has fewer later does not make the record safe (KIP-966).
	if err := s.write("on its way", -1); err != kerr.RequestTimedOut {
		t.Errorf("while one of three does not answer: %v", err)
	}
	c.await("two to be in sync", func() bool { return s.inSync() == 2 })
	if err := s.write("refused", -1); err != kerr.NotEnoughReplicas {
		t.Errorf("with two in sync, acks=all: %v", err)
	}
	for _, acks := range []int16{1, 0} {
		if err := s.write("without the third", acks); err != nil {
			t.Errorf("with two in sync, acks=%d: %v", acks, err)
		}
	}
	if err := c.nodes[2].command.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.await("all three to be in sync again", func() bool { return s.inSync() == 3 })
	if err := s.write("after", -1); err != nil {
		t.Errorf("with all in sync again: %v", err)
	}
	reader := newClient(t, c, kgo.ConsumeTopics("strict"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var read []string
	c.await("the last record", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) { read = append(read, string(r.Value)) })
		return slices.Contains(read, "after")
	})
	want := []string{"before", "on its way", "without the third", "without the third", "after"}
	if !slices.Equal(read, want) {
		t.Errorf("read %q, want %q", read, want)
	}
}
