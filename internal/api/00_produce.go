package api

import (
	"fmt"
	"slices"
	"sync"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/storage"
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Produce 3-13; 0 is advertised as the lowest, as Kafka does for the sake of old librdkafkas (KAFKA-18659).
// Version 5 adds the log start offset, 7 allows zstd, 8 errors of single records (KIP-467), 9 is flexible, 10
// tells the new leader (KIP-951), 13 names topics by id (KIP-516). A request holds exactly one batch of format 2 for each
// partition. Partitions fail one by one. With acks=0 there is no answer, and an error closes the connection.
// acks=all waits for the high watermark up to the request's timeout without keeping a goroutine; with fsync.on.ack, where that
// passes only what is on the disk, acks=1 waits for this broker's disk in the same way.

const adminClient = "__admin_client" // the client id that may write to internal topics

func (a *API) produce(c *Call, body []byte) {
	p := produceCalls.Get().(*produceCall)
	p.api, p.call, p.image = a, c, a.Metadata.Current()
	if !p.read(c.Header.Version, body) {
		c.Abort(fmt.Errorf("%w: Produce version %d", wire.ErrMalformed, c.Header.Version))
		return
	}
	for i := range p.topics {
		p.appendTopic(&p.topics[i])
	}
	if len(p.waits) > 0 {
		p.await()
		return
	}
	p.answer()
	p.recycle()
}

// produceCall is a Produce request being answered.
type produceCall struct {
	produceMessage
	api    *API
	call   *Call
	image  *metadata.Image
	waits  []produceWait
	failed error // of acks=0, to be logged
}

// produceCalls are used again unless they had to wait: then it isn't known who looks at them last.
var produceCalls = sync.Pool{New: func() any { return new(produceCall) }}

// keptParts is how many partitions a call may have had to be used again.
const keptParts = 256

func (p *produceCall) recycle() {
	if cap(p.parts) > keptParts {
		return
	}
	p.forget()
	*p = produceCall{produceMessage: p.produceMessage}
	produceCalls.Put(p)
}

// produceWait is a partition whose records are not on all in-sync replicas yet or, with acks=1 and fsync.on.ack, not on
// this one's disk; part says where the answer speaks of it.
type produceWait struct {
	part      int
	partition *replication.Partition
	mark      replication.Mark // what has to pass the records: AtHighWatermark or AtSynced
	epoch     record.Epoch
	required  record.Offset
}

func (p *produceCall) appendTopic(t *produceTopic) {
	ref := topicRef{name: t.name, id: t.id, byID: p.call.Header.Version >= produceTopicIDs}
	name, code := ref.resolve(p.image)
	for i := t.first; i < t.end; i++ {
		if code == 0 {
			p.appendPartition(name, i)
		} else {
			p.parts[i].code = code
		}
	}
}

func (p *produceCall) appendPartition(topic string, i int) {
	part := &p.parts[i]
	tp := ident.TopicPartition{Topic: topic, Partition: part.partition}
	if err := p.check(tp, part.records); err != nil {
		p.refuse(part, tp, codeOf(err), err)
		return
	}
	partition, err := p.api.Partitions.Get(topic, part.partition)
	if err != nil {
		p.refuse(part, tp, missing(p.image, tp), err)
		return
	}
	appended, err := partition.Append(part.records, replication.AppendRequest{
		Acks: p.acks, Epoch: record.NoEpoch, Origin: storage.Client,
	})
	p.api.countAppend(topic, len(part.records), appended.Appended, err)
	if err != nil {
		p.explain(part, appended.Appended, err)
		p.refuse(part, tp, codeOf(err), err)
		return
	}
	part.baseOffset = int64(appended.BaseOffset)
	part.logAppendTime = appended.LogAppendTime
	if appended.Duplicate && appended.LogAppendTime < 0 {
		part.logAppendTime = record.Batch(part.records).MaxTimestamp() // as Kafka does
	}
	part.logStart = int64(appended.LogStartOffset)
	w := produceWait{i, partition, replication.AtHighWatermark, appended.Epoch, appended.LastOffset + 1}
	if p.acks != replication.AcksAll {
		if p.acks == 0 || !appended.AwaitSync {
			return
		}
		w.mark = replication.AtSynced
	}
	if !p.settle(w) {
		p.waits = append(p.waits, w)
	}
}

// check is what can be refused without the partition's log, in Kafka's order: what nobody has, then the batch, then the acks.
func (p *produceCall) check(tp ident.TopicPartition, records []byte) error {
	if !p.api.authorized(p.call, opWrite, metadata.TopicResource, tp.Topic) {
		return kerr.TopicAuthorizationFailed
	}
	err := checkBatch(records, p.call.Header.Version)
	switch {
	case err != nil:
	case p.acks < replication.AcksAll || p.acks > 1:
		err = kerr.InvalidRequiredAcks
	case internalTopics[tp.Topic] && p.call.Header.ClientID != adminClient:
		err = kerr.InvalidTopicException
	}
	if err != nil && p.image.Partition(tp) == nil {
		return kerr.UnknownTopicOrPartition // looked up only here: what is well-formed is looked up by its log
	}
	return err
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
	case batch.Codec() == record.Zstd && version < produceZstd:
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
func (p *produceCall) explain(part *producePart, at storage.Appended, err error) {
	if code := codeOf(err); !withoutLogStart[code] {
		part.logStart = int64(at.LogStartOffset)
	}
	part.message, part.errors = at.Message, at.RecordErrors
	if codeOf(err) == kerr.UnknownServerError.Code {
		p.call.logger().Error("append failed", "error", err)
	}
}

func (p *produceCall) refuse(part *producePart, tp ident.TopicPartition, code int16, err error) {
	part.code, part.baseOffset, part.logAppendTime = code, -1, -1
	if code == kerr.NotLeaderForPartition.Code {
		p.image = p.api.Metadata.Current() // who leads now, and not when the request came
		part.leader, part.leaderEpoch = leaderNow(p.image, tp)
		p.addBroker(part.leader)
	}
	if p.failed == nil {
		p.failed = fmt.Errorf("%s: %w", tp, err)
	}
}

// addBroker tells where a leader is, once for each that clients can reach.
func (p *produceCall) addBroker(id ident.BrokerID) {
	_, _, reachable := endpointOf(p.image, id, p.call.Client.Listener)
	if reachable && !slices.Contains(p.brokers, id) {
		p.brokers = append(p.brokers, id)
	}
}

// settle asks whether a partition's records are as safe as they have to be, and notes an error if they never will be.
func (p *produceCall) settle(w produceWait) bool {
	safe := w.partition.Committed
	if w.mark == replication.AtSynced {
		safe = w.partition.OnDisk
	}
	done, err := safe(w.epoch, w.required)
	if done && err != nil {
		p.refuse(&p.parts[w.part], w.partition.Name(), codeOf(err), err)
	}
	return done
}

// answer ends the call.
func (p *produceCall) answer() {
	if p.acks == 0 && p.failed == nil {
		p.call.ReplyNothing()
		return
	}
	for i := range p.parts {
		p.call.countCode(p.parts[i].code)
	}
	if p.acks == 0 {
		p.call.Abort(fmt.Errorf("produce with acks=0: %w", p.failed))
		return
	}
	p.call.ReplyRaw(p.encode())
}

// await answers when the last partition is committed, or when time is up.
func (p *produceCall) await() {
	w := &commitWait{produce: p}
	w.waiter = replication.NewCallback(w.look)
	w.start(p.timeout)
}
