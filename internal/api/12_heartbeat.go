package api

import (
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Heartbeat 0-4. Version 3 has static members (KIP-345), 4 is flexible. While the group is loading it is well.

func (a *API) heartbeat(c *Call, request *kmsg.HeartbeatRequest) {
	response := kmsg.NewPtrHeartbeatResponse()
	if !a.authorized(c, opRead, metadata.GroupResource, request.Group) {
		response.ErrorCode = kerr.GroupAuthorizationFailed.Code
		c.Reply(response)
		return
	}
	a.Groups.Heartbeat(request, func(errorCode int16) {
		response.ErrorCode = errorCode
		c.Reply(response)
	})
}
