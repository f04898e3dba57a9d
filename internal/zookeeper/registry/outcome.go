package registry

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/zookeeper/jute"
)

// Outcome is what the controller's answer to an Order's request means to the client, nil where it is done. Of a
// reassignment and an election the parts that can't be carried out are told in the error and, as Kafka's controller had
// it, not to the client, unless none can.
func Outcome(response kmsg.Response) error {
	var parts []error
	part := func(name string, code int16, message *string) {
		err := kerr.ErrorForCode(code)
		switch {
		case errors.Is(err, kerr.ElectionNotNeeded):
			err = nil
		case err != nil && message != nil:
			err = fmt.Errorf("%s: %w: %s", name, err, *message)
		case err != nil:
			err = fmt.Errorf("%s: %w", name, err)
		}
		parts = append(parts, err)
	}
	switch r := response.(type) {
	case *kmsg.CreateTopicsResponse:
		for _, t := range r.Topics {
			part(t.Topic, t.ErrorCode, t.ErrorMessage)
		}
	case *kmsg.DeleteTopicsResponse:
		for _, t := range r.Topics {
			name := ""
			if t.Topic != nil {
				name = *t.Topic
			}
			part(name, t.ErrorCode, t.ErrorMessage)
		}
	case *kmsg.CreatePartitionsResponse:
		for _, t := range r.Topics {
			part(t.Topic, t.ErrorCode, t.ErrorMessage)
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		for _, c := range r.Resources {
			part(c.ResourceName, c.ErrorCode, c.ErrorMessage)
		}
	case *kmsg.AlterPartitionAssignmentsResponse:
		part("the reassignment", r.ErrorCode, r.ErrorMessage)
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				part(fmt.Sprintf("%s-%d", t.Topic, p.Partition), p.ErrorCode, p.ErrorMessage)
			}
		}
		if r.ErrorCode == 0 && len(parts) > 1 {
			parts = parts[1:]
		}
	case *kmsg.ElectLeadersResponse:
		part("the election", r.ErrorCode, nil)
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				part(fmt.Sprintf("%s-%d", t.Topic, p.Partition), p.ErrorCode, p.ErrorMessage)
			}
		}
	}
	return summary(parts)
}

// summary is nothing where all went well, and a Refusal where nothing did.
func summary(parts []error) error {
	failed := errors.Join(parts...)
	if failed == nil {
		return nil
	}
	for _, err := range parts {
		if err == nil {
			return failed
		}
	}
	return &Refusal{codeOf(failed), failed.Error()}
}

// codeOf is the code of ZooKeeper's that comes nearest.
func codeOf(err error) jute.Code {
	switch {
	case errors.Is(err, kerr.TopicAlreadyExists):
		return jute.NodeExists
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return jute.NoNode
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed),
		errors.Is(err, kerr.TopicDeletionDisabled):
		return jute.NoAuth
	case errors.Is(err, kerr.RequestTimedOut), errors.Is(err, kerr.NotController):
		return jute.OperationTimeout
	}
	return jute.BadArguments
}
