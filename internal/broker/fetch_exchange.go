package broker

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/wire"
)

// The versions that brokers use among themselves: Fetch 17 names topics by id and stores of followers, ListOffsets 9
// the special timestamps that are needed.
const (
	peerFetch       = 17
	peerListOffsets = 9
)

// peerName is what a broker calls itself to another.
func peerName(id ident.BrokerID) string { return fmt.Sprintf("broker-%d", int32(id)) }

// ask sends a plan to the leader.
func (l *leaderFetch) ask(peer *wire.Peer, plan replication.FetchPlan) (wire.Answer[*kmsg.FetchResponse], error) {
	request := kmsg.NewPtrFetchRequest()
	request.Version = peerFetch
	request.ReplicaState.ID, request.ReplicaState.Epoch = int32(l.broker), int64(l.epoch())
	request.MaxWaitMillis = int32(l.settings.wait.Milliseconds())
	if plan.Within > 0 {
		request.MaxWaitMillis = min(request.MaxWaitMillis, int32(plan.Within.Milliseconds())+1)
	}
	if plan.AtOnce {
		request.MaxWaitMillis = 0
	}
	request.MinBytes, request.MaxBytes = int32(l.settings.minBytes), int32(min(l.settings.maxBytes, math.MaxInt32))
	request.SessionID, request.SessionEpoch = plan.Session, plan.Epoch
	for _, ask := range plan.Partitions {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch = ask.Partition, int32(ask.Epoch)
		p.FetchOffset, p.LastFetchedEpoch = int64(ask.Offset), int32(ask.LastEpoch)
		p.LogStartOffset, p.PartitionMaxBytes = int64(ask.LogStart), int32(l.settings.partitionMaxBytes)
		p.ReplicaDirectoryID = ask.Store
		if ask.Trial {
			p.PartitionMaxBytes = 0
		}
		last := len(request.Topics) - 1
		if last < 0 || request.Topics[last].TopicID != ask.Topic {
			t := kmsg.NewFetchRequestTopic()
			t.TopicID = ask.Topic
			request.Topics, last = append(request.Topics, t), last+1
		}
		request.Topics[last].Partitions = append(request.Topics[last].Partitions, p)
	}
	for _, key := range plan.Forgotten {
		t := kmsg.NewFetchRequestForgottenTopic()
		t.TopicID, t.Partitions = key.Topic, []int32{key.Partition}
		request.ForgottenTopics = append(request.ForgottenTopics, t)
	}
	return wire.Call[*kmsg.FetchResponse](peer, request, l.settings.timeout+l.settings.wait)
}

// take hands the answer to the partitions. An error means that the connection is of no more use.
func (l *leaderFetch) take(peer *wire.Peer, response *kmsg.FetchResponse) error {
	switch kerr.ErrorForCode(response.ErrorCode) {
	case nil:
	case kerr.FetchSessionIDNotFound, kerr.InvalidFetchSessionEpoch, kerr.FetchSessionTopicIDError:
		l.mu.Lock()
		l.core.Reset()
		l.mu.Unlock()
		return nil
	default:
		return kerr.ErrorForCode(response.ErrorCode)
	}
	l.mu.Lock()
	l.core.Answered(response.SessionID)
	l.mu.Unlock()
	if len(response.Topics) > 0 { // a leader with nothing new names none
		l.cores.Heard()
	}
	l.expectCuts(response)
	var outside []replication.FetchKey
	for i := range response.Topics {
		t := &response.Topics[i]
		for j := range t.Partitions {
			key := replication.FetchKey{Topic: t.TopicID, Partition: t.Partitions[j].Partition}
			if l.takePartition(key, &t.Partitions[j]) {
				outside = append(outside, key)
			}
		}
	}
	return l.takeBounds(peer, outside)
}

// takePartition hands over one partition's part, and tells whether its offset is out of the leader's range.
func (l *leaderFetch) takePartition(key replication.FetchKey, in *kmsg.FetchResponseTopicPartition) (outside bool) {
	ask, p := l.question(key)
	if p == nil {
		return false
	}
	if in.ErrorCode == kerr.OffsetOutOfRange.Code {
		return true
	}
	if in.ErrorCode != 0 {
		l.partitionFailed(key, p, kerr.ErrorForCode(in.ErrorCode))
		return false
	}
	answer := copied(ask, in)
	cut, err := p.Copy(answer)
	if counts, _ := p.TakesThrottled(); counts {
		l.partitions.Throttles().Follower.Spend(len(in.RecordBatches), time.Now())
	}
	l.settle(key, p, cut, err)
	if err == nil && !answer.Diverges {
		l.took(key, answer)
	}
	return false
}

// copied is a partition's part of an answer.
func copied(ask replication.FetchAsk, in *kmsg.FetchResponseTopicPartition) replication.Copied {
	return replication.Copied{
		Epoch: ask.Epoch, Offset: ask.Offset, Batches: in.RecordBatches,
		HighWatermark: record.Offset(in.HighWatermark), LogStart: record.Offset(in.LogStartOffset),
		Diverges: diverges(in),
		Diverging: replication.EpochEnd{
			Epoch: record.Epoch(in.DivergingEpoch.Epoch), End: record.Offset(in.DivergingEpoch.EndOffset),
		},
	}
}

// diverges tells whether a leader's answer is that the follower has what the leader has not.
func diverges(in *kmsg.FetchResponseTopicPartition) bool {
	return in.ErrorCode == 0 && in.DivergingEpoch.EndOffset >= 0
}

// expectCuts has the cuts of one answer share what each would write. After a leader has gone there is one for
// every partition of which this broker had copied more than the new leader.
func (l *leaderFetch) expectCuts(response *kmsg.FetchResponse) {
	var parting []replication.Parting
	for i := range response.Topics {
		t := &response.Topics[i]
		for j := range t.Partitions {
			if in := &t.Partitions[j]; diverges(in) {
				if ask, p := l.question(replication.FetchKey{Topic: t.TopicID, Partition: in.Partition}); p != nil {
					parting = append(parting, replication.Parting{Partition: p, Copied: copied(ask, in)})
				}
			}
		}
	}
	if len(parting) > 1 {
		replication.ExpectCuts(parting)
	}
}

// question is what a partition's answer answers; nil if the partition isn't fetched here any more.
func (l *leaderFetch) question(key replication.FetchKey) (replication.FetchAsk, *replication.Partition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ask, replica, ok := l.core.Asked(key)
	if !ok {
		return ask, nil
	}
	return ask, replica.(*replication.Partition)
}

// settle notes how taking over an answer went.
func (l *leaderFetch) settle(key replication.FetchKey, p *replication.Partition, cut replication.Cut, err error) {
	switch {
	case errors.Is(err, replication.ErrNotLeader), errors.Is(err, replication.ErrFencedEpoch):
		return // the role has changed meanwhile, and what to fetch with it
	case err != nil:
		l.partitionFailed(key, p, err)
		return
	case cut.Any():
		log := l.logger.Info
		if cut.From < cut.HighWatermark {
			log = l.logger.Error
		}
		log("records that the leader does not have are cut off", "partition", p.Name().String(),
			"from", int64(cut.From), "to", int64(cut.To), "highWatermark", int64(cut.HighWatermark))
	}
	l.mu.Lock()
	l.core.Succeeded(key)
	l.mu.Unlock()
}

func (l *leaderFetch) partitionFailed(key replication.FetchKey, p *replication.Partition, err error) {
	l.mu.Lock()
	pause := l.core.Failed(key, time.Now())
	l.mu.Unlock()
	level := l.logger.Debug
	if pause >= l.settings.backoff { // it isn't only that the leader has yet to hear of its election
		level = l.logger.Warn
	}
	level("partition can't be copied, trying again", "partition", p.Name().String(), "error", err, "after", pause.String())
}

// takeBounds asks where the leader's logs begin and end whose range a fetch was out of, and goes by that.
func (l *leaderFetch) takeBounds(peer *wire.Peer, keys []replication.FetchKey) error {
	for _, key := range keys {
		ask, p := l.question(key)
		if p == nil {
			continue
		}
		start, err := l.listOffset(peer, p, ask, replication.EarliestTimestamp)
		if err != nil {
			return err
		}
		end, err := l.listOffset(peer, p, ask, replication.LatestTimestamp)
		if err != nil {
			return err
		}
		if start < 0 || end < start {
			l.partitionFailed(key, p, kerr.OffsetOutOfRange)
			continue
		}
		cut, err := p.OutOfRange(ask.Epoch, start, end)
		if err == nil && !cut.Any() && p.Position().Offset == ask.Offset {
			err = kerr.OffsetOutOfRange // in range by now
		}
		l.settle(key, p, cut, err)
	}
	return nil
}

// listOffset is -1 when the leader refuses.
func (l *leaderFetch) listOffset(
	peer *wire.Peer, p *replication.Partition, ask replication.FetchAsk, timestamp int64,
) (record.Offset, error) {
	request := kmsg.NewPtrListOffsetsRequest()
	request.Version, request.ReplicaID = peerListOffsets, int32(l.broker)
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = p.Name().Topic
	one := kmsg.NewListOffsetsRequestTopicPartition()
	one.Partition, one.CurrentLeaderEpoch, one.Timestamp = ask.Partition, int32(ask.Epoch), timestamp
	t.Partitions = append(t.Partitions, one)
	request.Topics = append(request.Topics, t)
	answer, err := wire.Call[*kmsg.ListOffsetsResponse](peer, request, l.settings.timeout)
	if err != nil {
		return -1, err
	}
	defer answer.Free()
	for _, t := range answer.Response.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 {
				return record.Offset(p.Offset), nil
			}
		}
	}
	return -1, nil
}
