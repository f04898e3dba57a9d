package controller

import (
	"context"
	"errors"
	"fmt"

	"barnabas/internal/metadata"
)

// The reasons for which a command is refused, one for each protocol error code of the same name.
var (
	ErrNotController            = errors.New("this broker is not the controller")
	ErrInvalidRequest           = errors.New("invalid request")
	ErrInvalidTopic             = errors.New("invalid topic")
	ErrTopicExists              = errors.New("the topic exists already")
	ErrUnknownTopic             = errors.New("unknown topic or partition")
	ErrUnknownTopicID           = errors.New("unknown topic id")
	ErrInvalidPartitions        = errors.New("invalid number of partitions")
	ErrInvalidReplicationFactor = errors.New("invalid replication factor")
	ErrInvalidReplicaAssignment = errors.New("invalid replica assignment")
	ErrInvalidConfig            = errors.New("invalid config")
	ErrTopicDeletionDisabled    = errors.New("topic deletion is disabled")
	ErrPolicyViolation          = errors.New("policy violation")
	ErrBrokerIDNotRegistered    = errors.New("the broker is not registered")
	ErrInvalidUpdateVersion     = errors.New("invalid feature level")
	ErrUnavailable              = errors.New("the metadata can't be changed at the moment")
	ErrResourceNotFound         = errors.New("the resource does not exist")
	ErrElectionNotNeeded        = errors.New("the election is not needed")
	ErrPreferredNotAvailable    = errors.New("the preferred leader is not available")
	ErrNoReassignment           = errors.New("no reassignment is in progress")
	ErrEligibleNotAvailable     = errors.New("no eligible leader is available")
)

// unavailable makes ErrUnavailable of what stood in the way, and says what has to come about first; nil of nil.
func unavailable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, metadata.ErrUnavailable):
		return fmt.Errorf("%w, for the keepers do not answer; try again once most of them do: %w", ErrUnavailable, err)
	case errors.Is(err, metadata.ErrFull):
		return fmt.Errorf("%w, for the keepers have no room left: raise their keeper.quota.bytes (ZOO_QUOTA_BYTES): %w", ErrUnavailable, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: it was not done within the time that the request gives, and may be done yet: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// Error is a refusal: one of the reasons above, and the words for the client.
type Error struct {
	Reason  error
	Message string
}

// Error is the message for the client.
func (e *Error) Error() string { return e.Message }

// Unwrap is the reason, so that errors.Is tells it.
func (e *Error) Unwrap() error { return e.Reason }

func refuse(reason error, format string, args ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, args...)}
}
