package group

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Describe tells of one group: its state, what its members are assigned, and once it is stable their metadata. A
// group that isn't known is Dead, which from version 6 on is an error.
func (g *Groups) Describe(
	groupID string, version int16, done func(kmsg.DescribeGroupsResponseGroup),
) {
	failed := func(err error) {
		r := kmsg.NewDescribeGroupsResponseGroup()
		r.Group = groupID
		r.ErrorCode = code(err)
		done(r)
	}
	g.command(groupID,
		func(m *machine, s *step) {
			response := m.describe(groupID, version)
			s.reply(func(err error) {
				if err != nil {
					failed(err)
					return
				}
				done(response)
			})
		}, failed)
}

func (m *machine) describe(groupID string, version int16) kmsg.DescribeGroupsResponseGroup {
	r := kmsg.NewDescribeGroupsResponseGroup()
	r.Group = groupID
	g := m.groups[groupID]
	if g == nil {
		r.State = stateDead
		if version >= 6 {
			message := fmt.Sprintf("Group %s not found.", groupID)
			r.ErrorCode, r.ErrorMessage = kerr.GroupIDNotFound.Code, &message
		}
		return r
	}
	r.State = g.state.String()
	r.ProtocolType = g.protocolType
	if g.state == stable {
		r.Protocol = g.protocolName()
	}
	for _, mb := range g.members {
		member := kmsg.DescribeGroupsResponseGroupMember{
			MemberID:   mb.id,
			InstanceID: mb.instanceID,
			ClientID:   mb.client.ID,
			ClientHost: mb.client.Host,
			// What a member has it keeps while the group rebalances, and is told so.
			MemberAssignment: mb.assignment,
		}
		if g.state == stable {
			member.ProtocolMetadata = mb.metadata(g.protocolName())
		}
		r.Members = append(r.Members, member)
	}
	return r
}
