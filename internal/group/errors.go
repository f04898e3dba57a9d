package group

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"barnabas/internal/coordinator"
)

// code is the protocol's error for what the coordinator says about a command, as Kafka maps it.
func code(err error) int16 {
	var protocol *kerr.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &protocol):
		return protocol.Code
	case errors.Is(err, coordinator.ErrNotCoordinator), errors.Is(err, coordinator.ErrStorage):
		return kerr.NotCoordinator.Code
	case errors.Is(err, coordinator.ErrLoading):
		return kerr.CoordinatorLoadInProgress.Code
	case errors.Is(err, coordinator.ErrTimeout), errors.Is(err, coordinator.ErrQueueFull),
		errors.Is(err, coordinator.ErrNotEnoughReplicas):
		return kerr.CoordinatorNotAvailable.Code
	default:
		return kerr.UnknownServerError.Code
	}
}
