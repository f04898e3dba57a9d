package sim

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/record"
	"barnabas/sim/check"
)

// truth is what the metadata store says, seen without delay: the story of every partition, the checks of what may never
// happen there, and whose copies count.
type truth struct {
	memory *memstore.Memory
	store  *memstore.Store
	feed   *metadata.Feed
	tell   func(format string, args ...any)

	history *check.History
	mu      sync.Mutex
	leaders map[leadership]ident.BrokerID
	torn    map[copyOf]bool // copies whose ends a crash of their machine may have taken
	patient bool            // the keepers were wiped, and what they knew is put back: until then they may know older states
	wrong   []error
	homes   homes
}

// leadership is a leader epoch of a partition.
type leadership struct {
	topic  ident.TopicID
	number int32
	epoch  record.Epoch
}

// copyOf is a broker's copy of a partition.
type copyOf struct {
	topic  ident.TopicID
	number int32
	broker ident.BrokerID
}

func newTruth(r *clusterRun) (*truth, error) {
	t := &truth{
		memory: r.memory, store: r.memory.Open(memstore.Faults{}), tell: r.fault, history: r.env.History,
		leaders: map[leadership]ident.BrokerID{}, torn: map[copyOf]bool{},
		homes: homes{first: map[numbered]ident.BrokerID{}, coming: make(chan metadata.Refuge)},
	}
	feed, err := metadata.StartFeed(context.Background(), t.store, r.Logger)
	if err != nil {
		return nil, err
	}
	t.feed = feed
	feed.Subscribe(t.follow)
	return t, nil
}

// bear sets whether the keepers may know what is older than what they knew.
func (t *truth) bear(older bool) {
	t.mu.Lock()
	t.patient = older
	t.mu.Unlock()
}

func (t *truth) close() {
	t.feed.Stop()
	t.store.Close()
}

// now is the newest image, whatever has happened to be under way.
func (t *truth) now() *metadata.Image {
	if err := t.feed.Await(context.Background(), t.memory.Revision()); err != nil {
		panic(err)
	}
	return t.feed.Current()
}

// follow checks each change.
func (t *truth) follow(_, _ *metadata.Image, delta *metadata.Delta) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range delta.Partitions {
		if c.New == nil {
			continue
		}
		if c.Old == nil || c.Old.Leader != c.New.Leader || c.Old.LeaderEpoch != c.New.LeaderEpoch {
			t.tell("%s-%d: epoch %d, leader %d, in sync %s, eligible %s", c.Topic, c.Number, c.New.LeaderEpoch, c.New.Leader,
				members(c.New.ISR), members(c.New.ELR))
		}
		t.checkPartition(c)
		t.homes.follow(c)
		if !t.patient { // by an older state a copy may be in no set that has been taken in since
			t.mendCopies(c)
		}
		t.tornAlone(c)
	}
	for _, l := range delta.Losses {
		t.tell("LOSS %s-%d [%d, %d) epoch %d: %s", l.Topic, l.Partition, l.Start, l.End, l.LeaderEpoch, l.Cause)
	}
}

func members(all []metadata.Member) string {
	var out []string
	for _, m := range all {
		out = append(out, fmt.Sprintf("%d/%.4s", m.Broker, m.Store))
	}
	return "{" + strings.Join(out, " ") + "}"
}

// checkPartition finds a second leader of an epoch, an epoch or a ceiling that goes back, and a leader while the stores are asked.
func (t *truth) checkPartition(c metadata.PartitionChange) {
	say := func(format string, args ...any) {
		t.wrong = append(t.wrong, fmt.Errorf("metadata: %s-%d: "+format, append([]any{c.Topic, c.Number}, args...)...))
	}
	at := leadership{c.TopicID, c.Number, c.New.LeaderEpoch}
	if c.New.Leader != ident.NoBroker {
		if was, ok := t.leaders[at]; ok && was != c.New.Leader {
			say("leader epoch %d is of %d and of %d", c.New.LeaderEpoch, was, c.New.Leader)
		}
		t.leaders[at] = c.New.Leader
		if c.New.Inquiry != metadata.NoInquiry {
			say("%d leads in epoch %d while the stores are asked", c.New.Leader, c.New.LeaderEpoch)
		}
	}
	if c.Old == nil || t.patient {
		return
	}
	if c.New.LeaderEpoch < c.Old.LeaderEpoch || c.New.Ceiling < c.Old.Ceiling || c.New.Epoch < c.Old.Epoch {
		say("went back from epochs %d and %d, ceiling %d to %d, %d and %d", c.Old.LeaderEpoch, c.Old.Epoch, c.Old.Ceiling,
			c.New.LeaderEpoch, c.New.Epoch, c.New.Ceiling)
	}
	if len(c.New.ISR) == 0 && len(c.New.ELR) == 0 && len(c.Old.ISR)+len(c.Old.ELR) > 0 {
		say("no copy counts any more")
	}
}

// mendCopies takes a torn copy for whole once it is in no set, for it comes back only with all there is; and once it leads
// a new epoch: what it holds is what there is.
func (t *truth) mendCopies(c metadata.PartitionChange) {
	for k := range t.torn {
		if k.topic != c.TopicID || k.number != c.Number {
			continue
		}
		_, inSync := c.New.InISR(k.broker)
		_, eligible := c.New.InELR(k.broker)
		leads := c.New.Leader == k.broker && c.Old != nil && c.New.LeaderEpoch > c.Old.LeaderEpoch
		if !inSync && !eligible || leads {
			delete(t.torn, k)
		}
	}
}

// tornAlone notes that those in sync have left a set to members whose machines had crashed unnoticed: what counts then
// may lack what was not synced.
func (t *truth) tornAlone(c metadata.PartitionChange) {
	sets := slices.Concat(c.New.ISR, c.New.ELR)
	if c.Old == nil || t.history.Outlasts(c.Topic) || slices.ContainsFunc(sets, func(m metadata.Member) bool { return !t.torn[copyOf{c.TopicID, c.Number, m.Broker}] }) {
		return
	}
	p := check.Partition{Topic: c.Topic, ID: hex.EncodeToString(c.TopicID[:]), Number: c.Number}
	t.tell("%s counts on torn copies alone", p)
	t.history.FaultOf(check.Crashed, map[check.Partition]bool{p: true})
}

// hit is a partition that loses its last copy that counts.
type hit struct {
	partition check.Partition
	// gone says that every store is destroyed, so that the ledger has to say so. Of a torn one nobody knows whether it lost.
	gone bool
}

// hits are the partitions that count on no other whole copy than those of a broker: where every copy in the sets is destroyed, any
// replica may be the last that holds something. stores are the disks as they are, of the broker's own those that are left to it.
func (t *truth) hits(broker ident.BrokerID, stores map[ident.BrokerID][]ident.StoreID) []hit {
	return t.hitsIn(t.now(), broker, stores)
}

func (t *truth) hitsIn(image *metadata.Image, broker ident.BrokerID, stores map[ident.BrokerID][]ident.StoreID) []hit {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []hit
	for topic := range image.Topics() {
		for n, p := range topic.Partitions() {
			sets := slices.Concat(p.ISR, p.ELR)
			// Stores are not known of those who were chosen when the topic was made. Until one is named no high watermark moves,
			// nor while who has left the in-sync set is eligible still: nothing is promised yet.
			unnamed := func(m metadata.Member) bool { return m.Store.IsZero() }
			if slices.ContainsFunc(sets, unnamed) || !p.HasReplica(broker) {
				continue
			}
			whole, there := false, false
			for _, m := range sets {
				if !slices.Contains(stores[m.Broker], m.Store) {
					continue
				}
				there = true
				whole = whole || !t.torn[copyOf{topic.ID, n, m.Broker}] || t.history.Outlasts(topic.Name)
			}
			counts := slices.ContainsFunc(sets, func(m metadata.Member) bool {
				return m.Broker == broker && !slices.Contains(stores[broker], m.Store)
			})
			if counts && !whole || !there {
				// While the stores are asked about torn copies, this one may have answered, and another one have as much.
				found = append(found, hit{partitionOf(topic, n), !there && p.Inquiry != metadata.InquiryTorn})
			}
		}
	}
	return found
}

// tear notes that a machine has crashed: whatever counts on its copies has to look elsewhere.
func (t *truth) tear(broker ident.BrokerID) {
	image := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for topic := range image.Topics() {
		for n, p := range topic.Partitions() {
			_, inSync := p.InISR(broker)
			_, eligible := p.InELR(broker)
			if inSync || eligible {
				t.torn[copyOf{topic.ID, n, broker}] = true
			}
		}
	}
}

func partitionOf(topic *metadata.Topic, n int32) check.Partition {
	return check.Partition{Topic: topic.Name, ID: hex.EncodeToString(topic.ID[:]), Number: n}
}

// leads tells whether a broker leads a partition.
func (t *truth) leads(topic string, n int32, broker ident.BrokerID) bool {
	p := t.feed.Current().Partition(ident.TopicPartition{Topic: topic, Partition: n})
	return p != nil && p.Leader == broker
}

// unsettled names the partitions that are not led with every replica in sync.
func (t *truth) unsettled() (bad []string) {
	for topic := range t.now().Topics() {
		for n, p := range topic.Partitions() {
			if p.Leader == ident.NoBroker || len(p.ISR) < len(p.Replicas) {
				bad = append(bad, fmt.Sprintf("%s-%d: epoch %d, leader %d, replicas %v, in sync %s, eligible %s",
					topic.Name, n, p.LeaderEpoch, p.Leader, p.Replicas, members(p.ISR), members(p.ELR)))
			}
		}
	}
	return bad
}
