package traffic

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/record"
	"barnabas/sim/check"
)

// producer appends batches, one at a time, and tries each again until it knows what came of it.
type producer struct {
	*client
	idempotent bool
	acks       int16

	made     int // numbers records
	id       int64
	epoch    int16
	sequence map[check.Partition]int32
	lives    int // how often it began anew under another producer id
}

// Produce runs a producer until ctx ends.
func (e *Env) Produce(ctx context.Context, number int) {
	p := &producer{client: e.client(fmt.Sprintf("producer-%d", number), uint64(number)), id: -1}
	defer p.close()
	switch number % 3 {
	case 0:
		p.idempotent, p.acks = true, -1
	case 1:
		p.acks = -1
	case 2:
		p.acks = int16(p.rng.IntN(2))
	}
	for p.rest(ctx, 250*time.Millisecond) {
		if p.idempotent && p.id < 0 && !p.begin() {
			continue
		}
		topic := p.Topics.any(p.rng)
		if p.Outlasting && p.chance(2) {
			topic = p.Topics.outlasting(topic)
		}
		if topic != nil {
			p.produce(ctx, topic)
		}
	}
}

// begin takes a producer id.
func (p *producer) begin() bool {
	request := kmsg.NewPtrInitProducerIDRequest()
	request.Version = 4
	request.ProducerID, request.ProducerEpoch = -1, -1
	answer, err := ask[*kmsg.InitProducerIDResponse](p.client, p.anywhere(), request)
	if err != nil || answer.ErrorCode != 0 {
		return false
	}
	p.id, p.epoch, p.sequence = answer.ProducerID, answer.ProducerEpoch, map[check.Partition]int32{}
	p.lives++
	return true
}

// batch is records on their way.
type batch struct {
	topic     *Topic
	partition int32
	records   []check.Record
	sequence  int32
}

func (p *producer) produce(ctx context.Context, topic *Topic) {
	b := batch{topic: topic, partition: p.rng.Int32N(topic.Partitions)}
	for range 1 + p.rng.IntN(4) {
		p.made++
		b.records = append(b.records, check.Record{
			Key:   fmt.Sprintf("key-%d", p.rng.IntN(6)),
			Value: fmt.Sprintf("%s-%d%s", p.name, p.made, strings.Repeat(".", p.rng.IntN(120))),
		})
	}
	if p.idempotent {
		b.sequence = p.sequence[topic.Partition(b.partition)]
	}
	outcome := p.insist(ctx, b)
	if !p.idempotent {
		return
	}
	if outcome != check.Done {
		p.id = -1 // the next sequence isn't known: begin anew
		return
	}
	p.sequence[topic.Partition(b.partition)] += int32(len(b.records))
	if p.chance(6) {
		p.attempt(b) // a retry of what has been answered, as after a lost answer
	}
}

// insist tries until the outcome is known. A plain producer gives up sometimes.
func (p *producer) insist(ctx context.Context, b batch) check.Outcome {
	for {
		outcome := p.attempt(b)
		if outcome != check.Unknown || p.acks == 0 || !p.idempotent && p.chance(3) {
			return outcome
		}
		if !p.rest(ctx, 300*time.Millisecond) {
			return check.Unknown
		}
	}
}

// attempt sends the batch once.
func (p *producer) attempt(b batch) check.Outcome {
	name := fmt.Sprintf("%s/%d", p.name, p.lives)
	send := &check.Send{
		Client: name, Partition: b.topic.Partition(b.partition), Records: b.records,
		Acks: p.acks, Idempotent: p.idempotent,
	}
	p.History.Begin(send)
	at := p.leader(b.topic, b.partition)
	outcome, base, why := p.send(b)
	if send.Gap = p.toldOfGap(b, at, why); !send.Gap && isGap(why) {
		p.forgetLeader(b.topic)
		outcome = check.Unknown
	}
	if send.Gap {
		why += " by " + at
	}
	p.History.End(send, outcome, base, why)
	return outcome
}

// toldOfGap tells whether an answer of a broker says that the sequence has a gap. What one says that has been deposed, and has
// not heard of it, for it is cut from the keepers, is of no interest: who knows of its old epoch only may still ask it.
func (p *producer) toldOfGap(b batch, at, why string) bool {
	return isGap(why) && (p.Leads == nil || p.Leads(b.topic, b.partition, at))
}

func isGap(why string) bool {
	return why == kerr.OutOfOrderSequenceNumber.Error() || why == kerr.UnknownProducerID.Error()
}

func (p *producer) send(b batch) (check.Outcome, int64, string) {
	request := kmsg.NewPtrProduceRequest()
	request.Version, request.Acks, request.TimeoutMillis = 13, p.acks, 3000
	topic := kmsg.NewProduceRequestTopic()
	topic.TopicID = b.topic.ID
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Partition, partition.Records = b.partition, p.encode(b)
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	if p.acks == 0 {
		at := p.leader(b.topic, b.partition)
		if at == "" {
			return check.Unknown, -1, "nobody leads"
		}
		if err := p.tell(at, request); err != nil {
			p.forgetLeader(b.topic)
			return check.Unknown, -1, err.Error()
		}
		return check.Unknown, -1, "acks=0"
	}
	answer, err := askLeader[*kmsg.ProduceResponse](p.client, b.topic, b.partition, request)
	if err != nil {
		return check.Unknown, -1, err.Error()
	}
	got := answer.Topics[0].Partitions[0]
	why := kerr.ErrorForCode(got.ErrorCode)
	switch why {
	case nil:
		return check.Done, got.BaseOffset, ""
	case kerr.UnknownTopicID: // a broker that hasn't heard of the topic yet says so too
		p.forgetLeader(b.topic)
		if len(p.Addresses) > 1 && !p.Topics.deleted(b.topic) {
			return check.Unknown, -1, why.Error()
		}
		return check.Refused, -1, why.Error()
	case kerr.OutOfOrderSequenceNumber, kerr.InvalidProducerEpoch, kerr.UnknownProducerID,
		kerr.NotEnoughReplicas, kerr.CorruptMessage, kerr.MessageTooLarge, kerr.InvalidRecord, kerr.DuplicateSequenceNumber:
		if got.ErrorCode == kerr.NotEnoughReplicas.Code || got.ErrorCode == kerr.DuplicateSequenceNumber.Code {
			return check.Unknown, -1, why.Error()
		}
		return check.Refused, -1, why.Error()
	}
	p.forgetLeader(b.topic)
	return check.Unknown, -1, why.Error()
}

func (p *producer) encode(b batch) []byte {
	o := record.Options{}
	if p.idempotent && !p.Anonymous {
		o.Producer = &record.Producer{
			ID: record.ProducerID(p.id), Epoch: record.ProducerEpoch(p.epoch), Sequence: record.Sequence(b.sequence),
		}
	}
	if p.chance(4) {
		o.Codec = record.LZ4
	}
	builder := record.NewBuilder(o)
	for _, r := range b.records {
		builder.Append(time.Now().UnixMilli(), []byte(r.Key), []byte(r.Value))
	}
	made, err := builder.Build()
	if err != nil {
		panic(err)
	}
	return made
}

// Probe writes one record to a partition with acks=all, and fails when it is not acknowledged.
func (e *Env) Probe(t *Topic, number int32) error {
	p := &producer{client: e.client(fmt.Sprintf("probe-%d", e.History.Now()), 997), acks: -1}
	defer p.close()
	b := batch{topic: t, partition: number, records: []check.Record{{Key: "probe", Value: p.name}}}
	send := &check.Send{Client: p.name, Partition: t.Partition(number), Records: b.records, Acks: -1}
	p.History.Begin(send)
	outcome, base, why := p.send(b)
	p.History.End(send, outcome, base, why)
	if outcome != check.Done {
		return fmt.Errorf("not acknowledged: %s", why)
	}
	return nil
}
