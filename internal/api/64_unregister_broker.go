package api

import (
	"barnabas/internal/ident"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// UnregisterBroker 0 (KIP-631): forgets a broker that is gone for good. One that is alive is refused.

func (a *API) unregisterBroker(c *Call, request *kmsg.UnregisterBrokerRequest) *kmsg.UnregisterBrokerResponse {
	response := kmsg.NewPtrUnregisterBrokerResponse()
	ctx, cancel := a.withinDefault()
	defer cancel()
	err := a.Controller.UnregisterBroker(ctx, ident.BrokerID(request.BrokerID))
	response.ErrorCode, response.ErrorMessage = codeOf(err), messageOf(err)
	return response
}
