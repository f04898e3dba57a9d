package broker

import (
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// Who may return is who would not be condemned at once again, for clusters of any size.
func TestWhoMayReturnStays(t *testing.T) {
	for size := 2; size <= 9; size++ {
		for reached := 0; reached < size; reached++ {
			me := peerState{id: 1, answered: true, age: answerWithin}
			peers := []peerState{}
			for id := 2; id <= size; id++ {
				if id-2 >= reached {
					me.doubters = append(me.doubters, ident.BrokerID(id))
				}
				peers = append(peers, peerState{id: ident.BrokerID(id)})
			}
			stays := len(condemned(append(peers, me))) == 0
			if got := mayReturn(size-1, reached); got != stays {
				t.Errorf("%d of %d others reached: may return %v, would stay %v", reached, size-1, got, stays)
			}
		}
	}
}

// A broker that was shut out is missed until the controller has acted everywhere.
func TestMissed(t *testing.T) {
	topic := ident.TopicID{1}
	member := func(id byte) metadata.Member {
		return metadata.Member{Broker: ident.BrokerID(id), Store: ident.StoreID{id}}
	}
	for _, c := range []struct {
		name string
		p    metadata.Partition
		here bool
		want bool
	}{
		{"it leads still", metadata.Partition{Leader: 1, ISR: []metadata.Member{member(1)}}, false, true},
		{"it is in sync still", metadata.Partition{Leader: 2, ISR: []metadata.Member{member(2), member(1)}}, false, true},
		{"it alone is in sync, and nobody leads", metadata.Partition{Leader: ident.NoBroker, ISR: []metadata.Member{member(1)}}, false, false},
		{"others go on without it", metadata.Partition{Leader: 2, ISR: []metadata.Member{member(2)}, ELR: []metadata.Member{member(1)}}, false, false},
		{"it is back already", metadata.Partition{Leader: 1, ISR: []metadata.Member{member(1)}}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.p.Replicas = []ident.BrokerID{1, 2}
			contents := map[string][]byte{
				metadata.TopicKey(topic):        metadata.EncodeTopic("t", 1),
				metadata.PartitionKey(topic, 0): metadata.EncodePartition(&c.p),
			}
			for id := byte(1); id <= 2; id++ {
				if id == 2 || c.here {
					b := metadata.Broker{Stores: []ident.StoreID{{id}}}
					contents[metadata.BrokerKey(ident.BrokerID(id))] = metadata.EncodeBroker(&b)
				}
			}
			image, err := metadata.ImageOf(1, func(yield func(string, []byte) bool) {
				for key, value := range contents {
					if !yield(key, value) {
						return
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := isMissed(image, 1); got != c.want {
				t.Errorf("missed: %v", got)
			}
		})
	}
}
