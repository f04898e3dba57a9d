package robustness

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A batch that is damaged on its way is refused, and nothing of it is written.
func TestWrongCRC(t *testing.T) {
	b := ask(t)
	b.mustCreateTopic(t, "crc")
	p := dial(t, b.address)
	whole := plain("sound").bytes()
	for _, at := range []int{crcAt, crcFrom, len(whole) / 2, len(whole) - 1} {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1
		if got := p.producePartition("crc", damaged); got.ErrorCode != kerr.CorruptMessage.Code || got.BaseOffset != -1 {
			t.Errorf("a bit of byte %d: code %d, offset %d", at, got.ErrorCode, got.BaseOffset)
		}
	}
	if got := p.producePartition("crc", whole); got.ErrorCode != 0 || got.BaseOffset != 0 {
		t.Errorf("the sound batch: code %d, offset %d, want the first", got.ErrorCode, got.BaseOffset)
	}
}

// What an idempotent producer sends again is answered with the offset that it got; what leaves a gap is refused.
func TestSequences(t *testing.T) {
	b := ask(t)
	b.mustCreateTopic(t, "sequences")
	p := dial(t, b.address)
	producer := p.call(kmsg.NewPtrInitProducerIDRequest(), 4).(*kmsg.InitProducerIDResponse)
	if producer.ErrorCode != 0 {
		t.Fatalf("InitProducerId: code %d", producer.ErrorCode)
	}
	send := func(sequence, records int32) kmsg.ProduceResponseTopicPartition {
		next := batch{producer: producer.ProducerID, epoch: producer.ProducerEpoch, sequence: sequence, count: records}
		for i := range records {
			next.payload = append(next.payload, recordOf(i, nil, []byte("numbered"))...)
		}
		return p.producePartition("sequences", next.bytes())
	}
	for _, step := range []struct {
		what              string
		sequence, records int32
		code              *kerr.Error
		offset            int64
	}{
		{"the first", 0, 3, nil, 0},
		{"the first again", 0, 3, nil, 0},
		{"the second", 3, 2, nil, 3},
		{"one too far on", 6, 1, kerr.OutOfOrderSequenceNumber, -1},
		{"the first again, later", 0, 3, nil, 0},
		{"a piece of the first", 0, 1, kerr.OutOfOrderSequenceNumber, -1},
		{"the third", 5, 1, nil, 5},
		{"the second again", 3, 2, nil, 3},
		{"the third again", 5, 1, nil, 5},
	} {
		got, code := send(step.sequence, step.records), int16(0)
		if step.code != nil {
			code = step.code.Code
		}
		if got.ErrorCode != code || got.BaseOffset != step.offset {
			t.Errorf("%s: code %d, offset %d; want code %d, offset %d",
				step.what, got.ErrorCode, got.BaseOffset, code, step.offset)
		}
	}
	producer.ProducerEpoch++
	if got := send(7, 1); got.ErrorCode != kerr.OutOfOrderSequenceNumber.Code {
		t.Errorf("a new epoch that does not begin with 0: code %d", got.ErrorCode)
	}
	if got := send(0, 1); got.ErrorCode != 0 || got.BaseOffset != 6 {
		t.Errorf("a new epoch: code %d, offset %d", got.ErrorCode, got.BaseOffset)
	}
	producer.ProducerEpoch--
	if got := send(6, 1); got.ErrorCode != kerr.InvalidProducerEpoch.Code {
		t.Errorf("an old epoch: code %d", got.ErrorCode)
	}
}

// Names that no topic may have make none, whoever asks for it.
func TestInvalidTopicNames(t *testing.T) {
	b := ask(t)
	p := dial(t, b.address)
	b.mustCreateTopic(t, "dots.and.lines")
	for _, name := range []string{
		"", ".", "..", "a b", "a/b", "../a", "a\\b", "a:b", "a*", "野猪套", "a\x00b", "a\n", "\xff\xfe",
		strings.Repeat("n", 250), strings.Repeat("n", 30000),
	} {
		if code := p.createTopic(name); code != kerr.InvalidTopicException.Code {
			t.Errorf("CreateTopics %.20q: code %d", name, code)
		}
		request := metadataRequest(name)
		request.AllowAutoTopicCreation = true
		answer := p.call(request, 12).(*kmsg.MetadataResponse).Topics[0]
		if answer.ErrorCode != kerr.InvalidTopicException.Code {
			t.Errorf("Metadata %.20q: code %d", name, answer.ErrorCode)
		}
		if got := p.producePartition(name, plain("lost").bytes()); got.ErrorCode != kerr.UnknownTopicOrPartition.Code {
			t.Errorf("Produce %.20q: code %d", name, got.ErrorCode)
		}
	}
	if code := p.createTopic("dots_and.lines"); code != kerr.InvalidTopicException.Code {
		t.Errorf("a name that collides with another in metrics: code %d", code)
	}
	if code := p.createTopic(strings.Repeat("n", 249)); code != 0 {
		t.Errorf("the longest name: code %d", code)
	}
	all := p.call(kmsg.NewPtrMetadataRequest(), 12).(*kmsg.MetadataResponse)
	for _, topic := range all.Topics {
		if len(*topic.Topic) == 0 || len(*topic.Topic) > 249 || strings.ContainsAny(*topic.Topic, " /\\:*\x00\n") {
			t.Errorf("there is a topic %.40q", *topic.Topic)
		}
	}
}

// A batch above max.message.bytes is refused with the partition's own bound, a request above the socket's bound is cut off.
func TestMessageTooLarge(t *testing.T) {
	b := ask(t)
	b.mustCreateTopic(t, "small", "max.message.bytes", "10000")
	p := dial(t, b.address)
	if got := p.producePartition("small", plain(strings.Repeat("x", 10000)).bytes()); got.ErrorCode != kerr.MessageTooLarge.Code {
		t.Errorf("above the topic's bound: code %d", got.ErrorCode)
	}
	if got := p.producePartition("small", plain(strings.Repeat("x", 9000)).bytes()); got.ErrorCode != 0 || got.BaseOffset != 0 {
		t.Errorf("below the topic's bound: code %d, offset %d", got.ErrorCode, got.BaseOffset)
	}
	if got := p.producePartition("still-serving", plain(strings.Repeat("x", 2<<20)).bytes()); got.ErrorCode != kerr.MessageTooLarge.Code {
		t.Errorf("above the default bound: code %d", got.ErrorCode)
	}
	client, err := b.client(kgo.DefaultProduceTopic("small"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err = client.ProduceSync(ctx, kgo.StringRecord(strings.Repeat("x", 20000))).FirstErr()
	if !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("a real client is told %v", err)
	}
}
