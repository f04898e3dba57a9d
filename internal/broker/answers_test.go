package broker

import (
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/replication"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

// A copy has been called torn in answer to the controller's question, and is asked again. Its directory is settled, for the cluster
// has that answer, just after the broker has looked at an image without it: the copy is called torn all the same.
func TestATornCopyIsCalledSoWhileItIsSettled(t *testing.T) {
	disk := vfs.NewMem()
	open := func(boot ident.BootID) *storage.Store {
		store, err := storage.OpenStore(storage.Options{
			FS: disk, Dirs: []string{"/data"}, BrokerID: leaderID, BootID: boot, Config: storage.DefaultLogConfig(),
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	log, err := open(ident.BootID{1}).Create(ident.TopicPartition{Topic: "t"}, proposedTopic, storage.DefaultLogConfig(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Flush(); err != nil {
		t.Fatal(err)
	}
	disk = disk.Crash(1)
	store := open(ident.BootID{2})
	defer store.Close(true)
	dir := store.Dirs()[0]
	if !dir.Torn() {
		t.Fatal("a crash of the machine has left a directory that is not torn")
	}
	a := newAnswering(t, store, metadata.Broker{Stores: []ident.StoreID{dir.ID()}, Torn: true})
	unanswered := a.feed.Current()
	if !a.said().Torn {
		t.Fatal("the first answer does not call the copy torn")
	}
	a.image = func() *metadata.Image {
		if err := dir.Settle(); err != nil {
			t.Error(err)
		}
		return unanswered
	}
	if !a.said().Torn {
		t.Error("the copy was called torn, and is not any more")
	}

	// The state that is asked about takes the place of another one, put back by a broker that came late: it has another leader epoch.
	a.image = a.feed.Current
	a.change(a.feed.Current(), metadata.Put(metadata.PartitionKey(proposedTopic, 0), metadata.EncodePartition(&metadata.Partition{
		Replicas: []ident.BrokerID{leaderID, newcomerID}, ISR: []metadata.Member{{Broker: leaderID, Store: dir.ID()}}, Leader: ident.NoBroker,
		LeaderEpoch: 102, Epoch: 5, Inquiry: metadata.InquiryRestored, Ceiling: metadata.CeilingStep,
	})))
	if again := a.said(); !again.Torn || again.LeaderEpoch != 102 {
		t.Errorf("asked once more about a state that was put back, it says %+v", again)
	}
}

// A crash of the machine has taken a replica's log, directory and all, and another log directory can't be read, so that nobody knows
// whether it is there. The answer says that it can't be looked at, and that the copy that the set names may lack its end: else that
// directory would count as looked at, and be called whole.
func TestATornCopyThatCanNotBeLookedAt(t *testing.T) {
	disk := vfs.NewMem()
	var failing atomic.Bool
	open := func(boot ident.BootID) *storage.Store {
		store, err := storage.OpenStore(storage.Options{
			FS: vfs.WithFaults(disk, func(op vfs.Op) error {
				if failing.Load() && strings.HasPrefix(op.Path, "/more") {
					return syscall.EIO
				}
				return nil
			}),
			Dirs: []string{"/data", "/more"}, BrokerID: leaderID, BootID: boot, Config: storage.DefaultLogConfig(), Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	open(ident.BootID{1})
	disk = disk.Crash(1)
	failing.Store(true)
	store := open(ident.BootID{2})
	defer store.Close(true)
	dir := store.Dirs()[0]
	if !dir.Torn() || store.Unread() == nil {
		t.Fatal("the first directory is not torn, or the second is there")
	}
	a := newAnswering(t, store, metadata.Broker{
		Stores: []ident.StoreID{dir.ID()}, Failed: 1, Torn: true, TornStores: []ident.StoreID{dir.ID()},
	})
	if said := a.said(); !said.Offline || !said.Torn || said.Store != dir.ID() {
		t.Errorf("the answer is %+v", said)
	}
}

// answering is a broker that is asked for its copy of a partition, and the cluster that it tells.
type answering struct {
	*answers
	t      *testing.T
	memory *memstore.Memory
	feed   *metadata.Feed
}

// newAnswering is one that is registered so. The copy in the first directory of its store is in sync, beside a newcomer's.
func newAnswering(t *testing.T, store *storage.Store, registered metadata.Broker) *answering {
	t.Helper()
	memory := memstore.New()
	keepers := memory.Open(memstore.Faults{})
	feed, err := metadata.StartFeed(t.Context(), keepers, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(feed.Stop)
	partitions := replication.NewManager(replication.Options{
		Broker: leaderID, Store: store, Logger: slog.New(slog.DiscardHandler),
		Settings: func(*metadata.Image, string) replication.TopicSettings {
			return replication.TopicSettings{Log: storage.DefaultLogConfig(), MinISR: func(int) int { return 1 }}
		},
	})
	a := &answering{&answers{
		broker: leaderID, image: feed.Current, partitions: partitions, store: keepers, dirs: store.Dirs,
		logger: slog.New(slog.DiscardHandler), wake: make(chan struct{}, 1), pending: map[metadata.PartitionRef]struct{}{},
	}, t, memory, feed}
	a.change(metadata.NewImage(),
		metadata.Put(metadata.BrokerKey(leaderID), metadata.EncodeBroker(&registered)),
		metadata.Put(metadata.TopicKey(proposedTopic), metadata.EncodeTopic("t", 1)),
		metadata.Put(metadata.PartitionKey(proposedTopic, 0), metadata.EncodePartition(&metadata.Partition{
			Replicas: []ident.BrokerID{leaderID, newcomerID}, Leader: ident.NoBroker,
			ISR:         []metadata.Member{{Broker: leaderID, Store: store.Dirs()[0].ID()}, newcomer},
			LeaderEpoch: 1, Inquiry: metadata.InquiryTorn, Ceiling: metadata.CeilingStep,
		})))
	return a
}

// change writes to the cluster's metadata, and the broker's partitions follow from an image before.
func (a *answering) change(before *metadata.Image, ops ...metadata.Op) {
	a.t.Helper()
	result, err := a.store.Txn(a.t.Context(), metadata.Txn{Then: ops})
	if err != nil || a.feed.Await(a.t.Context(), result.Revision) != nil {
		a.t.Fatal(err)
	}
	a.partitions.Apply(before, a.feed.Current(), metadata.Diff(before, a.feed.Current()))
}

// said has the broker answer, and is what the cluster knows of that.
func (a *answering) said() *metadata.Answer {
	a.t.Helper()
	asked := []metadata.PartitionRef{{Topic: proposedTopic}}
	if !a.answer(a.t.Context(), asked) || a.feed.Await(a.t.Context(), a.memory.Revision()) != nil {
		a.t.Fatal("the answer is not written")
	}
	all := a.feed.Current().Answers(proposedTopic, 0)
	if len(all) != 1 {
		a.t.Fatalf("%d answers", len(all))
	}
	return all[0]
}
