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

	memory := memstore.New()
	keepers := memory.Open(memstore.Faults{})
	feed, err := metadata.StartFeed(t.Context(), keepers, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Stop()
	own := metadata.Member{Broker: leaderID, Store: dir.ID()}
	result, err := keepers.Txn(t.Context(), metadata.Txn{Then: []metadata.Op{
		metadata.Put(metadata.BrokerKey(leaderID), metadata.EncodeBroker(&metadata.Broker{
			Stores: []ident.StoreID{own.Store}, Torn: true,
		})),
		metadata.Put(metadata.TopicKey(proposedTopic), metadata.EncodeTopic("t", 1)),
		metadata.Put(metadata.PartitionKey(proposedTopic, 0), metadata.EncodePartition(&metadata.Partition{
			Replicas: []ident.BrokerID{leaderID, newcomerID}, ISR: []metadata.Member{own, newcomer}, Leader: ident.NoBroker,
			LeaderEpoch: 1, Inquiry: metadata.InquiryTorn, Ceiling: metadata.CeilingStep,
		})),
	}})
	if err != nil || feed.Await(t.Context(), result.Revision) != nil {
		t.Fatal(err)
	}
	partitions := replication.NewManager(replication.Options{
		Broker: leaderID, Store: store, Logger: slog.New(slog.DiscardHandler),
		Settings: func(*metadata.Image, string) replication.TopicSettings {
			return replication.TopicSettings{Log: storage.DefaultLogConfig(), MinISR: func(int) int { return 1 }}
		},
	})
	unanswered := feed.Current()
	empty := metadata.NewImage()
	partitions.Apply(empty, unanswered, metadata.Diff(empty, unanswered))
	a := &answers{
		broker: leaderID, image: feed.Current, partitions: partitions, store: keepers, dirs: store.Dirs,
		logger: slog.New(slog.DiscardHandler), wake: make(chan struct{}, 1), pending: map[metadata.PartitionRef]struct{}{},
	}
	asked := []metadata.PartitionRef{{Topic: proposedTopic}}
	said := func() *metadata.Answer {
		t.Helper()
		if !a.answer(t.Context(), asked) || feed.Await(t.Context(), memory.Revision()) != nil {
			t.Fatal("the answer is not written")
		}
		all := feed.Current().Answers(proposedTopic, 0)
		if len(all) != 1 {
			t.Fatalf("%d answers", len(all))
		}
		return all[0]
	}
	if !said().Torn {
		t.Fatal("the first answer does not call the copy torn")
	}
	a.image = func() *metadata.Image {
		if err := dir.Settle(); err != nil {
			t.Error(err)
		}
		return unanswered
	}
	if !said().Torn {
		t.Error("the copy was called torn, and is not any more")
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
	memory := memstore.New()
	keepers := memory.Open(memstore.Faults{})
	feed, err := metadata.StartFeed(t.Context(), keepers, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Stop()
	own := metadata.Member{Broker: leaderID, Store: dir.ID()}
	result, err := keepers.Txn(t.Context(), metadata.Txn{Then: []metadata.Op{
		metadata.Put(metadata.BrokerKey(leaderID), metadata.EncodeBroker(&metadata.Broker{
			Stores: []ident.StoreID{own.Store}, Failed: 1, Torn: true, TornStores: []ident.StoreID{own.Store},
		})),
		metadata.Put(metadata.TopicKey(proposedTopic), metadata.EncodeTopic("t", 1)),
		metadata.Put(metadata.PartitionKey(proposedTopic, 0), metadata.EncodePartition(&metadata.Partition{
			Replicas: []ident.BrokerID{leaderID, newcomerID}, ISR: []metadata.Member{own, newcomer}, Leader: ident.NoBroker,
			LeaderEpoch: 1, Inquiry: metadata.InquiryTorn, Ceiling: metadata.CeilingStep,
		})),
	}})
	if err != nil || feed.Await(t.Context(), result.Revision) != nil {
		t.Fatal(err)
	}
	partitions := replication.NewManager(replication.Options{
		Broker: leaderID, Store: store, Logger: slog.New(slog.DiscardHandler),
		Settings: func(*metadata.Image, string) replication.TopicSettings {
			return replication.TopicSettings{Log: storage.DefaultLogConfig(), MinISR: func(int) int { return 1 }}
		},
	})
	empty := metadata.NewImage()
	partitions.Apply(empty, feed.Current(), metadata.Diff(empty, feed.Current()))
	a := &answers{
		broker: leaderID, image: feed.Current, partitions: partitions, store: keepers, dirs: store.Dirs,
		logger: slog.New(slog.DiscardHandler), wake: make(chan struct{}, 1), pending: map[metadata.PartitionRef]struct{}{},
	}
	if !a.answer(t.Context(), []metadata.PartitionRef{{Topic: proposedTopic}}) || feed.Await(t.Context(), memory.Revision()) != nil {
		t.Fatal("the answer is not written")
	}
	all := feed.Current().Answers(proposedTopic, 0)
	if len(all) != 1 || !all[0].Offline || !all[0].Torn || all[0].Store != own.Store {
		t.Errorf("the answers are %+v", all)
	}
}
