package replication

import (
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

// slowDisk is a disk whose syncs of records wait until they are let through, or failed.
type slowDisk struct {
	vfs.FS
	slow  atomic.Bool
	syncs chan error
}

func newSlowDisk() *slowDisk {
	d := &slowDisk{syncs: make(chan error)}
	d.FS = vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
		if d.slow.Load() && op.Kind == vfs.OpSync && strings.HasSuffix(op.Path, ".log") {
			return <-d.syncs
		}
		return nil
	})
	return d
}

// onSlowDisk is a bench with fsync.on.ack. It is closed once the disk is quick again.
func onSlowDisk(t *testing.T) (*bench, *slowDisk) {
	disk := newSlowDisk()
	b := newBench(t)
	if err := b.store.Close(true); err != nil {
		t.Fatal(err)
	}
	b.fs, b.settings.Log.SyncOnAck = disk, true
	b.open()
	t.Cleanup(func() { disk.slow.Store(false) })
	return b, disk
}

// outcome asks both acks=1 and acks=all about records.
func outcome(p *Partition, at Appended) (one, all bool, err error) {
	one, err = p.OnDisk(at.Epoch, at.LastOffset+1)
	if err == nil {
		all, err = p.Committed(at.Epoch, at.LastOffset+1)
	}
	return one, all, err
}

func TestNothingIsAcknowledgedBeforeItIsOnTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, disk := onSlowDisk(t)
		p := b.topic(b.led(0))
		disk.slow.Store(true)
		first := b.append(p, 2)
		synctest.Wait() // the first sync is under way
		second := b.append(p, 3)
		one, all := NewWaiter(), NewWaiter()
		p.Watch(one, AtSynced, second.LastOffset)
		p.Watch(all, AtHighWatermark, second.LastOffset)
		for _, at := range []Appended{first, second} {
			if one, all, err := outcome(p, at); one || all || err != nil {
				t.Fatalf("up to %d: on the disk %v, committed %v, %v: nothing was synced", at.LastOffset, one, all, err)
			}
		}
		disk.syncs <- nil
		synctest.Wait()
		if one, all, err := outcome(p, first); !one || !all || err != nil {
			t.Errorf("after its sync: on the disk %v, committed %v, %v", one, all, err)
		}
		if one, all, err := outcome(p, second); one || all || err != nil {
			t.Errorf("what came after the sync began: on the disk %v, committed %v, %v", one, all, err)
		}
		disk.syncs <- nil
		<-one.Woken()
		<-all.Woken()
		if one, all, err := outcome(p, second); !one || !all || err != nil {
			t.Errorf("after the second sync: on the disk %v, committed %v, %v", one, all, err)
		}
	})
}

func TestAFailedSyncAcknowledgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, disk := onSlowDisk(t)
		p := b.topic(b.led(0))
		disk.slow.Store(true)
		at := b.append(p, 2)
		one, all := NewWaiter(), NewWaiter()
		p.Watch(one, AtSynced, at.LastOffset)
		p.Watch(all, AtHighWatermark, at.LastOffset)
		disk.syncs <- syscall.EIO
		<-one.Woken()
		<-all.Woken()
		if done, err := p.OnDisk(at.Epoch, at.LastOffset+1); !done || err != ErrStorage {
			t.Errorf("acks=1: %v, %v", done, err)
		}
		if done, err := p.Committed(at.Epoch, at.LastOffset+1); !done || err != ErrStorage {
			t.Errorf("acks=all: %v, %v", done, err)
		}
		disk.slow.Store(false)
	})
}

// The setting counts from when it is made: what is in the log by then is synced, and what waits for the disk when it is taken
// back waits no more.
func TestSyncingIsTurnedOnAndOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, disk := onSlowDisk(t)
		b.settings.Log.SyncOnAck = false
		p := b.topic(b.led(0))
		disk.slow.Store(true)
		at := b.append(p, 2)
		if one, all, err := outcome(p, at); !one || !all || err != nil {
			t.Fatalf("without the setting: %v, %v, %v", one, all, err)
		}
		b.settings.Log.SyncOnAck = true
		p.settle(b.settings)
		at = b.append(p, 2)
		w := NewWaiter()
		p.Watch(w, AtSynced, at.LastOffset)
		synctest.Wait()
		if one, all, err := outcome(p, at); one || all || err != nil {
			t.Errorf("with it: %v, %v, %v", one, all, err)
		}
		b.settings.Log.SyncOnAck = false
		p.settle(b.settings)
		<-w.Woken()
		if one, all, err := outcome(p, at); !one || !all || err != nil {
			t.Errorf("without it again: %v, %v, %v", one, all, err)
		}
		disk.slow.Store(false)
		disk.syncs <- nil
	})
}

// A follower that has copied records tells of them once they are on its disk.
func TestFollowersTellWhatIsOnTheirDisk(t *testing.T) {
	b := newBench(t)
	b.settings.Log.SyncOnAck = true
	state := b.led(0, otherBroker)
	state.Leader = otherBroker.Broker
	p := b.topic(state)
	f := NewFetcher(b.now.Sub(b.now))
	key := FetchKey{Topic: topicID}
	f.Add(key, 0, p)
	if plan, _, ok := f.Next(b.now); !ok || len(plan.Partitions) != 1 || plan.Partitions[0].Offset != 0 {
		t.Fatalf("%+v", plan)
	}
	f.Answered(0)
	copied := record.Batch(batch(t, 3))
	copied.SetLeaderEpoch(0)
	if _, err := p.Copy(Copied{Batches: copied, HighWatermark: 0}); err != nil {
		t.Fatal(err)
	}
	plan, _, ok := f.Next(b.now)
	if !ok || len(plan.Unsynced) != 1 || len(plan.Partitions) != 0 {
		t.Fatalf("it tells of what is not on its disk: %+v", plan)
	}
	b.manager.SyncReplicas([]Replica{f.Replica(plan.Unsynced[0])})
	if plan, _, ok = f.Next(b.now); !ok || len(plan.Partitions) != 1 || plan.Partitions[0].Offset != 3 {
		t.Fatalf("%+v", plan)
	}
	if p.Log().Synced() != 3 {
		t.Errorf("synced up to %d", p.Log().Synced())
	}
}

// A leader that comes with records nobody has synced has them synced before they count.
func TestALeaderSyncsWhatItBrings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, disk := onSlowDisk(t)
		state := b.led(0, otherBroker)
		state.Leader = otherBroker.Broker
		p := b.topic(state)
		copied := record.Batch(batch(t, 3))
		copied.SetLeaderEpoch(0)
		if _, err := p.Copy(Copied{Batches: copied}); err != nil {
			t.Fatal(err)
		}
		disk.slow.Store(true)
		state = b.led(1)
		state.Replicas = append(state.Replicas, otherBroker.Broker)
		b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
		synctest.Wait()
		if hw := p.State().HighWatermark; hw != 0 {
			t.Errorf("high watermark %d before the disk has answered", hw)
		}
		disk.slow.Store(false)
		disk.syncs <- nil
		synctest.Wait()
		if hw := p.State().HighWatermark; hw != 3 {
			t.Errorf("high watermark %d, want 3", hw)
		}
	})
}

// TestPowerLossLosesNothingAcknowledged cuts the power before every operation of the disk of a partition with one replica, to
// which producers with acks=1 and acks=all write: what either was told is there.
func TestPowerLossLosesNothingAcknowledged(t *testing.T) {
	var one, all atomic.Int64
	var seed uint64
	var mu sync.Mutex
	disk := vfs.NewMem()
	lost := func(op vfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		told := record.Offset(max(one.Load(), all.Load()))
		if seed++; !op.Kind.Changes() || told == 0 {
			return nil
		}
		store, err := storage.OpenStore(storage.Options{
			FS: disk.Crash(seed), Dirs: []string{"/data"}, BrokerID: self, BootID: ident.BootID{byte(seed), 2}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Errorf("%s %s: %v", op.Kind, op.Path, err)
			return nil
		}
		defer store.Close(false)
		if log := store.Log(ident.TopicPartition{Topic: "t"}); log == nil || log.EndOffset() < told {
			t.Errorf("before %s of %s: %d records were acknowledged, there is %v", op.Kind, op.Path, told, log)
		}
		return nil
	}
	b := newBench(t)
	if err := b.store.Close(true); err != nil {
		t.Fatal(err)
	}
	b.fs, b.settings.Log.SyncOnAck, b.settings.Log.SegmentBytes = vfs.WithFaults(disk, lost), true, 2000
	b.open()
	p := b.topic(b.led(0))
	for range 150 {
		at, err := p.Append(batch(t, 2), AppendRequest{Acks: AcksAll, Epoch: record.NoEpoch})
		if err != nil {
			t.Fatal(err)
		}
		tell(p, AtSynced, at, p.OnDisk, &one)
		tell(p, AtHighWatermark, at, p.Committed, &all)
	}
	for one.Load() < 300 || all.Load() < 300 {
		if t.Context().Err() != nil {
			t.Fatalf("acknowledged up to %d and %d of 300", one.Load(), all.Load())
		}
		runtime.Gosched()
	}
	t.Logf("%d operations", seed)
}

// tell notes when records are acknowledged, as a Produce request waits for it.
func tell(p *Partition, mark Mark, at Appended, safe func(record.Epoch, record.Offset) (bool, error), told *atomic.Int64) {
	required := at.LastOffset + 1
	var look func()
	w := NewCallback(func() { look() })
	look = func() {
		if done, err := safe(at.Epoch, required); !done {
			p.Watch(w, mark, required-1)
		} else if err == nil {
			for have := told.Load(); have < int64(required) && !told.CompareAndSwap(have, int64(required)); {
				have = told.Load()
			}
		}
	}
	look()
}
