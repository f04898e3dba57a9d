package api

import (
	"slices"

	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteGroups 0-3: groups without members, with their offsets. Version 2 is flexible, 3 has error messages. A group
// named twice is deleted once.

func (a *API) deleteGroups(c *Call, request *kmsg.DeleteGroupsRequest) {
	response := kmsg.NewPtrDeleteGroupsResponse()
	var ids []string
	for _, id := range request.Groups {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	response.Groups = make([]kmsg.DeleteGroupsResponseGroup, len(ids))
	if len(ids) == 0 {
		c.Reply(response)
		return
	}
	waiting := newCountdown(len(ids), func() { c.Reply(response) })
	for i, id := range ids {
		answer := &response.Groups[i]
		answer.Group = id
		if !a.authorized(c, opDelete, metadata.GroupResource, id) {
			answer.ErrorCode = kerr.GroupAuthorizationFailed.Code
			waiting.done()
			continue
		}
		a.Groups.DeleteGroup(id, func(errorCode int16) {
			answer.ErrorCode = errorCode
			waiting.done()
		})
	}
}
