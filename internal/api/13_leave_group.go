package api

import (
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LeaveGroup 0-5. Version 3 names several members, static ones by their instance alone (KIP-345), 4 is flexible, 5
// gives reasons (KIP-800). Before 3 the one member's error is the response's.

func (a *API) leaveGroup(c *Call, request *kmsg.LeaveGroupRequest) {
	if !a.authorized(c, opRead, metadata.GroupResource, request.Group) {
		response := kmsg.NewPtrLeaveGroupResponse()
		response.ErrorCode = kerr.GroupAuthorizationFailed.Code
		c.Reply(response)
		return
	}
	a.Groups.LeaveGroup(request, func(response *kmsg.LeaveGroupResponse) { c.Reply(response) })
}
