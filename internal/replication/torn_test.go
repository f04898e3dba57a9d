package replication

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// A replica in a directory whose machine went down is led here only once the cluster knows: until then offsets past its end
// may be given out a second time in the epoch in which they were.
func TestATornReplicaDoesNotLead(t *testing.T) {
	b := newBench(t)
	b.boot = ident.BootID{1}
	b.store.Close(true)
	b.open()
	state := b.led(0, metadata.Member{Broker: 2, Store: ident.StoreID{2}})
	b.append(b.topic(state), 5)
	b.store.Close(false)

	b.boot = ident.BootID{2}
	b.open()
	b.image, b.revision, b.turns = metadata.NewImage(), 0, nil
	p := b.topic(state)
	if !b.store.Dirs()[0].Torn() {
		t.Fatal("the directory is not torn")
	}
	if _, leads := p.IsLeader(); leads || len(b.turns) > 0 {
		t.Error("the replica leads in its old epoch")
	}
	if _, err := p.Append(batch(t, 1), AppendRequest{Epoch: record.NoEpoch}); !errors.Is(err, ErrNotLeader) {
		t.Errorf("append: %v", err)
	}
	if held, ok := p.Holding(topicID, 0); !ok || held.Offline {
		t.Errorf("asked what it holds the replica says %+v, %v", held, ok)
	}
	state.LeaderEpoch, state.Epoch = 1, 1
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	if _, leads := p.IsLeader(); leads {
		t.Error("the replica leads before its directory is settled")
	}
	if err := b.store.Dirs()[0].Settle(); err != nil {
		t.Fatal(err)
	}
	b.manager.Retry()
	if epoch, leads := p.IsLeader(); !leads || epoch != 1 || len(b.turns) != 1 {
		t.Errorf("leads: %v, epoch %d, turns %v", leads, epoch, b.turns)
	}
	b.append(p, 1)
}

// A leader whose directory comes back with less than it held serves nothing until the cluster knows.
func TestALeaderOfATornReplicaStopsServing(t *testing.T) {
	b := newBench(t)
	b.store.Close(true)
	mem := vfs.NewMem()
	var broken atomic.Bool
	b.fs = vfs.WithFaults(mem, func(vfs.Op) error {
		if broken.Load() {
			return syscall.EIO
		}
		return nil
	})
	b.tune.ProbeInterval = time.Millisecond
	b.open()
	p := b.topic(b.led(0))
	b.append(p, 5)
	b.append(p, 5)
	broken.Store(true)
	if _, err := p.Append(batch(t, 1), AppendRequest{Epoch: record.NoEpoch}); !errors.Is(err, ErrStorage) {
		t.Fatalf("append to a broken disk: %v", err)
	}
	file, err := mem.OpenFile("/data/t-0/00000000000000000000.log", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Truncate(p.Log().Size()/2), file.Close()); err != nil {
		t.Fatal(err)
	}
	broken.Store(false)
	d := b.store.Dirs()[0]
	for end := time.Now().Add(30 * time.Second); d.Err() != nil; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal(d.Err())
		}
	}
	if !d.Torn() || p.Log().EndOffset() != 5 {
		t.Fatalf("torn %v, end %d", d.Torn(), p.Log().EndOffset())
	}
	if _, err := p.Append(batch(t, 1), AppendRequest{Epoch: record.NoEpoch}); !errors.Is(err, ErrStorage) {
		t.Errorf("append: %v", err)
	}
	_, err = p.Read(ReadRequest{MaxBytes: 100, CurrentEpoch: record.NoEpoch, LastFetchedEpoch: record.NoEpoch})
	if !errors.Is(err, ErrStorage) {
		t.Errorf("read: %v", err)
	}
	if done, err := p.Committed(0, 5); !done || !errors.Is(err, ErrStorage) {
		t.Errorf("committed: %v, %v", done, err)
	}
}
