package api

import (
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListGroups 0-5: the groups that this broker coordinates. Version 3 is flexible, 4 filters by state (KIP-518), 5 by type
// (KIP-848).

func (a *API) listGroups(c *Call, request *kmsg.ListGroupsRequest) {
	a.Groups.List(request.StatesFilter, request.TypesFilter, func(response *kmsg.ListGroupsResponse) {
		visible := response.Groups[:0]
		for _, listed := range response.Groups {
			if a.authorized(c, opDescribe, metadata.GroupResource, listed.Group) {
				visible = append(visible, listed)
			}
		}
		response.Groups = visible
		c.Reply(response)
	})
}
