package storage

import (
	"bytes"
	"log/slog"
	"math"
	"os"
	"testing"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// sent is one batch of a producer, in a table of what must come of it.
type sent struct {
	id            record.ProducerID
	epoch         record.ProducerEpoch
	sequence      record.Sequence
	count         int
	transactional bool
	origin        Origin
	want          error
	duplicate     record.Offset // where it was first, if it must be recognised
}

// producing drives a table as Log.Append does.
type producing struct {
	t     *testing.T
	table *producerTable
	next  record.Offset
}

func newProducing(t *testing.T) *producing {
	return &producing{t: t, table: newProducerTable(1000)}
}

func (p *producing) send(s sent) {
	p.t.Helper()
	b := p.batch(s)
	if known, ok := p.table.duplicate(b); ok && s.origin == Client {
		if s.duplicate == 0 || known.firstOffset() != s.duplicate {
			p.t.Fatalf("%+v: found at %d", s, known.firstOffset())
		}
		return
	} else if s.duplicate > 0 {
		p.t.Fatalf("%+v: not recognised", s)
	}
	a := p.table.begin(s.origin)
	if err := a.add(b); !isError(err, s.want) || s.want == nil && err != nil {
		p.t.Fatalf("%+v: got %v", s, err)
	} else if err != nil {
		return
	}
	p.table.commit(a)
	p.next = b.NextOffset()
	p.table.setEnd(p.next)
}

func (p *producing) batch(s sent) record.Batch {
	p.t.Helper()
	builder := record.NewBuilder(record.Options{BaseOffset: p.next, Producer: &record.Producer{
		ID: s.id, Epoch: s.epoch, Sequence: s.sequence, Transactional: s.transactional}})
	for range max(s.count, 1) {
		builder.Append(int64(p.next), nil, []byte("v"))
	}
	b, err := builder.Build()
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func (p *producing) mark(id record.ProducerID, epoch record.ProducerEpoch, m record.Marker) []completedTxn {
	p.t.Helper()
	done, err := p.tryMark(id, epoch, m)
	if err != nil {
		p.t.Fatal(err)
	}
	return done
}

func (p *producing) tryMark(id record.ProducerID, epoch record.ProducerEpoch, m record.Marker) ([]completedTxn, error) {
	b, err := record.NewMarker(id, epoch, m)
	if err != nil {
		p.t.Fatal(err)
	}
	b.SetBaseOffset(p.next)
	a := p.table.begin(Coordinator)
	if err := a.add(b); err != nil {
		return nil, err
	}
	p.next++
	done := p.table.commit(a)
	p.table.setEnd(p.next)
	return done, nil
}

func TestSequences(t *testing.T) {
	for name, batches := range map[string][]sent{
		"in order":             {{id: 1, count: 3}, {id: 1, sequence: 3, count: 2}, {id: 1, sequence: 5}},
		"a gap":                {{id: 1, count: 3}, {id: 1, sequence: 4, want: ErrOutOfOrderSequence}, {id: 1, sequence: 3}},
		"backwards":            {{id: 1, count: 3}, {id: 1, sequence: 1, want: ErrOutOfOrderSequence}},
		"an unknown producer":  {{id: 1, sequence: 500}, {id: 1, sequence: 501}},
		"two producers":        {{id: 1}, {id: 2}, {id: 1, sequence: 1}, {id: 2, sequence: 1}},
		"wraps to zero":        {{id: 1, sequence: math.MaxInt32 - 1, count: 2}, {id: 1}},
		"wraps within a batch": {{id: 1, sequence: math.MaxInt32, count: 3}, {id: 1, sequence: 2}},
		"a new epoch":          {{id: 1, count: 3}, {id: 1, epoch: 1}, {id: 1, epoch: 1, sequence: 1}},
		"a new epoch not at 0": {{id: 1, count: 3}, {id: 1, epoch: 1, sequence: 3, want: ErrOutOfOrderSequence}},
		"an old epoch":         {{id: 1, epoch: 4}, {id: 1, epoch: 3, sequence: 1, want: ErrInvalidProducerEpoch}},
		"the same again":       {{id: 9}, {id: 1, count: 3}, {id: 1, count: 3, duplicate: 1}},
		"part of the same":     {{id: 1, count: 3}, {id: 1, count: 2, want: ErrOutOfOrderSequence}},
		"leaders are believed": {{id: 1, count: 3}, {id: 1, sequence: 77, origin: Follower}, {id: 1, epoch: -1, origin: Follower}},
		"coordinators, no sequence": {
			{id: 1, sequence: -1, origin: Coordinator}, {id: 1, sequence: -1, origin: Coordinator},
		},
		"not in the transaction": {
			{id: 1, transactional: true}, {id: 1, sequence: 1, want: ErrInvalidTxnState},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProducing(t)
			for _, s := range batches {
				p.send(s)
			}
		})
	}
}

func TestLastFiveBatchesAreRecognised(t *testing.T) {
	p := newProducing(t)
	p.send(sent{id: 9}) // so that no batch is at offset 0
	for i := range 7 {
		p.send(sent{id: 1, sequence: record.Sequence(i)})
	}
	for i := 2; i < 7; i++ {
		p.send(sent{id: 1, sequence: record.Sequence(i), duplicate: record.Offset(i + 1)})
	}
	p.send(sent{id: 1, sequence: 1, want: ErrOutOfOrderSequence})
}

func TestFailedAppendLeavesNoTrace(t *testing.T) {
	p := newProducing(t)
	p.send(sent{id: 1})
	a := p.table.begin(Client)
	if err := a.add(p.batch(sent{id: 1, sequence: 1})); err != nil {
		t.Fatal(err)
	}
	wantError(t, a.add(p.batch(sent{id: 1, sequence: 1})), ErrOutOfOrderSequence)
	p.send(sent{id: 1, sequence: 1})
}

func TestTransactionsHoldTheStableOffset(t *testing.T) {
	p := newProducing(t)
	stable := func(want record.Offset) {
		t.Helper()
		first, ok := p.table.firstUnstable()
		if !ok {
			first = -1
		}
		if first != want {
			t.Fatalf("first unstable offset %d, want %d", first, want)
		}
	}
	stable(-1)
	p.send(sent{id: 5})
	p.send(sent{id: 1, transactional: true, count: 2}) // 1
	p.send(sent{id: 2, transactional: true})           // 3
	p.send(sent{id: 1, sequence: 2, transactional: true})
	stable(1)
	if states := p.table.states(); len(states) != 3 || states[0].TxnStart != 1 || states[1].TxnStart != 3 || states[2].TxnStart != -1 {
		t.Fatalf("states %+v", states)
	}
	done := p.mark(1, 0, record.Marker{Commit: false, CoordinatorEpoch: 3}) // 5
	want := completedTxn{Producer: 1, FirstOffset: 1, LastOffset: 5, Aborted: true, LastStableOffset: 3}
	if len(done) != 1 || done[0] != want {
		t.Fatalf("completed %+v, want %+v", done, want)
	}
	stable(1)
	p.table.onHighWatermark(5)
	stable(1)
	p.table.onHighWatermark(6)
	stable(3)
	if done := p.mark(1, 0, record.Marker{Commit: true, CoordinatorEpoch: 3}); done != nil {
		t.Fatalf("an empty transaction completed %+v", done)
	}
	_, err := p.tryMark(1, 0, record.Marker{CoordinatorEpoch: 2})
	wantError(t, err, ErrTransactionCoordinatorFenced)
	done = p.mark(2, 1, record.Marker{Commit: true, CoordinatorEpoch: 3}) // 7
	if len(done) != 1 || done[0].Aborted || done[0].LastStableOffset != 8 {
		t.Fatalf("completed %+v", done)
	}
	p.table.onHighWatermark(8)
	stable(-1)
	// The marker carried a new epoch, which begins with sequence 0.
	p.send(sent{id: 2, epoch: 0, sequence: 1, want: ErrInvalidProducerEpoch})
	p.send(sent{id: 2, epoch: 1, sequence: 1, want: ErrOutOfOrderSequence})
	p.send(sent{id: 2, epoch: 1})
}

func TestIdleProducersExpire(t *testing.T) {
	p := newProducing(t)
	p.send(sent{id: 1})
	p.send(sent{id: 2, transactional: true})
	p.next = 500 // which is also the timestamp of what is sent
	p.send(sent{id: 3})
	if n := p.table.expire(999); n != 0 {
		t.Fatalf("%d expired", n)
	}
	if n := p.table.expire(1000); n != 1 || len(p.table.producers) != 2 {
		t.Fatalf("%d expired, %d left", n, len(p.table.producers))
	}
	if n := p.table.expire(5000); n != 1 || p.table.producers[2] == nil {
		t.Fatalf("%d expired; an open transaction must stay", n)
	}
}

func TestProducersAreBounded(t *testing.T) {
	table := newProducerTable(math.MaxInt64)
	for i := range maxProducers + 10 {
		entry := newProducerEntry(record.ProducerID(i))
		entry.lastTimestampMs = int64(i)
		if i == 3 {
			entry.txnStart = 3
		}
		table.put(&entry)
	}
	if len(table.producers) > maxProducers {
		t.Fatalf("%d producers", len(table.producers))
	}
	if table.producers[0] != nil || table.producers[3] == nil || table.producers[maxProducers] == nil {
		t.Fatal("the wrong ones were forgotten")
	}
}

func TestSnapshotsRestoreTheTable(t *testing.T) {
	fsys := vfs.NewMem()
	if err := fsys.MkdirAll("/p", 0o755); err != nil {
		t.Fatal(err)
	}
	p := newProducing(t)
	p.send(sent{id: 1, count: 3})
	p.send(sent{id: 2, transactional: true, count: 2})
	p.mark(7, 0, record.Marker{CoordinatorEpoch: 9, TimestampMs: 4})
	snap := func() {
		t.Helper()
		if err := p.table.takeSnapshot(fsys, "/p", true); err != nil {
			t.Fatal(err)
		}
	}
	snap()
	snap() // nothing new: nothing written
	saved := p.table.states()
	p.send(sent{id: 1, sequence: 3})
	snap()
	if len(p.table.snapshots) != 2 || p.table.snapshots[0] != 6 || p.table.snapshots[1] != 7 {
		t.Fatalf("snapshots %v", p.table.snapshots)
	}
	reload := func(end record.Offset) *producerTable {
		t.Helper()
		table := newProducerTable(1000)
		names := []string{"00000000000000000006.snapshot", "00000000000000000007.snapshot", "x.snapshot", "00000000000000000000.log"}
		if err := table.listSnapshots(fsys, "/p", names, []record.Offset{0, 6}); err != nil {
			t.Fatal(err)
		}
		if err := table.load(fsys, "/p", 0, end, 100, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		return table
	}
	table := reload(7)
	if table.end != 7 || len(table.states()) != 3 {
		t.Fatalf("end %d, states %+v", table.end, table.states())
	}
	if first, ok := table.firstUnstable(); first != 3 || !ok {
		t.Fatalf("first unstable %d, %v", first, ok)
	}
	// A log that ends before the newest snapshot takes the older one, and the newest is gone.
	table = reload(6)
	for i, s := range table.states() {
		if s != saved[i] {
			t.Fatalf("state %+v, was %+v", s, saved[i])
		}
	}
	if _, err := fsys.Stat("/p/00000000000000000007.snapshot"); err == nil {
		t.Fatal("a snapshot from beyond the log's end is still there")
	}
	// A damaged one is as good as none.
	f, err := fsys.OpenFile("/p/00000000000000000006.snapshot", openOrCreate, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xff}, 20); err != nil {
		t.Fatal(err)
	}
	table = reload(7)
	if table.end != 0 || len(table.states()) != 0 || len(table.snapshots) != 0 {
		t.Fatalf("end %d, %d producers, snapshots %v", table.end, len(table.states()), table.snapshots)
	}
}

func TestStraySnapshotsGo(t *testing.T) {
	fsys := vfs.NewMem()
	table := newProducerTable(1000)
	names := []string{snapshotName(0), snapshotName(5), snapshotName(10), snapshotName(12), snapshotName(25)}
	for _, name := range names {
		f, err := fsys.Create("/" + name)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if err := table.listSnapshots(fsys, "/", names, []record.Offset{0, 10, 20}); err != nil {
		t.Fatal(err)
	}
	if len(table.snapshots) != 3 || table.snapshots[1] != 10 || table.snapshots[2] != 25 {
		t.Fatalf("snapshots %v", table.snapshots)
	}
	if err := table.deleteSnapshotsBefore(fsys, "/", 10); err != nil || len(table.snapshots) != 2 {
		t.Fatalf("snapshots %v, %v", table.snapshots, err)
	}
}

func FuzzSnapshot(f *testing.F) {
	table := newProducerTable(1000)
	entry := newProducerEntry(1)
	entry.remember(sentBatch{lastOffset: 10, lastSequence: 3, offsetDelta: 3})
	table.put(&entry)
	f.Add(encodeSnapshot(table.producers))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := decodeSnapshot(data)
		if err != nil {
			wantError(t, err, errCorruptSnapshot)
			return
		}
		table := newProducerTable(1000)
		for i := range entries {
			table.put(&entries[i])
		}
		if again, err := decodeSnapshot(encodeSnapshot(table.producers)); err != nil || len(again) != len(table.producers) {
			t.Fatalf("%d entries, %v", len(again), err)
		}
	})
}

func TestProducersCostNothingPerBatch(t *testing.T) {
	p := newProducing(t)
	p.send(sent{id: 1})
	b := p.batch(sent{id: 1, sequence: 1})
	sequence := record.Sequence(1)
	n := testing.AllocsPerRun(100, func() {
		b = p.batchAgain(b, sequence)
		a := p.table.begin(Client)
		if err := a.add(b); err != nil {
			t.Fatal(err)
		}
		p.table.commit(a)
		sequence++
	})
	if n > 0 {
		t.Fatalf("%v allocations", n)
	}
}

// batchAgain gives a batch another sequence, in place.
func (p *producing) batchAgain(b record.Batch, sequence record.Sequence) record.Batch {
	const sequenceAt = 53
	for i := range 4 {
		b[sequenceAt+i] = byte(sequence >> (24 - 8*i))
	}
	return b
}

// The file was written by Snap.java beside it, with the classes of Kafka 4.4.
func TestSnapshotsAreKafkas(t *testing.T) {
	golden, err := os.ReadFile("testdata/java-4.4.0/00000000000000000100.snapshot")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := decodeSnapshot(golden)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%+v, %v", entries, err)
	}
	one := entries[0]
	if one.id != 1 || one.epoch != 3 || one.coordinatorEpoch != 7 || one.txnStart != 95 || one.count != 1 ||
		one.sent[0] != (sentBatch{lastOffset: 99, timestampMs: 1_700_000_000_000, lastSequence: 41, offsetDelta: 4}) {
		t.Fatalf("%+v", one)
	}
	if entries[1] != newProducerEntry(4711).with(0) {
		t.Fatalf("%+v", entries[1])
	}
	table := newProducerTable(1000)
	for i := range entries {
		table.put(&entries[i])
	}
	if again := encodeSnapshot(table.producers); !bytes.Equal(again, golden) {
		t.Fatalf("got  %x\nwant %x", again, golden)
	}
}

func (e producerEntry) with(epoch record.ProducerEpoch) producerEntry {
	e.epoch = epoch
	return e
}
