package metadata_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
)

// life is a store in memory that knows which life of keepers it is.
type life struct {
	metadata.Store
	birth metadata.Birth
}

func (l life) Birth(context.Context) (metadata.Birth, error) { return l.birth, nil }

var (
	lifeCluster = ident.NewClusterID()
	lifeTopic   = ident.NewTopicID()
)

// image is what a broker knows at a revision: a topic whose only partition has an epoch, and its setting.
func knownAt(t *testing.T, revision metadata.Revision, epoch int32, retention string, members int) *metadata.Image {
	t.Helper()
	p := metadata.EncodePartition(&metadata.Partition{
		Replicas: []ident.BrokerID{1}, Leader: 1, LeaderEpoch: 3, Epoch: epoch, Ceiling: 100,
	})
	contents := map[string][]byte{
		metadata.FormatKey():                metadata.EncodeFormat(),
		metadata.ClusterKey():               metadata.EncodeCluster(metadata.Cluster{ID: lifeCluster, BornMs: 1}),
		metadata.TopicKey(lifeTopic):        metadata.EncodeTopic("t", 1),
		metadata.PartitionKey(lifeTopic, 0): p,
		metadata.ProducersKey():             metadata.EncodeProducers(1000),
		metadata.ConfigKey(metadata.Resource{Type: metadata.TopicResource, Name: "t"}): metadata.EncodeConfig(map[string]string{"retention.ms": retention}),
	}
	for id := range members {
		contents[metadata.MemberKey(ident.BrokerID(id+1))] = metadata.EncodeBroker(&metadata.Broker{})
	}
	image, err := metadata.ImageOf(revision, func(yield func(string, []byte) bool) {
		for key, value := range contents {
			if !yield(key, value) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// restoration is of what a broker knows of a life of the store.
func restoration(t *testing.T, store metadata.Store, of string, broker ident.BrokerID, known *metadata.Image, source metadata.Source) *metadata.Restoration {
	t.Helper()
	birth, err := metadata.BirthOf(bounded(t), store)
	if err != nil {
		t.Error(err)
	}
	return &metadata.Restoration{
		Store: store, Broker: broker, Image: known, Of: of, Birth: birth, Source: source, Logger: slog.New(slog.DiscardHandler),
	}
}

func restoreInto(t *testing.T, store life, broker ident.BrokerID, known *metadata.Image, of string) error {
	t.Helper()
	return restoration(t, store, of, broker, known, metadata.FromLife).Run(bounded(t))
}

func read(t *testing.T, store metadata.Store) (epoch int32, retention string) {
	t.Helper()
	image, err := metadata.ReadImage(bounded(t), store)
	if err != nil {
		t.Fatal(err)
	}
	if image.ClusterID() != lifeCluster || image.NextProducerID() < 1000 {
		t.Errorf("cluster %s, next producer %d", image.ClusterID(), image.NextProducerID())
	}
	p := image.Partition(ident.TopicPartition{Topic: "t"})
	if p == nil {
		t.Fatal("the partition is lost")
	}
	return p.Epoch, image.Config(metadata.Resource{Type: metadata.TopicResource, Name: "t"})["retention.ms"]
}

// Of several that know the cluster the furthest one puts it back.
func TestRebornFromTheFurthest(t *testing.T) {
	store := life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: "b", Since: 1}}
	var all sync.WaitGroup
	for broker, revision := range map[ident.BrokerID]metadata.Revision{1: 100, 2: 105, 3: 103} {
		all.Go(func() {
			if err := restoreInto(t, store, broker, knownAt(t, revision, int32(revision), revision64(revision), 3), "a"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if epoch, retention := read(t, store); epoch != 105 || retention != "105" {
		t.Errorf("epoch %d, retention %s", epoch, retention)
	}
	// One that comes late and knows a newer state of the partition adds that, and nothing else.
	if err := restoreInto(t, store, 4, knownAt(t, 110, 110, "110", 0), "a"); err != nil {
		t.Fatal(err)
	}
	if epoch, retention := read(t, store); epoch != 110 || retention != "105" {
		t.Errorf("after the late one: epoch %d, retention %s", epoch, retention)
	}
	// One that comes late and knows less changes nothing.
	if err := restoreInto(t, store, 5, knownAt(t, 90, 90, "90", 0), "a"); err != nil {
		t.Fatal(err)
	}
	if epoch, _ := read(t, store); epoch != 110 {
		t.Errorf("after the old one: epoch %d", epoch)
	}
}

// A topic that is deleted as soon as one broker has put back the metadata is not brought back by another one, which has waited
// for the others meanwhile, nor by one that comes late and knows more.
func TestDeletedAfterARebirth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: "b", Since: 1}}
		defer store.Close()
		second := make(chan error)
		go func() { second <- restoreInto(t, store, 2, knownAt(t, 100, 100, "100", 3), "a") }()
		synctest.Wait() // for the others
		if err := restoreInto(t, store, 1, knownAt(t, 100, 100, "100", 0), "a"); err != nil {
			t.Fatal(err)
		}
		_, err := store.Txn(t.Context(), metadata.Txn{Then: []metadata.Op{
			metadata.Delete(metadata.TopicKey(lifeTopic)), metadata.DeletePrefix(metadata.PartitionsOf(lifeTopic)),
			metadata.Put(metadata.DeletionKey(lifeTopic), metadata.EncodeDeletion(&metadata.Deletion{Name: "t"})),
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-second; err != nil {
			t.Fatal(err)
		}
		if err := restoreInto(t, store, 3, knownAt(t, 110, 110, "110", 0), "a"); err != nil {
			t.Fatal(err)
		}
		page, err := store.Range(t.Context(), metadata.RangeRequest{Prefix: metadata.PartitionsOf(lifeTopic)})
		if err != nil || len(page.KVs) > 0 {
			t.Errorf("the topic's partitions are back: %v, error %v", page.KVs, err)
		}
	})
}

func revision64(r metadata.Revision) string { return string(metadata.EncodeProducers(int64(r))) }

// An ensemble was recovered from an older log: what is newer is put back, and what had been deleted since goes again.
func TestRecoveredFromAnOlderLog(t *testing.T) {
	inner := memstore.New().Open(memstore.Faults{})
	gone := ident.NewTopicID()
	for key, value := range knownAt(t, 1, 90, "90", 0).Contents() {
		put(t, inner, key, value)
	}
	put(t, inner, metadata.TopicKey(gone), metadata.EncodeTopic("gone", 1))
	page, err := inner.Range(bounded(t), metadata.RangeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	store := life{inner, metadata.Birth{Ensemble: "b", Ancestors: []string{"a"}, Since: page.Revision + 1, Kept: 95}}
	if err := restoreInto(t, store, 1, knownAt(t, 95, 95, "95", 0), "a"); err != nil {
		t.Fatal(err)
	}
	if epoch, _ := read(t, store); epoch != 90 {
		t.Errorf("one that knows no more than was kept has put back something: epoch %d", epoch)
	}
	if err := restoreInto(t, store, 2, knownAt(t, 100, 100, "100", 0), "a"); err != nil {
		t.Fatal(err)
	}
	if epoch, retention := read(t, store); epoch != 100 || retention != "100" {
		t.Errorf("epoch %d, retention %s", epoch, retention)
	}
	image, err := metadata.ReadImage(bounded(t), store)
	if err != nil || image.Topic("gone") != nil {
		t.Errorf("a topic that had been deleted is back, error %v", err)
	}
}

func put(t *testing.T, store metadata.Store, key string, value []byte) {
	t.Helper()
	if _, err := store.Txn(bounded(t), metadata.Txn{Then: []metadata.Op{metadata.Put(key, value)}}); err != nil {
		t.Fatal(err)
	}
}

// The keepers lose everything while stores are asked about a partition. What has been said of a torn copy is put back, before the
// partition is: its broker's registration says so no more, and it would count as whole.
func TestRebornWithWhatStoresHaveSaid(t *testing.T) {
	said := metadata.Answer{BrokerEpoch: 7, LeaderEpoch: 3, Torn: true, Store: ident.StoreID{1}, End: 5}
	key := metadata.AnswerKey(lifeTopic, 0, 1)
	known, err := metadata.ImageOf(100, func(yield func(string, []byte) bool) {
		for key, value := range knownAt(t, 100, 9, "100", 1).Contents() {
			if !yield(key, value) {
				return
			}
		}
		yield(key, metadata.EncodeAnswer(&said))
	})
	if err != nil {
		t.Fatal(err)
	}
	for first := range known.Contents() {
		if first != key {
			t.Errorf("what stores have said comes after %s", first)
		}
		break
	}
	answersIn := func(store life) []*metadata.Answer {
		image, err := metadata.ReadImage(bounded(t), store)
		if err != nil {
			t.Fatal(err)
		}
		return image.Answers(lifeTopic, 0)
	}
	for what, restored := range map[string][]*metadata.Image{
		"the first": {known}, "one that is late": {knownAt(t, 99, 9, "99", 1), known},
	} {
		store := life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: "b", Since: 1}}
		for n, image := range restored {
			if err := restoreInto(t, store, ident.BrokerID(n+1), image, "a"); err != nil {
				t.Fatal(err)
			}
		}
		all := answersIn(store)
		if len(all) != 1 || !all[0].Torn || all[0].Store != said.Store || all[0].LeaderEpoch != said.LeaderEpoch || all[0].BrokerEpoch != 0 {
			t.Errorf("%s put back %v", what, all)
		}
	}
	store := life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: "b", Since: 1}}
	put(t, store, metadata.DeletionKey(lifeTopic), metadata.EncodeDeletion(&metadata.Deletion{Name: "t", AtMs: 1}))
	if err := restoreInto(t, store, 1, known, "a"); err != nil {
		t.Fatal(err)
	}
	if all := answersIn(store); len(all) != 0 {
		t.Errorf("answers about a deleted topic were put back: %v", all)
	}
}

// A store that was given to another cluster meanwhile is left alone.
func TestEmptyStoreWaitsForThoseWhoKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Born long ago, by the founder's clock: it has let nobody in until now.
		store := life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: "b", Since: 1}}
		var founded metadata.Cluster
		var all sync.WaitGroup
		all.Go(func() {
			var err error
			if founded, err = metadata.Found(t.Context(), store, metadata.Cluster{ID: ident.NewClusterID(), BornMs: 1}); err != nil {
				t.Error(err)
			}
		})
		<-time.After(900 * time.Millisecond)
		if err := restoreInto(t, store, 1, knownAt(t, 100, 100, "100", 0), "a"); err != nil {
			t.Error(err)
		}
		all.Wait()
		if founded.ID != lifeCluster {
			t.Error("the store was given to a new cluster before a broker that knows the old one could say so")
		}
	})
}

func TestRebornAsAnotherCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: "b", Since: 1}}
		if _, err := metadata.Found(bounded(t), store, metadata.Cluster{ID: ident.NewClusterID(), BornMs: 1}); err != nil {
			t.Fatal(err)
		}
		if err := restoreInto(t, store, 1, knownAt(t, 100, 100, "100", 0), "a"); !errors.Is(err, metadata.ErrOtherCluster) {
			t.Errorf("error %v", err)
		}
	})
}

// sharedAt is what brokers know of a partition with replicas on three of them.
func sharedAt(t *testing.T, revision metadata.Revision, state metadata.Partition, more map[string][]byte) *metadata.Image {
	t.Helper()
	state.Replicas = []ident.BrokerID{1, 2, 3}
	contents := maps.Collect(knownAt(t, revision, 1, "1", 3).Contents())
	contents[metadata.PartitionKey(lifeTopic, 0)] = metadata.EncodePartition(&state)
	maps.Copy(contents, more)
	image, err := metadata.ImageOf(revision, maps.All(contents))
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func restoreFrom(t *testing.T, store life, source metadata.Source, broker ident.BrokerID, known *metadata.Image) {
	t.Helper()
	restoreOf(t, store, "a", source, broker, known)
}

// restoreOf has a broker put back what it knows of a life of the store.
func restoreOf(t *testing.T, store metadata.Store, of string, source metadata.Source, broker ident.BrokerID, known *metadata.Image) {
	t.Helper()
	if err := restoration(t, store, of, broker, known, source).Run(t.Context()); err != nil {
		t.Error(err)
	}
}

func partitionIn(t *testing.T, store life) *metadata.Partition {
	t.Helper()
	image, err := metadata.ReadImage(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	return image.Partition(ident.TopicPartition{Topic: "t"})
}

// Nobody has lived on. Where all have said all that they know, what is put back is what there was; where one has not, its
// partitions wait, and have the later state when it has come.
func TestRebornFromDisks(t *testing.T) {
	older := metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2, 3), Ceiling: 100}
	newer := metadata.Partition{Leader: 3, LeaderEpoch: 5, Epoch: 11, ISR: members(3), Ceiling: 200}
	for _, c := range []struct {
		name    string
		bids    map[ident.BrokerID]metadata.Source
		lived   bool
		inquiry metadata.Inquiry
	}{
		{"all are complete", map[ident.BrokerID]metadata.Source{1: metadata.FromJournal, 2: metadata.FromJournal, 3: metadata.FromJournal}, false, metadata.NoInquiry},
		{"one is away", map[ident.BrokerID]metadata.Source{1: metadata.FromJournal, 2: metadata.FromJournal}, false, metadata.InquiryRestored},
		{"one lacks its end", map[ident.BrokerID]metadata.Source{1: metadata.FromJournal, 2: metadata.FromFile, 3: metadata.FromJournal}, false, metadata.InquiryRestored},
		{"one is away, one has lived", map[ident.BrokerID]metadata.Source{1: metadata.FromJournal, 2: metadata.FromLife}, true, metadata.NoInquiry},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: "b", Since: 1}}
				defer store.Close()
				var all sync.WaitGroup
				for id, source := range c.bids {
					all.Go(func() { restoreFrom(t, store, source, id, sharedAt(t, 100+metadata.Revision(id), older, nil)) })
				}
				all.Wait()
				got := partitionIn(t, store)
				if got.Inquiry != c.inquiry || (got.Leader == ident.NoBroker) != (c.inquiry != metadata.NoInquiry) {
					t.Fatalf("put back as %+v", got)
				}
				if c.inquiry == metadata.NoInquiry {
					return
				}
				fresh := ident.NewTopicID()
				restoreFrom(t, store, metadata.FromJournal, 3, sharedAt(t, 110, newer, map[string][]byte{
					metadata.TopicKey(fresh):        metadata.EncodeTopic("fresh", 1),
					metadata.PartitionKey(fresh, 0): metadata.EncodePartition(&metadata.Partition{Replicas: []ident.BrokerID{3}, Leader: 3}),
				}))
				got = partitionIn(t, store)
				if got.Inquiry != c.inquiry || got.Leader != ident.NoBroker || got.LeaderEpoch <= 5 || !slices.Equal(got.ISR, newer.ISR) || got.Ceiling <= 200 {
					t.Errorf("the late one has made it %+v", got)
				}
				image, err := metadata.ReadImage(t.Context(), store)
				if p := image.Partition(ident.TopicPartition{Topic: "fresh"}); err != nil || p == nil || p.Inquiry != metadata.InquiryRestored {
					t.Errorf("the topic that the late one alone knew of is %+v, error %v", p, err)
				}
			})
		})
	}
}

// What has gone on from what was put back is not undone by one that comes late: its records would be cut off.
func TestLateAfterAnElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: "b", Since: 1}}
		defer store.Close()
		restoreFrom(t, store, metadata.FromLife, 1, sharedAt(t, 100, metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2)}, nil))
		elected := metadata.Partition{Replicas: []ident.BrokerID{1, 2, 3}, Leader: 2, LeaderEpoch: 6, Epoch: 11, ISR: members(2)}
		put(t, store, metadata.PartitionKey(lifeTopic, 0), metadata.EncodePartition(&elected))
		restoreFrom(t, store, metadata.FromJournal, 3, sharedAt(t, 110, metadata.Partition{Leader: 3, LeaderEpoch: 7, Epoch: 12, ISR: members(3)}, nil))
		if got := partitionIn(t, store); got.Leader != 2 || got.LeaderEpoch != 6 {
			t.Errorf("it is %+v", got)
		}
	})
}

// A topic that was deleted while a broker was down, which is the first that is back, is deleted again when another one comes that knows of it,
// and gives its name to the one made since. It stays where somebody may have used it meanwhile.
func TestDeletionThatALateOneKnows(t *testing.T) {
	for _, c := range []struct {
		name  string
		first metadata.Source
		used  bool
		stays bool
	}{
		{"its stores are asked", metadata.FromJournal, false, false},
		{"it could be led", metadata.FromLife, false, true},
		{"it has been led", metadata.FromLife, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: "b", Since: 1}}
				defer store.Close()
				state := metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2, 3), Ceiling: 100}
				restoreFrom(t, store, c.first, 1, sharedAt(t, 100, state, nil))
				if c.used {
					elected := state
					elected.Replicas, elected.Leader, elected.LeaderEpoch = []ident.BrokerID{1, 2, 3}, 2, 6
					put(t, store, metadata.PartitionKey(lifeTopic, 0), metadata.EncodePartition(&elected))
				}
				again := ident.NewTopicID()
				contents := maps.Collect(sharedAt(t, 110, state, nil).Contents())
				maps.DeleteFunc(contents, func(key string, _ []byte) bool {
					return key == metadata.TopicKey(lifeTopic) || key == metadata.PartitionKey(lifeTopic, 0)
				})
				contents[metadata.DeletionKey(lifeTopic)] = metadata.EncodeDeletion(&metadata.Deletion{Name: "t"})
				contents[metadata.TopicKey(again)] = metadata.EncodeTopic("t", 1)
				contents[metadata.PartitionKey(again, 0)] = metadata.EncodePartition(&metadata.Partition{Replicas: []ident.BrokerID{2, 3}, Leader: 2, LeaderEpoch: 1})
				known, err := metadata.ImageOf(110, maps.All(contents))
				if err != nil {
					t.Fatal(err)
				}
				restoreFrom(t, store, metadata.FromJournal, 2, known)
				image, err := metadata.ReadImage(t.Context(), store)
				if err != nil {
					t.Fatal(err)
				}
				topic := image.Topic("t")
				if topic == nil || (topic.ID == lifeTopic) != c.stays || image.Deleted(lifeTopic) == c.stays {
					t.Errorf("the topic is %+v, the first one deleted %t", topic, image.Deleted(lifeTopic))
				}
				if p := image.Partition(ident.TopicPartition{Topic: "t"}); !c.stays && (p == nil || p.Leader == 1) {
					t.Errorf("its partition is %+v", p)
				}
			})
		})
	}
}

// One that comes late brings the brokers with it that its states name, or copies on them would count as destroyed, and what the ledger lacks.
func TestLateBringsMembersAndLosses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: "b", Since: 1}}
		defer store.Close()
		state := metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2)}
		restoreFrom(t, store, metadata.FromJournal, 1, sharedAt(t, 100, state, nil))
		put(t, store, metadata.MemberKey(2), []byte(`{"rack":"said since"}`))
		loss := metadata.LossKey(lifeTopic, 0, 4)
		state.ISR, state.Epoch = members(2, 4), 11
		restoreFrom(t, store, metadata.FromJournal, 2, sharedAt(t, 110, state, map[string][]byte{
			metadata.MemberKey(2): metadata.EncodeBroker(&metadata.Broker{}), metadata.MemberKey(4): metadata.EncodeBroker(&metadata.Broker{}),
			loss: metadata.EncodeLoss(&metadata.Loss{TopicID: lifeTopic, Topic: "t", LeaderEpoch: 4, Start: 7, End: 9}),
		}))
		for _, key := range []string{metadata.MemberKey(4), loss} {
			if _, found, err := store.Get(t.Context(), key); err != nil || !found {
				t.Errorf("%s: %t, %v", key, found, err)
			}
		}
		if kv, _, err := store.Get(t.Context(), metadata.MemberKey(2)); err != nil || string(kv.Value) != `{"rack":"said since"}` {
			t.Errorf("what the member has said since is %s, %v", kv.Value, err)
		}
	})
}

// A store that has kept more than a broker knows, from its disk, is not put back to that; but one that has not said what it
// knows may know more than the store.
func TestRecoveredFurtherThanTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2, 3), Ceiling: 100}
		store := recoveredWith(t, state)
		defer store.Close()
		older := state
		older.Epoch, older.ISR = 9, members(1)
		restoreFrom(t, store, metadata.FromJournal, 1, sharedAt(t, 90, older, map[string][]byte{metadata.TopicKey(ident.NewTopicID()): metadata.EncodeTopic("gone", 1)}))
		got := partitionIn(t, store)
		if got.Inquiry != metadata.InquiryRestored || !slices.Equal(got.ISR, state.ISR) {
			t.Errorf("it is %+v", got)
		}
		image, err := metadata.ReadImage(t.Context(), store)
		if err != nil || image.Topic("gone") != nil || image.NextProducerID() <= 1000 {
			t.Errorf("what the store had further was put back: %v, next producer %d, error %v", image.Topic("gone"), image.NextProducerID(), err)
		}
	})
}

// recoveredWith are keepers that have kept a partition's state, and all else up to revision 95.
func recoveredWith(t *testing.T, state metadata.Partition) life {
	t.Helper()
	inner := memstore.New().Open(memstore.Faults{})
	for key, value := range sharedAt(t, 1, state, nil).Contents() {
		put(t, inner, key, value)
	}
	page, err := inner.Range(t.Context(), metadata.RangeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return life{inner, metadata.Birth{Ensemble: "b", Ancestors: []string{"a"}, Since: page.Revision + 1, Kept: 95}}
}

func members(ids ...ident.BrokerID) (all []metadata.Member) {
	for _, id := range ids {
		all = append(all, metadata.Member{Broker: id, Store: ident.StoreID{byte(id)}})
	}
	return all
}
