package api

import (
	"fmt"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/storage"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Produce 3-13; 0 is advertised as the lowest, as Kafka does for the sake of old librdkafkas (KAFKA-18659).
// Version 5 adds the log start offset, 7 allows zstd, 8 errors of single records (KIP-467), 9 is flexible, 10
// tells the new leader (KIP-951), 13 names topics by id (KIP-516). A request holds exactly one batch of format 2 for each
// partition. Partitions fail one by one. With acks=0 there is no answer, and an error closes the connection.
// acks=all waits for the high watermark up to the request's timeout without keeping a goroutine.

const adminClient = "__admin_client" // the client id that may write to internal topics

func (a *API) produce(c *Call, request *kmsg.ProduceRequest) {
	p := &produceCall{api: a, call: c, image: a.Metadata.Current(), request: request}
	p.response = kmsg.NewPtrProduceResponse()
	for i := range request.Topics {
		p.appendTopic(&request.Topics[i])
	}
	p.finish()
}

// produceCall is a Produce request being answered.
type produceCall struct {
	api      *API
	call     *Call
	image    *metadata.Image
	request  *kmsg.ProduceRequest
	response *kmsg.ProduceResponse
	waits    []produceWait
	failed   error // of acks=0, to be logged
}

// produceWait is a partition whose records are not on all in-sync replicas yet. The indexes say where the
// response speaks of it.
type produceWait struct {
	topic, index int
	partition    *replication.Partition
	epoch        record.Epoch
	required     record.Offset
}

func (p *produceCall) appendTopic(t *kmsg.ProduceRequestTopic) {
	ref := topicRef{name: t.Topic, id: t.TopicID, byID: p.call.Header.Version >= 13}
	name, code := ref.resolve(p.image)
	out := kmsg.NewProduceResponseTopic()
	out.Topic, out.TopicID = t.Topic, t.TopicID
	out.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(t.Partitions))
	p.response.Topics = append(p.response.Topics, out)
	topic := len(p.response.Topics) - 1
	for i := range t.Partitions {
		answer := &out.Partitions[i]
		*answer = kmsg.NewProduceResponseTopicPartition()
		answer.Partition, answer.BaseOffset = t.Partitions[i].Partition, -1
		if code == 0 {
			p.appendPartition(name, &t.Partitions[i], topic, i)
		} else {
			answer.ErrorCode = code
		}
	}
}

func (p *produceCall) appendPartition(topic string, in *kmsg.ProduceRequestTopicPartition, at, i int) {
	answer := &p.response.Topics[at].Partitions[i]
	tp := ident.TopicPartition{Topic: topic, Partition: in.Partition}
	if err := p.check(topic, in.Records); err != nil {
		p.refuse(answer, tp, codeOf(err), err)
		return
	}
	partition, err := p.api.Partitions.Get(topic, in.Partition)
	if err != nil {
		p.refuse(answer, tp, missing(p.image, tp), err)
		return
	}
	appended, err := partition.Append(in.Records, replication.AppendRequest{
		Acks: p.request.Acks, Epoch: record.NoEpoch, Origin: storage.Client,
	})
	p.api.countAppend(partition.Name().Topic, len(in.Records), appended.Appended, err)
	if err != nil {
		p.explain(answer, appended.Appended, err)
		p.refuse(answer, tp, codeOf(err), err)
		return
	}
	answer.BaseOffset = int64(appended.BaseOffset)
	answer.LogAppendTime = appended.LogAppendTime
	if appended.Duplicate && appended.LogAppendTime < 0 {
		answer.LogAppendTime = record.Batch(in.Records).MaxTimestamp() // as Kafka does
	}
	answer.LogStartOffset = int64(appended.LogStartOffset)
	if p.request.Acks != replication.AcksAll {
		return
	}
	w := produceWait{at, i, partition, appended.Epoch, appended.LastOffset + 1}
	if !p.settle(w) {
		p.waits = append(p.waits, w)
	}
}

// check is what can be refused without a partition.
func (p *produceCall) check(topic string, records []byte) error {
	switch {
	case p.request.Acks < replication.AcksAll || p.request.Acks > 1:
		return kerr.InvalidRequiredAcks
	case internalTopics[topic] && p.call.Header.ClientID != adminClient:
		return kerr.InvalidTopicException
	case !p.api.authorized(p.call, opWrite, metadata.TopicResource, topic):
		return kerr.TopicAuthorizationFailed
	}
	return checkBatch(records, p.call.Header.Version)
}

// checkBatch wants one batch, whole and alone. The log looks at what is inside.
func checkBatch(records []byte, version int16) error {
	if len(records) < record.PrefixSize+magicBytes {
		return fmt.Errorf("%w: no record batch", storage.ErrInvalidRecord)
	}
	batch, rest, err := record.Next(records)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return fmt.Errorf("%w: more than one record batch", storage.ErrInvalidRecord)
	case batch.Codec() == record.Zstd && version < 7:
		return storage.ErrUnsupportedCompression
	case batch.IsTransactional():
		// Nobody may use a transactional id: no coordinator hands out transactional producer ids.
		return kerr.TransactionalIDAuthorizationFailed
	}
	return nil
}

// magicBytes are the bytes after a batch's size without which its format isn't known.
const magicBytes = 5

// withoutLogStart are the refusals beside which Kafka does not tell where the log starts.
var withoutLogStart = map[int16]bool{
	kerr.UnknownTopicOrPartition.Code: true, kerr.NotLeaderForPartition.Code: true, kerr.MessageTooLarge.Code: true,
	kerr.RecordListTooLarge.Code: true, kerr.CorruptMessage.Code: true, kerr.KafkaStorageError.Code: true,
}

// explain fills in what only versions from 8 on show: which records were wrong and why (KIP-467).
func (p *produceCall) explain(answer *kmsg.ProduceResponseTopicPartition, at storage.Appended, err error) {
	if code := codeOf(err); !withoutLogStart[code] {
		answer.LogStartOffset = int64(at.LogStartOffset)
	}
	if at.Message != "" {
		answer.ErrorMessage = &at.Message
	}
	for _, r := range at.RecordErrors {
		bad := kmsg.NewProduceResponseTopicPartitionErrorRecord()
		bad.RelativeOffset, bad.ErrorMessage = r.Index, &r.Message
		answer.ErrorRecords = append(answer.ErrorRecords, bad)
	}
	if codeOf(err) == kerr.UnknownServerError.Code {
		p.call.logger().Error("append failed", "error", err)
	}
}

func (p *produceCall) refuse(answer *kmsg.ProduceResponseTopicPartition, tp ident.TopicPartition, code int16, err error) {
	answer.ErrorCode, answer.BaseOffset, answer.LogAppendTime = code, -1, -1
	if code == kerr.NotLeaderForPartition.Code {
		leader, epoch := leaderNow(p.image, tp)
		answer.CurrentLeader.LeaderID, answer.CurrentLeader.LeaderEpoch = int32(leader), epoch
		p.addBroker(leader)
	}
	if p.failed == nil {
		p.failed = fmt.Errorf("%s: %w", tp, err)
	}
}

// addBroker tells where a leader is, once for each.
func (p *produceCall) addBroker(id ident.BrokerID) {
	for _, known := range p.response.Brokers {
		if known.NodeID == int32(id) {
			return
		}
	}
	broker, endpoint, ok := endpointOf(p.image, id, p.call.Client.Listener)
	if !ok {
		return
	}
	node := kmsg.NewProduceResponseBroker()
	node.NodeID, node.Host, node.Port, node.Rack = int32(id), endpoint.Host, endpoint.Port, rackOf(broker)
	p.response.Brokers = append(p.response.Brokers, node)
}

// settle asks whether a partition's records are committed, and notes an error if they never will be.
func (p *produceCall) settle(w produceWait) bool {
	done, err := w.partition.Committed(w.epoch, w.required)
	if done && err != nil {
		p.refuse(&p.response.Topics[w.topic].Partitions[w.index], w.partition.Name(), codeOf(err), err)
	}
	return done
}

func (p *produceCall) finish() {
	switch {
	case p.request.Acks == 0 && p.failed != nil:
		p.call.Abort(fmt.Errorf("produce with acks=0: %w", p.failed))
	case p.request.Acks == 0:
		p.call.ReplyNothing()
	case len(p.waits) == 0:
		p.reply()
	default:
		p.await()
	}
}

func (p *produceCall) reply() {
	p.call.Reply(p.response)
}

// await answers when the last partition is committed, or when time is up.
func (p *produceCall) await() {
	w := &commitWait{produce: p}
	w.waiter = replication.NewCallback(w.look)
	w.start(time.Duration(p.request.TimeoutMillis) * time.Millisecond)
}
