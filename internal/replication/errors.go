package replication

import "errors"

// What a partition may answer. The api room gives each its protocol code.
var (
	// ErrUnknownPartition: this broker holds no such partition (UNKNOWN_TOPIC_OR_PARTITION).
	ErrUnknownPartition = errors.New("this broker holds no such partition")
	// ErrNotLeader: another broker leads, or nobody does (NOT_LEADER_OR_FOLLOWER).
	ErrNotLeader = errors.New("this broker does not lead the partition")
	// ErrFencedEpoch: the request names an older leader epoch than this broker's (FENCED_LEADER_EPOCH, KIP-320).
	ErrFencedEpoch = errors.New("the request's leader epoch is older than the partition's")
	// ErrUnknownEpoch: the request names a leader epoch this broker has not heard of yet (UNKNOWN_LEADER_EPOCH).
	ErrUnknownEpoch = errors.New("the request's leader epoch is newer than the one known here")
	// ErrNotEnoughReplicas: the in-sync set is below min.insync.replicas; nothing was written (NOT_ENOUGH_REPLICAS).
	ErrNotEnoughReplicas = errors.New("fewer replicas are in sync than min.insync.replicas asks for")
	// ErrNotEnoughReplicasAfterAppend: the records were written, and then the in-sync set fell below
	// min.insync.replicas (NOT_ENOUGH_REPLICAS_AFTER_APPEND).
	ErrNotEnoughReplicasAfterAppend = errors.New("records written, but to fewer replicas than min.insync.replicas")
	// ErrOffsetNotAvailable: a new leader does not yet know how far its predecessor's records are
	// safe (OFFSET_NOT_AVAILABLE, KIP-207).
	ErrOffsetNotAvailable = errors.New("the high watermark has not reached the start of the leader's epoch")
	// ErrOffsetOutOfRange: no record stands at the offset, nor will the next one (OFFSET_OUT_OF_RANGE).
	ErrOffsetOutOfRange = errors.New("offset out of range")
	// ErrStorage: the log directory that holds the partition is offline (KAFKA_STORAGE_ERROR).
	ErrStorage = errors.New("the log directory of the partition is offline")
	// ErrPolicy: records of a topic that is compacted and never expires can't be deleted (POLICY_VIOLATION).
	ErrPolicy = errors.New("the topic's cleanup.policy does not allow deleting records")
	// ErrCeiling: the partition may not assign more offsets before the metadata store has raised
	// its ceiling; nothing was written, and trying again is right (NOT_ENOUGH_REPLICAS).
	ErrCeiling = errors.New("the offset ceiling is reached and has not been raised yet")
)
