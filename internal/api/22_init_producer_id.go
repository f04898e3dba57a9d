package api

import (
	"errors"

	"barnabas/internal/record"
	"barnabas/internal/txn"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// InitProducerId 0-5, for idempotent producers. Version 2 is flexible, 3 sends the id and epoch that the producer has
// (KIP-360), 4 knows PRODUCER_FENCED, 5 TRANSACTION_ABORTABLE (KIP-890). A producer without a
// transactional id always gets a fresh id with epoch 0, also one that sends what it had: Kafka does
// so too, bumping is the client's.
//
// There are no transactions yet: with a transactional id the answer is
// TRANSACTIONAL_ID_AUTHORIZATION_FAILED, the one error that no client retries and every client shows as what it
// is, a transactional id that may not be used here.

func (a *API) initProducerID(c *Call, request *kmsg.InitProducerIDRequest) {
	response := kmsg.NewPtrInitProducerIDResponse()
	response.ProducerID, response.ProducerEpoch = -1, -1
	hasID, hasEpoch := request.ProducerID != -1, request.ProducerEpoch != -1
	switch {
	case c.Header.Version >= 3 && hasID != hasEpoch:
		response.ErrorCode = kerr.InvalidRequest.Code
	case request.TransactionalID != nil && *request.TransactionalID == "":
		response.ErrorCode = kerr.InvalidRequest.Code
	case request.TransactionalID != nil:
		response.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
	}
	if response.ErrorCode != 0 {
		c.Reply(response)
		return
	}
	a.Producers.Next(func(id record.ProducerID, err error) {
		switch {
		case err == nil:
			response.ProducerID, response.ProducerEpoch = int64(id), 0
		case errors.Is(err, txn.ErrUnavailable):
			response.ErrorCode = kerr.CoordinatorLoadInProgress.Code // the producer asks again
		default:
			response.ErrorCode = codeOf(err)
		}
		c.Reply(response)
	})
}
