package keeper

import (
	"context"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
)

// three are members of an ensemble in this process.
func three(t *testing.T) []*Member {
	t.Helper()
	return newPending(t).start(t.TempDir(), t.TempDir(), t.TempDir())
}

// awaitLeader is the one of the members that leads.
func awaitLeader(t *testing.T, members []*Member) (leader *Member) {
	t.Helper()
	awaitThat(t, "a leader", func() bool {
		for _, m := range members {
			if s := m.running(); s != nil && s.Leader() == s.MemberID() {
				leader = m
			}
		}
		return leader != nil
	})
	return leader
}

func awaitThat(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(memberPatience); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A member that was succeeded and could not take itself out before it ended counts as one that is missing: the leader takes
// it out, and the next one of its number does not take it for its own successor.
func TestPredecessorThatCouldNotLeave(t *testing.T) {
	members := three(t)
	server := members[0].running()
	urls, err := peerURL("127.0.0.9:1") // nobody is there
	if err != nil {
		t.Fatal(err)
	}
	gone := membership.NewMember(nameOf(1), urls, "before", nil)
	ctx, cancel := context.WithTimeout(t.Context(), memberPatience)
	defer cancel()
	err = agree(ctx, memberPatience, membership.ErrIDExists, func(ctx context.Context) error {
		_, err := server.AddMember(ctx, *gone)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if inPlace, admitted := members[0].successor(ctx, server, map[types.ID]time.Time{}); inPlace || admitted {
		t.Errorf("a member that has gone counts as the successor: in its place %v, on its way %v", inPlace, admitted)
	}
	awaitThat(t, "the member that has gone to be taken out", func() bool {
		return members[1].running().Cluster().Member(gone.ID) == nil
	})
	for _, m := range members {
		if m.running().Cluster().Member(m.running().MemberID()) == nil {
			t.Errorf("keeper %d is taken out, which is there", m.Number())
		}
	}
}

// The leadership goes to a member that stays, not to one that has been told to stop too.
func TestLeadershipGoesToOneThatStays(t *testing.T) {
	members := three(t)
	leader := awaitLeader(t, members)
	var stays *Member
	for _, m := range members {
		if m != leader && stays == nil {
			stays = m
			continue
		}
		if m != leader {
			m.leaving.Store(true)
			defer m.leaving.Store(false)
		}
	}
	server := leader.running()
	transport, err := transportOf(server)
	if err != nil {
		t.Fatal(err)
	}
	var others []*membership.Member
	for _, member := range server.Cluster().Members() {
		if member.ID != server.MemberID() {
			others = append(others, member)
		}
	}
	awaitThat(t, "the one that stays to be the first choice", func() bool {
		takers := leader.takers(t.Context(), others, transport.ActiveSince)
		return len(takers) == 2 && takers[0] == stays.running().MemberID()
	})
}
