package controller_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/ident"
	"barnabas/internal/keeper"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/test/launch"
)

const (
	patience = 2 * time.Minute
	session  = 9 * time.Second
	// calmSession outlasts a stall of the machine, where a test is not about sessions and its time is the machine's.
	calmSession = 10 * time.Minute
)

// member is one broker's part of a cluster: its store, feed, registration and candidate.
type member struct {
	store      metadata.Store
	feed       *metadata.Feed
	lease      metadata.Lease
	registered *metadata.Broker
	candidate  *controller.Controller
}

func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// join brings a broker into the cluster.
func join(t testing.TB, store metadata.Store, id ident.BrokerID, stores ...ident.StoreID) *member {
	t.Helper()
	return joinFor(t, session, store, id, stores...)
}

// joinFor does so with another lease.
func joinFor(t testing.TB, session time.Duration, store metadata.Store, id ident.BrokerID, stores ...ident.StoreID) *member {
	t.Helper()
	log := launch.Log(t)
	feed, err := metadata.StartFeed(bounded(t), store, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(feed.Stop)
	m := &member{store: store, feed: feed}
	if m.lease, err = store.Lease(bounded(t), session); err != nil {
		t.Fatal(err)
	}
	b := metadata.Broker{ID: id, Stores: stores, Features: controller.SupportedFeatures()}
	if m.registered, err = metadata.Register(bounded(t), store, b, m.lease.ID()); err != nil {
		t.Fatal(err)
	}
	m.candidate = controller.Start(controller.Options{
		Broker: id, Store: store, Feed: feed, View: config.Defaults, Logger: log,
		Lease: func() metadata.Lease { return m.lease },
	})
	t.Cleanup(m.candidate.Stop)
	return m
}

// await waits until the image is as wanted.
func (m *member) await(t testing.TB, what string, wanted func(*metadata.Image) bool) *metadata.Image {
	t.Helper()
	done := make(chan *metadata.Image, 1)
	unsubscribe := m.feed.Subscribe(func(_, img *metadata.Image, _ *metadata.Delta) {
		if wanted(img) {
			select {
			case done <- img:
			default:
			}
		}
	})
	defer unsubscribe()
	select {
	case img := <-done:
		return img
	case <-time.After(patience):
		t.Fatalf("never: %s", what)
		return nil
	}
}

func (m *member) elected(t testing.TB) {
	t.Helper()
	m.await(t, "the election", func(img *metadata.Image) bool {
		return img.ControllerID() == m.registered.ID && img.Feature(controller.MetadataVersion) > 0
	})
}

func (m *member) create(t testing.TB, name string, partitions int32) error {
	t.Helper()
	made, err := m.candidate.CreateTopics(bounded(t), []controller.NewTopic{{Name: name, Partitions: partitions, ReplicationFactor: -1}}, false)
	if err != nil {
		return err
	}
	return made[0].Err
}

func TestTopicIsThereWhenCreated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := join(t, memstore.New().Open(memstore.Faults{}), 1, ident.NewStoreID())
		m.elected(t)
		if err := m.create(t, "t", 3); err != nil {
			t.Fatal(err)
		}
		topic := m.feed.Current().Topic("t")
		if topic == nil || topic.NumPartitions() != 3 {
			t.Fatalf("topic is %+v", topic)
		}
		if p := topic.Partition(2); p.Leader != 1 || p.ISR[0].Store != m.registered.Stores[0] {
			t.Errorf("partition is %+v", p)
		}
		if err := m.create(t, "t", 3); !errors.Is(err, controller.ErrTopicExists) {
			t.Errorf("error %v, want ErrTopicExists", err)
		}
		only := []controller.NewTopic{{Name: "v", Partitions: -1, ReplicationFactor: -1}}
		made, err := m.candidate.CreateTopics(bounded(t), only, true)
		if err != nil || made[0].Err != nil || made[0].Partitions != 1 || m.feed.Current().Topic("v") != nil {
			t.Errorf("validated: %+v, %v", made, err)
		}
		gone, err := m.candidate.DeleteTopics(bounded(t), []controller.TopicRef{{ID: topic.ID}})
		if err != nil || gone[0].Err != nil || gone[0].Name != "t" || m.feed.Current().NumTopics() != 0 {
			t.Errorf("deleted: %+v, %v", gone, err)
		}
	})
}

func TestProducerIDsAreGivenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := join(t, memstore.New().Open(memstore.Faults{}), 1, ident.NewStoreID())
		m.elected(t)
		var next int64
		for range 3 {
			block, err := m.candidate.AllocateProducerIDs(bounded(t))
			if err != nil || block.First != next || block.Count <= 0 {
				t.Fatalf("block %+v, error %v; want one from %d on", block, err, next)
			}
			next += int64(block.Count)
		}
	})
}

func TestOneIsElected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		first := join(t, memory.Open(memstore.Faults{}), 1, ident.NewStoreID())
		first.elected(t)
		second := join(t, memory.Open(memstore.Faults{}), 2, ident.NewStoreID())
		synctest.Wait()
		if second.candidate.Elected() {
			t.Fatal("two are elected")
		}
		if err := second.create(t, "t", 1); !errors.Is(err, controller.ErrNotController) {
			t.Errorf("error %v, want ErrNotController", err)
		}
		first.candidate.Stop()
		second.elected(t)
		if err := second.create(t, "t", 1); err != nil {
			t.Error(err)
		}
	})
}

// A broker that is registered gets copies at once, also when the controller hears of it a second later.
func TestBrokersJustRegisteredGetCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		first := join(t, memory.Open(memstore.Faults{
			WatchDelay: func(metadata.Change) time.Duration { return time.Second },
		}), 1, ident.NewStoreID())
		first.elected(t)
		join(t, memory.Open(memstore.Faults{}), 2, ident.NewStoreID())
		two := []controller.NewTopic{{Name: "two", Partitions: 1, ReplicationFactor: 2}}
		made, err := first.candidate.CreateTopics(bounded(t), two, false)
		if err != nil || made[0].Err != nil {
			t.Fatalf("%+v, %v", made, err)
		}
		join(t, memory.Open(memstore.Faults{}), 3, ident.NewStoreID())
		more := []controller.MorePartitions{{Topic: "two", Count: 2, Assignments: [][]ident.BrokerID{{3, 1}}}}
		if outcomes, err := first.candidate.CreatePartitions(bounded(t), more, false); err != nil || outcomes[0] != nil {
			t.Fatalf("%v, %v", outcomes, err)
		}
	})
}

// A process that dies leaves its registration and its election behind until its lease ends. The next life of
// the same broker, on the same store, does not wait for that.
func TestNextLifeDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, disk := memstore.New(), ident.NewStoreID()
		dead := join(t, memory.Open(memstore.Faults{}), 1, disk)
		dead.elected(t)
		if err := dead.create(t, "t", 1); err != nil {
			t.Fatal(err)
		}
		dead.store.Close()
		began := time.Now()
		next := join(t, memory.Open(memstore.Faults{}), 1, disk)
		img := next.await(t, "the election", func(img *metadata.Image) bool {
			return img.Controller().Epoch > dead.feed.Current().Controller().Epoch
		})
		if waited := time.Since(began); waited > 0 {
			t.Errorf("it waited %s", waited)
		}
		if p := img.Topic("t").Partition(0); p.Leader != 1 || p.LeaderEpoch != 0 {
			t.Errorf("a partition that nobody else could lead meanwhile changed: %+v", p)
		}
	})
}

func TestAnotherBrokersIDIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		join(t, memory.Open(memstore.Faults{}), 1, ident.NewStoreID())
		store := memory.Open(memstore.Faults{})
		lease, err := store.Lease(bounded(t), session)
		if err != nil {
			t.Fatal(err)
		}
		_, err = metadata.Register(bounded(t), store, metadata.Broker{ID: 1, Stores: []ident.StoreID{ident.NewStoreID()}}, lease.ID())
		if !errors.Is(err, metadata.ErrBrokerIDTaken) {
			t.Errorf("error %v, want ErrBrokerIDTaken", err)
		}
	})
}

// A broker back on an empty directory finds its partitions beginning anew above every offset given out.
func TestWipedBrokerBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		first := join(t, memory.Open(memstore.Faults{}), 1, ident.NewStoreID())
		first.elected(t)
		if err := first.create(t, "t", 2); err != nil {
			t.Fatal(err)
		}
		first.candidate.Stop()
		if err := first.lease.Revoke(bounded(t)); err != nil {
			t.Fatal(err)
		}
		wiped := join(t, memory.Open(memstore.Faults{}), 1, ident.NewStoreID())
		wiped.await(t, "the question", func(img *metadata.Image) bool {
			topic := img.Topic("t")
			return topic.Partition(0).Inquiry != metadata.NoInquiry && topic.Partition(1).Inquiry != metadata.NoInquiry
		})
		wiped.answerEmpty(t, "t")
		img := wiped.await(t, "the loss", func(img *metadata.Image) bool { return img.NumLosses() == 2 })
		for n, p := range img.Topic("t").Partitions() {
			if len(img.Answers(img.Topic("t").ID, n)) > 0 {
				t.Errorf("answers are left behind")
			}
			if p.Start != metadata.CeilingStep || p.Ceiling != 2*metadata.CeilingStep || p.ISR[0].Store != wiped.registered.Stores[0] {
				t.Errorf("partition is %+v", p)
			}
		}
	})
}

// answerEmpty says that this broker's store holds nothing of a topic.
func (m *member) answerEmpty(t *testing.T, topic string) {
	t.Helper()
	img := m.feed.Current()
	var txn metadata.Txn
	for n, p := range img.Topic(topic).Partitions() {
		txn.Then = append(txn.Then, metadata.Put(metadata.AnswerKey(img.Topic(topic).ID, n, m.registered.ID),
			metadata.EncodeAnswer(&metadata.Answer{
				BrokerEpoch: m.registered.Epoch, LeaderEpoch: p.LeaderEpoch, Store: m.registered.Stores[0], LastEpoch: -1,
			})))
	}
	if _, err := m.store.Txn(bounded(t), txn); err != nil {
		t.Fatal(err)
	}
}

// A leader changes its own partition while the controller plans with the state before.
func TestConflictIsPlannedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		m := join(t, memory.Open(memstore.Faults{}), 1, ident.NewStoreID())
		m.elected(t)
		if err := m.create(t, "t", 1); err != nil {
			t.Fatal(err)
		}
		topic := m.feed.Current().Topic("t")
		p := *topic.Partition(0)
		p.Replicas = []ident.BrokerID{2, 1}
		key := metadata.PartitionKey(topic.ID, 0)
		put := func() {
			p.Epoch++
			txn := metadata.Txn{Then: []metadata.Op{metadata.Put(key, metadata.EncodePartition(&p))}}
			result, err := m.store.Txn(bounded(t), txn)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.feed.Await(bounded(t), result.Revision); err != nil {
				t.Fatal(err)
			}
		}
		put()
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for range 5 {
				put()
			}
		}()
		second := join(t, memory.Open(memstore.Faults{}), 2, ident.NewStoreID())
		second.await(t, "the registration", func(img *metadata.Image) bool { return img.Broker(2) != nil })
		<-stop
		p.ISR = append(p.ISR, metadata.Member{Broker: 2, Store: second.registered.Stores[0]})
		put()
		outcomes, err := m.candidate.ElectLeaders(bounded(t), controller.PreferredElection, []controller.Election{{Topic: "t", Partition: 0}})
		if err != nil || outcomes[0].Err != nil {
			t.Fatalf("%+v, %v", outcomes, err)
		}
		if got := m.feed.Current().Topic("t").Partition(0); got.Leader != 2 || got.LeaderEpoch != 1 {
			t.Errorf("partition is %+v", got)
		}
	})
}

// When it is unknown whether a transaction took place, the controller gives the election up, and with it
// whatever is still under way; then it goes on.
func TestUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		m := join(t, memstore.New().Open(memstore.Faults{After: func(memstore.Call) error {
			if failing.CompareAndSwap(true, false) {
				return metadata.ErrUnavailable
			}
			return nil
		}}), 1, ident.NewStoreID())
		m.elected(t)
		epoch := m.feed.Current().Controller().Epoch
		failing.Store(true)
		if err := m.create(t, "t", 1); !errors.Is(err, controller.ErrUnavailable) {
			t.Errorf("error %v, want ErrUnavailable", err)
		}
		m.await(t, "another election", func(img *metadata.Image) bool { return img.Controller().Epoch > epoch })
		synctest.Wait()
		if err := m.create(t, "t", 1); !errors.Is(err, controller.ErrTopicExists) {
			t.Errorf("error %v, want ErrTopicExists, for it was made after all", err)
		}
	})
}

// A creation of many transactions is interrupted: nobody sees the half of it, and nothing is left of it.
func TestInterruptedCreation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left atomic.Int32
		left.Store(1 << 30)
		memory := memstore.New()
		m := join(t, memory.Open(memstore.Faults{Before: func(call memstore.Call) error {
			if call == memstore.CallTxn && left.Add(-1) < 0 {
				return metadata.ErrUnavailable
			}
			return nil
		}}), 1, ident.NewStoreID())
		m.elected(t)
		left.Store(3)
		if err := m.create(t, "wide", 1000); !errors.Is(err, controller.ErrUnavailable) {
			t.Errorf("error %v, want ErrUnavailable", err)
		}
		synctest.Wait()
		left.Store(1 << 30)
		if len(m.feed.Current().Leftovers()) == 0 || m.feed.Current().NumTopics() != 0 {
			t.Error("nothing was interrupted")
		}
		time.Sleep(time.Second) // the bubble's time: it stands for election again
		synctest.Wait()
		if n := len(m.feed.Current().Leftovers()); n > 0 {
			t.Errorf("%d keys are left over", n)
		}
		if err := m.create(t, "wide", 1000); err != nil || m.feed.Current().NumPartitions() != 1000 {
			t.Errorf("%d partitions, error %v", m.feed.Current().NumPartitions(), err)
		}
	})
}

// A controller cut off from the store is none when it comes back.
func TestCutOffControllerIsFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		link := memory.Open(memstore.Faults{})
		first := join(t, link, 1, ident.NewStoreID())
		first.elected(t)
		second := join(t, memory.Open(memstore.Faults{}), 2, ident.NewStoreID())
		link.Cut()
		second.elected(t)
		synctest.Wait() // the key is seen a moment before its owner has been told
		if err := second.create(t, "t", 1); err != nil {
			t.Fatal(err)
		}
		if err := first.create(t, "t", 1); !errors.Is(err, controller.ErrUnavailable) && !errors.Is(err, controller.ErrNotController) {
			t.Errorf("error %v from a controller that is cut off", err)
		}
		link.Mend()
		synctest.Wait()
		if err := first.create(t, "u", 1); !errors.Is(err, controller.ErrNotController) {
			t.Errorf("error %v, want ErrNotController", err)
		}
	})
}

// createOnAnyMachine creates topics in a real keeper. Where the machine is so busy that the keeper does not answer in time, nobody
// knows what became of a transaction, and the controller is elected again: then they are asked for once more.
func (m *member) createOnAnyMachine(t testing.TB, topics []controller.NewTopic) {
	t.Helper()
	again := false
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ctx := bounded(t); ; again = true {
		made, err := m.candidate.CreateTopics(ctx, topics, false)
		for _, one := range made {
			if one.Err != nil && !(again && errors.Is(one.Err, controller.ErrTopicExists)) {
				err = errors.Join(err, one.Err)
				break
			}
		}
		switch {
		case err == nil:
			return
		case ctx.Err() != nil || !errors.Is(err, controller.ErrUnavailable) && !errors.Is(err, controller.ErrNotController):
			t.Fatal(err)
		}
		t.Log("once more: ", err)
		<-tick.C
	}
}

// Ten thousand partitions in one request and in ten thousand, in a real keeper.
func TestTenThousandPartitions(t *testing.T) {
	k, err := keeper.Start(keeper.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Stop()
	if err := k.Ready(bounded(t)); err != nil {
		t.Fatal(err)
	}
	m := joinFor(t, calmSession, k.Store(""), 1, ident.NewStoreID())
	m.elected(t)
	before := heap()
	began := time.Now()
	m.createOnAnyMachine(t, []controller.NewTopic{{Name: "wide", Partitions: 10_000, ReplicationFactor: -1}})
	t.Logf("one topic of 10,000 partitions in %s", time.Since(began))
	var topics []controller.NewTopic
	for i := range 10_000 {
		topics = append(topics, controller.NewTopic{Name: fmt.Sprintf("topic-%05d", i), Partitions: 1, ReplicationFactor: -1})
	}
	began = time.Now()
	m.createOnAnyMachine(t, topics)
	t.Logf("10,000 topics in %s", time.Since(began))
	if n := m.feed.Current().NumPartitions(); n != 20_000 {
		t.Fatalf("%d partitions, want 20,000", n)
	}
	t.Logf("heap grew by %d bytes a partition, keeper's and image's", (heap()-before)/20_000)
	began = time.Now()
	if _, err := metadata.ReadImage(bounded(t), m.store); err != nil {
		t.Fatal(err)
	}
	t.Logf("read in %s", time.Since(began))
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
