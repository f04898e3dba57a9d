package api

import (
	"slices"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kerr"
)

// encode writes the response by hand, because its records are ranges of files. The call's memory goes with the reply.
func (f *fetchCall) encode() wire.Reply {
	version := f.call.Header.Version
	reply := wire.BeginReply(f.call.Header, version >= fetchFlexible)
	e := reply.Encoder(version >= fetchFlexible)
	e.Int32(0) // throttle time
	if version >= fetchSessions {
		e.Int16(f.code)
		e.Int32(f.told)
	}
	e.Length(f.countTopics())
	for first := f.shown(0); first < len(f.parts); {
		next, partitions := f.topicAt(first)
		f.topicHead(&e, &f.parts[first])
		e.Length(partitions)
		for i := first; i < next; i++ {
			r := &f.parts[i]
			if r.skip {
				continue
			}
			f.partitionHead(&e, r)
			reply.Take(&e)
			for _, part := range r.result.Span.Ranges {
				reply.AppendRange(wire.Range{File: part.File, Position: part.Pos, Length: part.Len})
			}
			f.partitionTail(&e, r)
		}
		e.Tags(0)
		first = f.shown(next)
	}
	f.tail(&e)
	reply.Take(&e)
	reply.OnFree(f)
	return reply.End()
}

// shown is the first partition from i on that the answer tells of.
func (f *fetchCall) shown(i int) int {
	for i < len(f.parts) && f.parts[i].skip {
		i++
	}
	return i
}

// topicAt finds the end of a run of partitions of one topic, and how many of it are told.
func (f *fetchCall) topicAt(first int) (next, partitions int) {
	topic := &f.parts[first].at.sessionKey
	for next = first; next < len(f.parts); next++ {
		r := &f.parts[next]
		if r.skip {
			continue
		}
		if r.at.topic != topic.topic || r.at.id != topic.id {
			break
		}
		partitions++
	}
	return next, partitions
}

func (f *fetchCall) countTopics() int {
	topics := 0
	for first := f.shown(0); first < len(f.parts); topics++ {
		next, _ := f.topicAt(first)
		first = f.shown(next)
	}
	return topics
}

func (f *fetchCall) topicHead(e *wire.Encoder, r *fetched) {
	if f.session.byIDs {
		e.UUID(r.at.id)
		return
	}
	e.String(r.at.topic)
}

// partitionHead writes what precedes the records, their length included.
func (f *fetchCall) partitionHead(e *wire.Encoder, r *fetched) {
	version := f.call.Header.Version
	e.Int32(r.at.partition)
	e.Int16(r.code)
	e.Int64(r.highWatermark())
	if r.code != 0 {
		e.Int64(-1)
	} else {
		e.Int64(int64(r.result.LastStable))
	}
	if version >= fetchLogStart {
		e.Int64(r.logStart())
	}
	e.Length(f.abortedTransactions(r))
	if version >= fetchAnyReplica {
		e.Int32(int32(r.near))
	}
	e.Length(r.bytes())
}

// abortedTransactions is the length of the list. read_committed consumers who could read get one, which is
// empty since no transaction can have been begun; so do, in Kafka, those who ask for what isn't here. For others it
// is null.
func (f *fetchCall) abortedTransactions(r *fetched) int {
	read := r.code == 0 && !r.result.Diverges
	if f.isolation == readCommitted && read || r.partition == nil {
		return 0
	}
	return -1
}

// partitionTail writes the tagged fields: where the logs part, and who leads now.
func (f *fetchCall) partitionTail(e *wire.Encoder, r *fetched) {
	moved := f.tellsLeader(r)
	e.Tags(boolToInt(r.result.Diverges) + boolToInt(moved))
	if !e.Flexible {
		return
	}
	if r.result.Diverges {
		e.Tag(0, func(e *wire.Encoder) {
			e.Int32(int32(r.result.Diverging.Epoch))
			e.Int64(int64(r.result.Diverging.End))
			e.Tags(0)
		})
	}
	if moved {
		leader, epoch := leaderNow(f.image, ident.TopicPartition{Topic: r.topic, Partition: r.at.partition})
		e.Tag(1, func(e *wire.Encoder) {
			e.Int32(int32(leader))
			e.Int32(epoch)
			e.Tags(0)
		})
	}
}

func (f *fetchCall) tellsLeader(r *fetched) bool {
	return f.call.Header.Version >= 16 &&
		(r.code == kerr.NotLeaderForPartition.Code || r.code == kerr.FencedLeaderEpoch.Code)
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tail writes where the leaders are that partitions told of (KIP-951).
func (f *fetchCall) tail(e *wire.Encoder) {
	leaders := f.movedLeaders()
	if len(leaders) == 0 {
		e.Tags(0)
		return
	}
	e.Tags(1)
	e.Tag(0, func(e *wire.Encoder) { encodeEndpoints(e, f.image, leaders, f.call.Client.Listener) })
}

// encodeEndpoints writes where brokers are that clients of the listener can reach.
func encodeEndpoints(e *wire.Encoder, image *metadata.Image, brokers []ident.BrokerID, listener string) {
	e.Length(len(brokers))
	for _, id := range brokers {
		broker, endpoint, _ := endpointOf(image, id, listener)
		e.Int32(int32(id))
		e.String(endpoint.Host)
		e.Int32(endpoint.Port)
		e.NullableString(rackOf(broker))
		e.Tags(0)
	}
}

// movedLeaders are the leaders that the answer names and clients can reach, each once.
func (f *fetchCall) movedLeaders() []ident.BrokerID {
	var leaders []ident.BrokerID
	for i := range f.parts {
		r := &f.parts[i]
		if r.skip || !f.tellsLeader(r) {
			continue
		}
		id, _ := leaderNow(f.image, ident.TopicPartition{Topic: r.topic, Partition: r.at.partition})
		if _, _, reachable := endpointOf(f.image, id, f.call.Client.Listener); reachable && !slices.Contains(leaders, id) {
			leaders = append(leaders, id)
		}
	}
	return leaders
}
