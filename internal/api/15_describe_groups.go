package api

import (
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeGroups 0-6. Version 3 can tell the caller's operations (KIP-430), 4 has static members (KIP-345), 5 is
// flexible. A group that isn't known is in state Dead, from 6 on with GROUP_ID_NOT_FOUND (KIP-1043).

func (a *API) describeGroups(c *Call, request *kmsg.DescribeGroupsRequest) {
	response := kmsg.NewPtrDescribeGroupsResponse()
	response.Groups = make([]kmsg.DescribeGroupsResponseGroup, len(request.Groups))
	if len(request.Groups) == 0 {
		c.Reply(response)
		return
	}
	waiting := newCountdown(len(request.Groups), func() { c.Reply(response) })
	for i, id := range request.Groups {
		answer := &response.Groups[i]
		if !a.authorized(c, opDescribe, metadata.GroupResource, id) {
			*answer = kmsg.NewDescribeGroupsResponseGroup()
			answer.Group, answer.ErrorCode = id, kerr.GroupAuthorizationFailed.Code
			waiting.done()
			continue
		}
		a.Groups.Describe(id, c.Header.Version, func(described kmsg.DescribeGroupsResponseGroup) {
			*answer = described
			if request.IncludeAuthorizedOperations && answer.ErrorCode == 0 {
				answer.AuthorizedOperations = groupOperations
			}
			waiting.done()
		})
	}
}
