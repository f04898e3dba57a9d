package api

import (
	"barnabas/internal/group"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FindCoordinator 0-6. Version 4 asks for several keys at once, 3 is flexible; 5 and 6 are 4 with a new
// meaning of TRANSACTION_ABORTABLE and with share groups. The first request has __consumer_offsets made, and is answered
// COORDINATOR_NOT_AVAILABLE: the client asks again.
//
// There are no transactions yet. COORDINATOR_NOT_AVAILABLE would have a transactional producer ask for
// ever, so it gets INVALID_REQUEST and the reason in words, which clients show; a share key too, which is
// Kafka's answer where share groups are off.

// The types of coordinators.
const (
	groupCoordinator int8 = 0
	shareCoordinator int8 = 2
)

func (a *API) findCoordinator(c *Call, request *kmsg.FindCoordinatorRequest) *kmsg.FindCoordinatorResponse {
	response, image := kmsg.NewPtrFindCoordinatorResponse(), a.Metadata.Current()
	if c.Header.Version >= 4 {
		for _, key := range request.CoordinatorKeys {
			response.Coordinators = append(response.Coordinators,
				a.coordinatorOf(c, image, request.CoordinatorType, key))
		}
		return response
	}
	found := a.coordinatorOf(c, image, request.CoordinatorType, request.CoordinatorKey)
	response.ErrorCode, response.ErrorMessage = found.ErrorCode, found.ErrorMessage
	response.NodeID, response.Host, response.Port = found.NodeID, found.Host, found.Port
	return response
}

func (a *API) coordinatorOf(
	c *Call, image *metadata.Image, kind int8, key string,
) kmsg.FindCoordinatorResponseCoordinator {
	found := kmsg.FindCoordinatorResponseCoordinator{Key: key, NodeID: -1, Port: -1}
	message := ""
	if kind > shareCoordinator || kind < groupCoordinator {
		found.ErrorCode, message = kerr.InvalidRequest.Code, malformed
	} else if kind != groupCoordinator {
		found.ErrorCode, message = kerr.InvalidRequest.Code, groupsOnly
	} else if err := a.findGroupCoordinator(c, image, key, &found); err != nil {
		found.ErrorCode, message = err.Code, err.Description
	} else {
		message = "NONE" // as Kafka has it
	}
	if kind == groupCoordinator && c.Header.Version >= 4 {
		message = "" // it has words for those who ask for one alone
	}
	found.ErrorMessage = &message
	return found
}

const groupsOnly = "consumer groups have coordinators here; transactions and share groups are not served yet"

func (a *API) findGroupCoordinator(
	c *Call, image *metadata.Image, key string, found *kmsg.FindCoordinatorResponseCoordinator,
) *kerr.Error {
	if !a.authorized(c, opDescribe, metadata.GroupResource, key) {
		return kerr.GroupAuthorizationFailed
	}
	if image.Topic(group.Topic) == nil {
		a.creations.want(a.automatic(group.Topic), c.logger())
	}
	tp := ident.TopicPartition{Topic: group.Topic, Partition: a.Groups.PartitionFor(key)}
	partition := image.Partition(tp)
	if partition == nil || partition.Leader == ident.NoBroker {
		return kerr.CoordinatorNotAvailable
	}
	_, endpoint, ok := endpointOf(image, partition.Leader, c.Client.Listener)
	if !ok {
		return kerr.CoordinatorNotAvailable
	}
	found.NodeID, found.Host, found.Port = int32(partition.Leader), endpoint.Host, endpoint.Port
	return nil
}
