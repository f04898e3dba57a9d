package api

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/replication"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListOffsets 1-11. Version 2 adds the isolation level, 4 leader epochs (KIP-320), 6 is flexible, 7 finds the
// largest timestamp (-3, KIP-734), 8 the local log's start (-4, KIP-405), 9 the end of what is tiered (-5, KIP-1005), 10 has a
// timeout for reading from tiers, 11 the first offset not tiered yet (-6, KIP-1023). Nothing is tiered here: the local log starts where the log
// does, and -5 and -6 find nothing. A special timestamp that the version does not know is UNSUPPORTED_VERSION.

// debuggingReplica is the replica id of tools that want to read whatever any replica has.
const debuggingReplica = -2

func (a *API) listOffsets(c *Call, request *kmsg.ListOffsetsRequest) *kmsg.ListOffsetsResponse {
	response := kmsg.NewPtrListOffsetsResponse()
	image := a.Metadata.Current()
	twice := repeated(request)
	for i := range request.Topics {
		t := &request.Topics[i]
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic = t.Topic
		for j := range t.Partitions {
			tp := ident.TopicPartition{Topic: t.Topic, Partition: t.Partitions[j].Partition}
			answer := kmsg.NewListOffsetsResponseTopicPartition()
			answer.Partition, answer.Offset, answer.Timestamp, answer.LeaderEpoch = tp.Partition, -1, -1, -1
			switch {
			case !a.authorized(c, opDescribe, metadata.TopicResource, tp.Topic):
				answer.ErrorCode = kerr.TopicAuthorizationFailed.Code
			case twice[tp]:
				answer.ErrorCode = kerr.InvalidRequest.Code
			default:
				a.lookUp(c, request, image, tp, &t.Partitions[j], &answer)
			}
			topic.Partitions = append(topic.Partitions, answer)
		}
		if len(topic.Partitions) > 0 { // of one without any Kafka says nothing
			response.Topics = append(response.Topics, topic)
		}
	}
	return response
}

// repeated are the partitions that a request names more than once.
func repeated(request *kmsg.ListOffsetsRequest) map[ident.TopicPartition]bool {
	seen := make(map[ident.TopicPartition]bool)
	for i := range request.Topics {
		for j := range request.Topics[i].Partitions {
			tp := ident.TopicPartition{Topic: request.Topics[i].Topic, Partition: request.Topics[i].Partitions[j].Partition}
			_, again := seen[tp]
			seen[tp] = again
		}
	}
	return seen
}

func (a *API) lookUp(
	c *Call, request *kmsg.ListOffsetsRequest, image *metadata.Image, tp ident.TopicPartition,
	in *kmsg.ListOffsetsRequestTopicPartition, answer *kmsg.ListOffsetsResponseTopicPartition,
) {
	if in.Timestamp < lowestTimestamp(c.Header.Version) {
		answer.ErrorCode = kerr.UnsupportedVersion.Code
		return
	}
	partition, err := a.Partitions.Get(tp.Topic, tp.Partition)
	if err != nil {
		answer.ErrorCode = missing(image, tp)
		return
	}
	lookup := replication.LookupRequest{
		Timestamp: in.Timestamp, CurrentEpoch: record.Epoch(in.CurrentLeaderEpoch),
		UpTo: replication.AtHighWatermark, AnyReplica: request.ReplicaID == debuggingReplica,
	}
	switch {
	case request.ReplicaID != -1:
		lookup.UpTo = replication.AtLogEnd
	case request.IsolationLevel == readCommitted:
		lookup.UpTo = replication.AtLastStable
	}
	found, err := partition.Lookup(lookup)
	answer.ErrorCode = lookupCode(err, c.Header.Version)
	if err == nil {
		answer.Offset, answer.Timestamp, answer.LeaderEpoch = int64(found.Offset), found.Timestamp, int32(found.Epoch)
	} else if answer.ErrorCode == kerr.UnknownServerError.Code {
		c.logger().Error("offset lookup failed", "partition", tp.String(), "error", err)
	}
}

// lookupCode tells older clients to look for the leader again where newer ones know to try again here (KIP-207).
func lookupCode(err error, version int16) int16 {
	code := codeOf(err)
	if code == kerr.OffsetNotAvailable.Code && version < 5 {
		return kerr.LeaderNotAvailable.Code
	}
	return code
}

// lowestTimestamp is the last special timestamp that a version knows.
func lowestTimestamp(version int16) int64 {
	switch {
	case version >= 11:
		return replication.EarliestPendingUpload
	case version >= 9:
		return replication.LatestTieredTimestamp
	case version >= 8:
		return replication.EarliestLocalTimestamp
	case version >= 7:
		return replication.MaxTimestamp
	}
	return replication.EarliestTimestamp
}
