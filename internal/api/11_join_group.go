package api

import (
	"barnabas/internal/group"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// JoinGroup 0-9. Version 1 has a rebalance timeout of its own, 4 makes a new member join a second time with the
// id it got (KIP-394), 5 has static members (KIP-345), 6 is flexible, 7 answers with the protocol type, 8 gives
// the reason (KIP-800), 9 can tell a leader not to assign (KIP-814). The answer comes when the
// join phase ends.

func (a *API) joinGroup(c *Call, request *kmsg.JoinGroupRequest) {
	if !a.authorized(c, opRead, metadata.GroupResource, request.Group) {
		response := kmsg.NewPtrJoinGroupResponse()
		response.ErrorCode = kerr.GroupAuthorizationFailed.Code
		c.Reply(response)
		return
	}
	client := group.Client{ID: c.Header.ClientID, Host: c.Client.Address}
	a.Groups.JoinGroup(client, request, func(response *kmsg.JoinGroupResponse) { c.Reply(response) })
}
