package step

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What members say in joining, and how their leader assigns: round robin, or cooperatively, where nobody is given what
// another one has until that one has given it up.

const sharedTopic = "shared"

func (mb *member) protocol() string {
	if mb.cooperative {
		return "cooperative-sticky"
	}
	return "roundrobin"
}

// subscription is what the member says of itself under its protocol.
func (mb *member) subscription() []byte {
	s := kmsg.NewConsumerMemberMetadata()
	s.Version, s.Topics = 2, []string{sharedTopic}
	s.Generation = mb.claimed
	if len(mb.owned) > 0 && mb.cooperative {
		s.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: sharedTopic, Partitions: mb.owned}}
	}
	return s.AppendTo(nil)
}

func encodeAssignment(numbers []int32) []byte {
	a := kmsg.NewConsumerMemberAssignment()
	a.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: sharedTopic, Partitions: numbers}}
	return a.AppendTo(nil)
}

// decodeAssignment is empty for a member that was assigned nothing, by a leader who did not know of it for one.
func decodeAssignment(assigned []byte) (numbers []int32) {
	var a kmsg.ConsumerMemberAssignment
	if len(assigned) == 0 || a.ReadFrom(assigned) != nil {
		return nil
	}
	for _, t := range a.Topics {
		numbers = append(numbers, t.Partitions...)
	}
	return numbers
}

// assign gives every partition to one member.
func (mb *member) assign(members []kmsg.JoinGroupResponseMember) (all []kmsg.SyncGroupRequestGroupAssignment) {
	slices.SortFunc(members, func(a, b kmsg.JoinGroupResponseMember) int { return cmp.Compare(a.MemberID, b.MemberID) })
	shares := make([][]int32, len(members))
	if mb.cooperative {
		shares = cooperate(members)
	} else {
		for p := range int32(partitions) {
			shares[int(p)%len(members)] = append(shares[int(p)%len(members)], p)
		}
	}
	for i, other := range members {
		all = append(all, kmsg.SyncGroupRequestGroupAssignment{
			MemberID: other.MemberID, MemberAssignment: encodeAssignment(shares[i]),
		})
	}
	return all
}

// cooperate leaves everybody what it has, up to a fair share; what nobody has goes to those who have least.
func cooperate(members []kmsg.JoinGroupResponseMember) [][]int32 {
	owner, since := map[int32]int{}, map[int32]int32{}
	for i, other := range members {
		var s kmsg.ConsumerMemberMetadata
		if s.ReadFrom(other.ProtocolMetadata) != nil {
			continue
		}
		for _, t := range s.OwnedPartitions {
			for _, p := range t.Partitions {
				if _, claimed := owner[p]; !claimed || s.Generation > since[p] {
					owner[p], since[p] = i, s.Generation
				}
			}
		}
	}
	shares := make([][]int32, len(members))
	fair := (partitions + len(members) - 1) / len(members)
	for p := range int32(partitions) {
		if i, owned := owner[p]; owned && len(shares[i]) < fair {
			shares[i] = append(shares[i], p)
		}
	}
	for p := range int32(partitions) {
		if _, owned := owner[p]; owned {
			continue
		}
		least := 0
		for i := range shares {
			if len(shares[i]) < len(shares[least]) {
				least = i
			}
		}
		shares[least] = append(shares[least], p)
	}
	return shares
}
