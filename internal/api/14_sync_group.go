package api

import (
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SyncGroup 0-5. Version 3 has static members (KIP-345), 4 is flexible, 5 must name the protocol and its type (KIP-559).
// The answer comes when the leader has assigned and the generation is recorded.

func (a *API) syncGroup(c *Call, request *kmsg.SyncGroupRequest) {
	code := int16(0)
	switch {
	case c.Header.Version >= 5 && (request.ProtocolType == nil || request.Protocol == nil):
		code = kerr.InconsistentGroupProtocol.Code
	case !a.authorized(c, opRead, metadata.GroupResource, request.Group):
		code = kerr.GroupAuthorizationFailed.Code
	}
	if code != 0 {
		response := kmsg.NewPtrSyncGroupResponse()
		response.ErrorCode = code
		c.Reply(response)
		return
	}
	a.Groups.SyncGroup(request, func(response *kmsg.SyncGroupResponse) { c.Reply(response) })
}
