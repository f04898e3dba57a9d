package api

import (
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/storage"
	"barnabas/internal/wire"
)

// produceMessage is a Produce request read in place, names and records pointing into the frame, with the answer of each
// partition beside it. It is read and written by hand and used again: a request of one record allocates nothing.
type produceMessage struct {
	acks    int16
	timeout time.Duration
	topics  []produceTopic
	parts   []producePart // of all topics, in their order
	brokers []ident.BrokerID
}

type produceTopic struct {
	name       string
	id         ident.TopicID
	first, end int // its partitions among the parts
}

type producePart struct {
	partition int32
	records   []byte

	// The answer.
	code          int16
	baseOffset    int64
	logAppendTime int64
	logStart      int64
	errors        []storage.RecordError
	message       string // none if empty
	leader        ident.BrokerID
	leaderEpoch   int32
}

// unanswered is what a part's answer has where nothing is known.
var unanswered = producePart{baseOffset: -1, logAppendTime: -1, logStart: -1, leader: ident.NoBroker, leaderEpoch: -1}

// Versions of Produce in which something begins.
const (
	produceLogStart     = 5
	produceZstd         = 7
	produceRecordErrors = 8
	produceFlexible     = 9
	produceLeaders      = 10
	produceTopicIDs     = 13
)

// read takes a body apart; false if it is cut short.
func (m *produceMessage) read(version int16, body []byte) bool {
	d := wire.NewDecoder(body, version >= produceFlexible)
	_ = d.String() // the transactional id: no coordinator gives out any
	m.acks = d.Int16()
	m.timeout = time.Duration(d.Int32()) * time.Millisecond
	for range d.Length() {
		topic := produceTopic{first: len(m.parts)}
		if version >= produceTopicIDs {
			topic.id = d.UUID()
		} else {
			topic.name = d.String()
		}
		for range d.Length() {
			part := unanswered
			part.partition, part.records = d.Int32(), d.Bytes()
			d.Tags()
			m.parts = append(m.parts, part)
		}
		d.Tags()
		topic.end = len(m.parts)
		if topic.end > topic.first { // of a topic without partitions Kafka says nothing
			m.topics = append(m.topics, topic)
		}
	}
	d.Tags()
	return d.OK()
}

// forget readies the message for another request.
func (m *produceMessage) forget() {
	clear(m.topics)
	clear(m.parts)
	*m = produceMessage{topics: m.topics[:0], parts: m.parts[:0], brokers: m.brokers[:0]}
}

// encode writes the response.
func (p *produceCall) encode() wire.Reply {
	version := p.call.Header.Version
	reply := wire.BeginReply(p.call.Header, version >= produceFlexible)
	reply.Append(func(b []byte) []byte {
		e := wire.Encoder{Bytes: b, Flexible: version >= produceFlexible}
		e.Length(len(p.topics))
		for i := range p.topics {
			p.encodeTopic(&e, version, &p.topics[i])
		}
		e.Int32(0) // throttle time
		p.encodeBrokers(&e)
		return e.Bytes
	})
	return reply.End()
}

func (p *produceCall) encodeTopic(e *wire.Encoder, version int16, t *produceTopic) {
	if version >= produceTopicIDs {
		e.UUID(t.id)
	} else {
		e.String(t.name)
	}
	e.Length(t.end - t.first)
	for i := t.first; i < t.end; i++ {
		p.parts[i].encode(e, version)
	}
	e.Tags(0)
}

func (a *producePart) encode(e *wire.Encoder, version int16) {
	e.Int32(a.partition)
	e.Int16(a.code)
	e.Int64(a.baseOffset)
	e.Int64(a.logAppendTime)
	if version >= produceLogStart {
		e.Int64(a.logStart)
	}
	if version >= produceRecordErrors {
		a.encodeErrors(e)
	}
	if version < produceLeaders || a.leader == ident.NoBroker && a.leaderEpoch == -1 {
		e.Tags(0)
		return
	}
	e.Tags(1)
	e.Tag(0, func(e *wire.Encoder) {
		e.Int32(int32(a.leader))
		e.Int32(a.leaderEpoch)
		e.Tags(0)
	})
}

func (a *producePart) encodeErrors(e *wire.Encoder) {
	e.Length(len(a.errors))
	for i := range a.errors {
		e.Int32(a.errors[i].Index)
		e.NullableString(&a.errors[i].Message)
		e.Tags(0)
	}
	if a.message == "" {
		e.NullableString(nil)
	} else {
		e.NullableString(&a.message)
	}
}

// encodeBrokers writes where the leaders are that partitions told of (KIP-951).
func (p *produceCall) encodeBrokers(e *wire.Encoder) {
	if len(p.brokers) == 0 || p.call.Header.Version < produceLeaders {
		e.Tags(0)
		return
	}
	e.Tags(1)
	e.Tag(0, func(e *wire.Encoder) { encodeEndpoints(e, p.image, p.brokers, p.call.Client.Listener) })
}
