package metadata_test

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
)

// Keepers that went back to a moment before a topic was deleted, and made again under its name, are told of both by a broker
// that lives: nothing is left of the first one, and the name is the second one's for everybody who follows.
func TestRecoveredFromBeforeADeletion(t *testing.T) {
	for range 8 { // the topics' ids are random, and their order counts
		synctest.Test(t, func(t *testing.T) {
			memory := memstore.NewMortal()
			store := memory.Open(memstore.Faults{})
			defer store.Close()
			state := metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2, 3), Ceiling: 100}
			for key, value := range sharedAt(t, 1, state, nil).Contents() {
				put(t, store, key, value)
			}
			kept := memory.Revision()
			again := ident.NewTopicID()
			state.Replicas = []ident.BrokerID{1, 2, 3}
			for _, ops := range [][]metadata.Op{
				metadata.DeletionOf(&metadata.Deletion{ID: lifeTopic, Name: "t"}),
				{metadata.Put(metadata.TopicKey(again), metadata.EncodeTopic("t", 1)), metadata.Put(metadata.PartitionKey(again, 0), metadata.EncodePartition(&state))},
			} {
				if _, err := store.Txn(t.Context(), metadata.Txn{Then: ops}); err != nil {
					t.Fatal(err)
				}
			}
			known, err := metadata.ReadImage(t.Context(), store)
			if err != nil {
				t.Fatal(err)
			}
			before, _ := store.Birth(t.Context())
			memory.Rebirth(kept)
			feed, err := metadata.StartFeed(t.Context(), store, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer feed.Stop()
			restoreOf(t, store, before.Ensemble, metadata.FromLife, 1, known)
			synctest.Wait()
			image := feed.Current()
			if topic := image.Topic("t"); topic == nil || topic.ID != again {
				t.Errorf("the name leads to %+v", topic)
			}
			if !image.Deleted(lifeTopic) {
				t.Error("the first topic does not count as deleted")
			}
			page, err := store.Range(t.Context(), metadata.RangeRequest{})
			if err != nil {
				t.Fatal(err)
			}
			for _, kv := range page.KVs {
				if strings.Contains(kv.Key, lifeTopic.String()) && kv.Key != metadata.DeletionKey(lifeTopic) {
					t.Errorf("%s is left", kv.Key)
				}
			}
		})
	}
}

// Two brokers live that know no more than what the keepers have kept, and go on by that. One that died with the keepers, and knows
// of a later moment, comes when they have gone on: what it knows does not undo that, nor take the topic away that was used since.
func TestLateAfterLivesThatHadAllThatWasKept(t *testing.T) {
	for _, written := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			memory := memstore.NewMortal()
			store := memory.Open(memstore.Faults{})
			defer store.Close()
			for key, value := range sharedAt(t, 1, metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2), Ceiling: 100}, nil).Contents() {
				put(t, store, key, value)
			}
			other := ident.NewTopicID()
			put(t, store, metadata.TopicKey(other), metadata.EncodeTopic("other", 1))
			put(t, store, metadata.PartitionKey(other, 0), metadata.EncodePartition(&metadata.Partition{Replicas: []ident.BrokerID{1, 2}, Leader: 1, ISR: members(1, 2)}))
			heard := imageOf(t, store)
			put(t, store, metadata.PartitionKey(lifeTopic, 0), metadata.EncodePartition(&metadata.Partition{
				Replicas: []ident.BrokerID{1, 2, 3}, Leader: 3, LeaderEpoch: 6, Epoch: 12, ISR: members(1, 2, 3), Ceiling: 100,
			}))
			if _, err := store.Txn(t.Context(), metadata.Txn{Then: metadata.DeletionOf(&metadata.Deletion{ID: other, Name: "other"})}); err != nil {
				t.Fatal(err)
			}
			again := ident.NewTopicID()
			put(t, store, metadata.TopicKey(again), metadata.EncodeTopic("other", 1))
			put(t, store, metadata.ProducersKey(), metadata.EncodeProducers(7000))
			later := imageOf(t, store)
			memory.Rebirth(heard.Revision())
			for _, id := range []ident.BrokerID{1, 2} {
				restoreOf(t, store, "life-1", metadata.FromLife, id, heard)
			}
			if next := imageOf(t, store).NextProducerID(); next <= 7000 {
				t.Errorf("producer id %d is given out again", next)
			}
			want := ident.BrokerID(1)
			if written {
				want = 2
				put(t, store, metadata.PartitionKey(lifeTopic, 0), metadata.EncodePartition(&metadata.Partition{
					Replicas: []ident.BrokerID{1, 2, 3}, Leader: 2, LeaderEpoch: 6, Epoch: 11, ISR: members(1, 2), Ceiling: 100,
				}))
			}
			restoreOf(t, store, "life-1", metadata.FromJournal, 3, later)
			image := imageOf(t, store)
			if got := image.Partition(ident.TopicPartition{Topic: "t"}); got.Leader != want || len(got.ISR) != 2 {
				t.Errorf("written %t: it is %+v", written, got)
			}
			if topic := image.Topic("other"); topic == nil || topic.ID != other || topic.Partition(0) == nil || image.TopicByID(again) != nil {
				t.Errorf("the topic that was used is %+v", topic)
			}
		})
	}
}

// A state that was put back with a leader is led, though nobody has written it since. One that a late broker knows takes its place only
// where all who count by it have what was acknowledged meanwhile: those in sync by the state that was put back.
func TestLateWhileAnotherLeads(t *testing.T) {
	for _, c := range []struct {
		name  string
		state metadata.Partition
		taken bool
	}{
		{"it had joined", metadata.Partition{Leader: 3, LeaderEpoch: 7, Epoch: 12, ISR: members(1, 2, 3)}, false},
		{"it is eligible by it", metadata.Partition{Leader: 1, LeaderEpoch: 7, Epoch: 12, ISR: members(1), ELR: members(3)}, false},
		{"another store of a member", metadata.Partition{Leader: 2, LeaderEpoch: 7, Epoch: 12, ISR: []metadata.Member{{Broker: 2, Store: ident.StoreID{9}}}}, false},
		{"one of those in sync was elected", metadata.Partition{Leader: 2, LeaderEpoch: 7, Epoch: 12, ISR: members(2), ELR: members(1)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: "b", Since: 1}}
				defer store.Close()
				restoreFrom(t, store, metadata.FromLife, 1, sharedAt(t, 100, metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2)}, nil))
				restoreFrom(t, store, metadata.FromJournal, 3, sharedAt(t, 110, c.state, nil))
				if got := partitionIn(t, store); (got.LeaderEpoch == c.state.LeaderEpoch) != c.taken {
					t.Errorf("it is %+v", got)
				}
			})
		})
	}
}

func imageOf(t *testing.T, store metadata.Store) *metadata.Image {
	t.Helper()
	image, err := metadata.ReadImage(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// Of one that died and one that has lived, both of which know of a newcomer in an in-sync set, the one that has lived puts that back: the
// other one can't tell whether others lead by what the keepers have kept.
func TestThoseThatLivedPutBackFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.NewMortal()
		store := memory.Open(memstore.Faults{})
		defer store.Close()
		for key, value := range sharedAt(t, 1, metadata.Partition{Leader: 2, LeaderEpoch: 5, Epoch: 10, ISR: members(2, 3), Ceiling: 100}, nil).Contents() {
			put(t, store, key, value)
		}
		kept := memory.Revision()
		put(t, store, metadata.PartitionKey(lifeTopic, 0), metadata.EncodePartition(&metadata.Partition{
			Replicas: []ident.BrokerID{1, 2, 3}, Leader: 2, LeaderEpoch: 5, Epoch: 11, ISR: members(1, 2, 3), Ceiling: 100,
		}))
		known := imageOf(t, store)
		memory.Rebirth(kept)
		var all sync.WaitGroup
		for id, source := range map[ident.BrokerID]metadata.Source{1: metadata.FromJournal, 2: metadata.FromLife, 3: metadata.FromLife} {
			all.Go(func() { restoreOf(t, store, "life-1", source, id, known) })
		}
		all.Wait()
		if got := partitionIn(t, life{Store: store}); got.Epoch != 11 || len(got.ISR) != 3 {
			t.Errorf("it is %+v", got)
		}
	})
}

// Two come late, to a partition whose stores were asked about torn copies when the keepers lost everything. The one that knows less comes last:
// it does not put its older sets in the place of the later ones, nor begin another leader epoch.
func TestLateOneKnowsLessThanAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: "b", Since: 1}}
		defer store.Close()
		torn := metadata.Partition{Leader: ident.NoBroker, Inquiry: metadata.InquiryTorn, LeaderEpoch: 7, ISR: members(1, 2, 3)}
		for _, told := range []struct {
			broker   ident.BrokerID
			revision metadata.Revision
			epoch    int32
			isr      []metadata.Member
		}{{1, 100, 10, members(1, 2, 3)}, {2, 120, 12, members(2)}, {3, 110, 11, members(1, 2)}} {
			torn.Epoch, torn.ISR = told.epoch, told.isr
			restoreFrom(t, store, metadata.FromJournal, told.broker, sharedAt(t, told.revision, torn, nil))
		}
		if got := partitionIn(t, store); !slices.Equal(got.ISR, members(2)) || got.LeaderEpoch != 107 || got.Inquiry != metadata.InquiryRestored || got.Epoch <= 12 {
			t.Errorf("it is %+v", got)
		}
	})
}
