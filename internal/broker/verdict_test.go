package broker

import (
	"slices"
	"testing"
	"time"

	"barnabas/internal/ident"
)

func TestCondemned(t *testing.T) {
	type ids = []ident.BrokerID
	late, soon := answerWithin, answerWithin-time.Millisecond
	fine := func(list ...ident.BrokerID) (peers []peerState) {
		for _, id := range list {
			peers = append(peers, peerState{id: id})
		}
		return peers
	}
	for _, c := range []struct {
		name  string
		peers []peerState
		want  ids
	}{
		{"all is well", fine(1, 2, 3), nil},
		{"a process has died", append(fine(2, 3), peerState{id: 1, doubters: ids{2, 3}, refused: ids{2, 3}}), ids{1}},
		{"of two brokers one has died", append(fine(2), peerState{id: 1, doubters: ids{2}, refused: ids{2}}), ids{1}},
		{"one peer alone is refused", append(fine(2, 3), peerState{id: 1, doubters: ids{2}, refused: ids{2}, age: soon}), nil},
		{"it refuses everybody, for it leaves", append(fine(2, 3), peerState{id: 1, leaving: true, doubters: ids{2, 3}, refused: ids{2, 3}}), nil},
		{"it died leaving", append(fine(2, 3), peerState{id: 1, leaving: true, doubters: ids{2, 3}, refused: ids{2, 3}, age: late}), ids{1}},
		{"it refuses everybody and lives", append(fine(2, 3), peerState{id: 1, answered: true, doubters: ids{2, 3}, refused: ids{2, 3}}), nil},

		{"vanished, still time to answer", append(fine(2, 3), peerState{id: 1, doubters: ids{2, 3}, age: soon}), nil},
		{"vanished", append(fine(2, 3), peerState{id: 1, doubters: ids{2, 3}, age: late}), ids{1}},
		{"silent to one peer and the keepers, another reaches it", append(fine(2, 3), peerState{id: 1, doubters: ids{2}, age: late}), nil},
		{"one link is cut", append(fine(2, 3), peerState{id: 1, doubters: ids{2}, answered: true, age: late}), nil},
		{"the link between two brokers is cut", []peerState{
			{id: 1, doubters: ids{2}, answered: true, age: late}, {id: 2, doubters: ids{1}, answered: true, age: late},
		}, nil},
		{"of two brokers one has vanished", append(fine(2), peerState{id: 1, doubters: ids{2}, age: late}), ids{1}},
		{"of three two have vanished", append(fine(3),
			peerState{id: 1, doubters: ids{3}, age: late}, peerState{id: 2, doubters: ids{3}, age: late}), ids{1, 2}},
		{"of three two have vanished, one after another", append(fine(3),
			peerState{id: 1, doubters: ids{2, 3}, age: late}, peerState{id: 2, doubters: ids{3}, age: soon}), ids{1}},
		{"two that a third can't reach, but the keepers can", append(fine(3),
			peerState{id: 1, doubters: ids{3}, answered: true, age: late}, peerState{id: 2, doubters: ids{3}, answered: true, age: late}), nil},

		{"cut off from the brokers, not from the keepers", []peerState{
			{id: 1, doubters: ids{2, 3}, answered: true, age: late},
			{id: 2, doubters: ids{1}, answered: true, age: late}, {id: 3, doubters: ids{1}, answered: true, age: late},
		}, ids{1}},
		{"four brokers split in the middle", []peerState{
			{id: 1, doubters: ids{3, 4}, answered: true, age: late}, {id: 2, doubters: ids{3, 4}, answered: true, age: late},
			{id: 3, doubters: ids{1, 2}, answered: true, age: late}, {id: 4, doubters: ids{1, 2}, answered: true, age: late},
		}, nil},
		{"five brokers split", []peerState{
			{id: 1, doubters: ids{4, 5}, answered: true, age: late}, {id: 2, doubters: ids{4, 5}, answered: true, age: late},
			{id: 3, doubters: ids{4, 5}, answered: true, age: late},
			{id: 4, doubters: ids{1, 2, 3}, answered: true, age: late}, {id: 5, doubters: ids{1, 2, 3}, answered: true, age: late},
		}, ids{4, 5}},
		{"one that has just woken up doubts everybody", []peerState{
			{id: 1, doubters: ids{2, 3}, age: late}, {id: 2, doubters: ids{1}, answered: true}, {id: 3, doubters: ids{1}, answered: true},
		}, ids{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := condemned(c.peers)
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("condemned %v, want %v", got, c.want)
			}
		})
	}
}
