package api

import (
	"context"
	"errors"
	"fmt"

	"barnabas/internal/controller"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/storage"

	"github.com/twmb/franz-go/pkg/kerr"
)

// codes gives each error of a room the code that Kafka's clients know. An error that wraps several is the
// first of them in this list.
var codes = []struct {
	err  error
	code *kerr.Error
}{
	{replication.ErrUnknownPartition, kerr.UnknownTopicOrPartition},
	{replication.ErrNotLeader, kerr.NotLeaderForPartition},
	{replication.ErrFencedEpoch, kerr.FencedLeaderEpoch},
	{replication.ErrUnknownEpoch, kerr.UnknownLeaderEpoch},
	{replication.ErrNotEnoughReplicas, kerr.NotEnoughReplicas},
	{replication.ErrNotEnoughReplicasAfterAppend, kerr.NotEnoughReplicasAfterAppend},
	{replication.ErrCeiling, kerr.NotEnoughReplicas},
	{replication.ErrOffsetNotAvailable, kerr.OffsetNotAvailable},
	{replication.ErrOffsetOutOfRange, kerr.OffsetOutOfRange},
	{replication.ErrStorage, kerr.KafkaStorageError},
	{replication.ErrPolicy, kerr.PolicyViolation},
	{replication.ErrNameTooLong, kerr.InvalidTopicException},
	{replication.ErrUnknownDirectory, kerr.LogDirNotFound},
	{replication.ErrNoReplica, kerr.ReplicaNotAvailable},

	{storage.ErrOffsetOutOfRange, kerr.OffsetOutOfRange},
	{storage.ErrCorruptMessage, kerr.CorruptMessage},
	{storage.ErrInvalidRecord, kerr.InvalidRecord},
	{storage.ErrInvalidTimestamp, kerr.InvalidTimestamp},
	{storage.ErrMessageTooLarge, kerr.MessageTooLarge},
	{storage.ErrRecordListTooLarge, kerr.RecordListTooLarge},
	{storage.ErrUnsupportedCompression, kerr.UnsupportedCompressionType},
	{storage.ErrOutOfOrderSequence, kerr.OutOfOrderSequenceNumber},
	{storage.ErrDuplicateSequence, kerr.DuplicateSequenceNumber},
	{storage.ErrInvalidProducerEpoch, kerr.InvalidProducerEpoch},
	{storage.ErrUnknownProducerID, kerr.UnknownProducerID},
	{storage.ErrInvalidTxnState, kerr.InvalidTxnState},
	{storage.ErrTransactionCoordinatorFenced, kerr.TransactionCoordinatorFenced},
	{storage.ErrStorage, kerr.KafkaStorageError},
	{storage.ErrBudget, kerr.PolicyViolation},
	{storage.ErrDeleted, kerr.NotLeaderForPartition},

	// A producer's bytes that are no batch at all.
	{record.ErrCorrupt, kerr.CorruptMessage},
	{record.ErrShort, kerr.InvalidRecord},
	{record.ErrUnsupportedMagic, kerr.InvalidRecord},

	{controller.ErrNotController, kerr.NotController},
	{controller.ErrInvalidRequest, kerr.InvalidRequest},
	{controller.ErrInvalidTopic, kerr.InvalidTopicException},
	{controller.ErrTopicExists, kerr.TopicAlreadyExists},
	{controller.ErrUnknownTopic, kerr.UnknownTopicOrPartition},
	{controller.ErrUnknownTopicID, kerr.UnknownTopicID},
	{controller.ErrInvalidPartitions, kerr.InvalidPartitions},
	{controller.ErrInvalidReplicationFactor, kerr.InvalidReplicationFactor},
	{controller.ErrInvalidReplicaAssignment, kerr.InvalidReplicaAssignment},
	{controller.ErrInvalidConfig, kerr.InvalidConfig},
	{controller.ErrTopicDeletionDisabled, kerr.TopicDeletionDisabled},
	{controller.ErrPolicyViolation, kerr.PolicyViolation},
	{controller.ErrBrokerIDNotRegistered, kerr.BrokerIDNotRegistered},
	{controller.ErrInvalidUpdateVersion, kerr.InvalidUpdateVersion},
	{controller.ErrUnavailable, kerr.RequestTimedOut},
	{controller.ErrResourceNotFound, kerr.ResourceNotFound},
	{controller.ErrElectionNotNeeded, kerr.ElectionNotNeeded},
	{controller.ErrPreferredNotAvailable, kerr.PreferredLeaderNotAvailable},
	{controller.ErrNoReassignment, kerr.NoReassignmentInProgress},
	{controller.ErrEligibleNotAvailable, kerr.EligibleLeadersNotAvailable},

	{metadata.ErrUnavailable, kerr.RequestTimedOut},
	{context.DeadlineExceeded, kerr.RequestTimedOut},
	{context.Canceled, kerr.RequestTimedOut},
}

// codeOf is the protocol code of an error: 0 for none, UNKNOWN_SERVER_ERROR for one that no room names.
func codeOf(err error) int16 {
	if err == nil {
		return 0
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code.Code
		}
	}
	if known, ok := errors.AsType[*kerr.Error](err); ok {
		return known.Code
	}
	return kerr.UnknownServerError.Code
}

// messageOf is what a response says of an error beside its code; nil for none.
func messageOf(err error) *string {
	if err == nil {
		return nil
	}
	message := err.Error()
	if message == "" {
		return nil // the code says it all
	}
	return &message
}

// wordsOf are those of an error, empty where it has none beside its code.
func wordsOf(err error) *string {
	words := ""
	if _, bare := err.(*kerr.Error); err != nil && !bare {
		words = err.Error()
	}
	return &words
}

// malformed is what Kafka says of an INVALID_REQUEST that has no words of its own.
var malformed = "This most likely occurs because of a request being malformed by the client library or the message was sent to " +
	"an incompatible broker. See the broker logs for more details."

// refusal is an error with a code and words for the client.
type refusal struct {
	code    *kerr.Error
	message string
}

func (r refusal) Error() string { return r.message }
func (r refusal) Unwrap() error { return r.code }

func refuse(code *kerr.Error, format string, args ...any) error {
	return refusal{code, fmt.Sprintf(format, args...)}
}

// errorName is the name of a code as metrics show it.
func errorName(code int16) string {
	if code == 0 {
		return "NONE"
	}
	return kerr.TypedErrorForCode(code).Message
}
