package replication

import (
	"bytes"
	"errors"
	"testing"

	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// pair is a leader and a follower of one partition, each on a store of its own; both believe to be broker 1,
// and the other one to be broker 2.
type pair struct {
	t        *testing.T
	leader   *bench
	follower *bench
}

func newPair(t *testing.T) *pair { return &pair{t: t, leader: newBench(t), follower: newBench(t)} }

var otherBroker = metadata.Member{Broker: 2, Store: [16]byte{2}}

// roles has the one lead and the other follow in a leader epoch.
func (p *pair) roles(epoch record.Epoch) (leads, follows *Partition) {
	leads = p.leader.topic(p.leader.led(epoch, otherBroker))
	state := p.follower.led(epoch, otherBroker)
	state.Leader = otherBroker.Broker
	return leads, p.follower.topic(state)
}

// swap changes who is who.
func (p *pair) swap() { p.leader, p.follower = p.follower, p.leader }

// once has the follower fetch once, as the broker does it.
func once(t *testing.T, leads, follows *Partition) error {
	t.Helper()
	return copyOnce(t, leads, follows, 1<<20)
}

// copyOnce is once with a bound of the answer, in bytes.
func copyOnce(t *testing.T, leads, follows *Partition, most int) error {
	t.Helper()
	return copyAs(t, leads, follows, most, nil)
}

// copyAs is copyOnce by a follower whose progress counts.
func copyAs(t *testing.T, leads, follows *Partition, most int, who *FollowerFetch) error {
	t.Helper()
	up, ok := follows.Upstream()
	if !ok {
		t.Fatal("follows nobody")
	}
	at := follows.Position()
	read, err := leads.Read(ReadRequest{
		Offset: at.Offset, MaxBytes: most, MinOneBatch: true, UpTo: AtLogEnd,
		CurrentEpoch: up.Epoch, LastFetchedEpoch: at.LastEpoch, Follower: who,
	})
	if errors.Is(err, ErrOffsetOutOfRange) {
		_, err = follows.OutOfRange(up.Epoch, leads.State().LogStart, leads.State().LogEnd)
		return err
	}
	if err != nil {
		return err
	}
	defer read.Span.Release()
	batches := make([]byte, read.Span.Len())
	if _, err := read.Span.CopyTo(batches); err != nil {
		t.Fatal(err)
	}
	_, err = follows.Copy(Copied{
		Epoch: up.Epoch, Offset: at.Offset, Batches: batches, HighWatermark: read.HighWatermark, LogStart: read.LogStart,
		Diverging: read.Diverging, Diverges: read.Diverges,
	})
	return err
}

// copyAll fetches until the follower has everything, which takes few fetches.
func copyAll(t *testing.T, leads, follows *Partition) {
	t.Helper()
	for range 10 {
		if err := once(t, leads, follows); err != nil {
			t.Fatal(err)
		}
		if got, want := content(t, follows), content(t, leads); bytes.Equal(got, want) {
			if follows.State().LogStart != leads.State().LogStart || follows.State().LogEnd != leads.State().LogEnd {
				t.Fatalf("follower %+v, leader %+v", follows.State(), leads.State())
			}
			return
		}
	}
	t.Fatalf("never the same: follower %+v, leader %+v", follows.State(), leads.State())
}

func content(t *testing.T, p *Partition) []byte {
	t.Helper()
	log := p.Log()
	span, err := log.Read(log.StartOffset(), storage.ReadOptions{MaxBytes: 1 << 20, UpTo: log.EndOffset()})
	if err != nil {
		t.Fatal(err)
	}
	defer span.Release()
	all := make([]byte, span.Len())
	if _, err := span.CopyTo(all); err != nil {
		t.Fatal(err)
	}
	return all
}

// write appends to whom is leader, without waiting for anybody.
func (p *pair) write(to *Partition, records int) {
	p.t.Helper()
	if _, err := to.Append(batch(p.t, records), AppendRequest{Acks: 1, Epoch: record.NoEpoch}); err != nil {
		p.t.Fatal(err)
	}
}

func TestFollowerCopies(t *testing.T) {
	p := newPair(t)
	leads, follows := p.roles(1)
	for range 5 {
		p.write(leads, 3)
		copyAll(t, leads, follows)
	}
	leads.Log().SetHighWatermark(12)
	copyAll(t, leads, follows)
	if err := once(t, leads, follows); err != nil {
		t.Fatal(err)
	}
	if got := follows.State().HighWatermark; got != 12 {
		t.Errorf("high watermark %d", got)
	}
}

func TestFollowerCutsWhatTheLeaderDoesNotHave(t *testing.T) {
	p := newPair(t)
	leads, follows := p.roles(1)
	p.write(leads, 10)
	copyAll(t, leads, follows)

	p.swap() // the follower leads for a while, and nobody copies
	deposed, _ := p.roles(2)
	p.write(deposed, 5)
	p.write(deposed, 5)

	p.swap()
	leads, follows = p.roles(3)
	p.write(leads, 3)
	copyAll(t, leads, follows)
	if end := follows.State().LogEnd; end != 13 {
		t.Errorf("ends at %d", end)
	}
	if epoch, end := follows.Log().EpochEnd(1); epoch != 1 || end != 10 {
		t.Errorf("epoch %d ends at %d", epoch, end)
	}
	if got := follows.Log().EpochAt(11); got != 3 {
		t.Errorf("record 11 is of epoch %d", got)
	}
}

func TestFollowerForgetsAnEpochWithoutRecords(t *testing.T) {
	p := newPair(t)
	leads, follows := p.roles(1)
	p.write(leads, 10)
	p.write(leads, 10)
	if err := once(t, leads, follows); err != nil { // both batches at once
		t.Fatal(err)
	}
	p.swap()
	p.roles(5) // leads, and writes nothing
	p.swap()
	leads, follows = p.roles(6)
	p.write(leads, 1)
	copyAll(t, leads, follows)
	if epoch, _ := follows.Log().EpochEnd(5); epoch != 1 {
		t.Errorf("epoch 5 is answered by %d", epoch)
	}
}

func TestFollowerBeginsWhereTheLeaderDoes(t *testing.T) {
	p := newPair(t)
	leads, follows := p.roles(1)
	p.write(leads, 10)
	p.write(leads, 10)
	leads.Log().SetHighWatermark(20)
	if err := leads.Log().AdvanceStart(13); err != nil { // in the middle of a batch
		t.Fatal(err)
	}
	copyAll(t, leads, follows)
	if start := follows.State().LogStart; start != 13 {
		t.Errorf("starts at %d", start)
	}
	p.write(leads, 1)
	copyAll(t, leads, follows)
}

// A follower whose records of an earlier leader the new one's log begins behind, in the middle of a batch, gets that batch.
func TestFollowerBeginsAnewWithinABatch(t *testing.T) {
	p := newPair(t)
	deposed, _ := p.roles(1)
	p.write(deposed, 6)
	p.write(deposed, 3)
	p.swap()
	leads, follows := p.roles(2)
	p.write(leads, 5)
	p.write(leads, 3) // [5, 8)
	leads.Log().SetHighWatermark(8)
	if err := leads.Log().AdvanceStart(6); err != nil {
		t.Fatal(err)
	}
	copyAll(t, leads, follows)
	p.write(leads, 1)
	copyAll(t, leads, follows)
}

// sent is one record of an idempotent producer.
func sent(t *testing.T, producer record.ProducerID, sequence int) []byte {
	t.Helper()
	builder := record.NewBuilder(record.Options{Producer: &record.Producer{ID: producer, Sequence: record.Sequence(sequence)}})
	builder.Append(1000, []byte("key"), []byte("value"))
	built, err := builder.Build()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// send appends records of an idempotent producer, from one sequence up to another.
func (p *pair) send(to *Partition, producer record.ProducerID, from, upTo int) {
	p.t.Helper()
	for ; from < upTo; from++ {
		if _, err := to.Append(sent(p.t, producer, from), AppendRequest{Acks: 1, Epoch: record.NoEpoch}); err != nil {
			p.t.Fatal(err)
		}
	}
}

// withTen are a leader, in epoch 1, and a follower with ten records of producer 7, which were shown.
func (p *pair) withTen() (leads, follows *Partition) {
	p.t.Helper()
	leads, follows = p.roles(1)
	p.send(leads, 7, 0, 10)
	copyAll(p.t, leads, follows)
	for _, copied := range []*Partition{leads, follows} {
		copied.Log().SetHighWatermark(10)
	}
	return leads, follows
}

// sequences are the last ones of the producers that a replica knows.
func sequences(p *Partition) map[record.ProducerID]record.Sequence {
	last := map[record.ProducerID]record.Sequence{}
	for _, s := range p.Log().Producers() {
		last[s.ID] = s.LastSequence
	}
	return last
}

// What a follower has of a deposed leader, or as one, may reach to where the new leader's log begins, or beyond, and the new one
// know nothing of that leader epoch any more, for all of it has been deleted there. The follower drops it before it counts for
// anything, and with it what it knows of producers: they have gone on in what was deleted, and would be told of a gap.
func TestFollowerForgetsADeposedLeaderBelowTheStart(t *testing.T) {
	for start := record.Offset(11); start <= 18; start++ {
		p := newPair(t)
		deposed, _ := p.withTen()
		p.send(deposed, 7, 10, 11)
		p.send(deposed, 8, 0, 7) // up to 18

		p.swap()
		leads, follows := p.roles(2)
		p.send(leads, 9, 0, 1)
		p.send(leads, 7, 10, 12)
		p.send(leads, 9, 1, 6)
		leads.Log().SetHighWatermark(18)
		if err := leads.Log().AdvanceStart(start); err != nil {
			t.Fatal(err)
		}
		if err := copyAs(t, leads, follows, 1<<20, &FollowerFetch{Member: otherBroker}); err != nil {
			t.Fatal(err)
		}
		if got := follows.State(); got.LogStart != start || got.LogEnd != start {
			t.Errorf("start %d: the follower has [%d, %d)", start, got.LogStart, got.LogEnd)
		}
		if got := leads.followers[0].Progress.LogEnd; got >= 0 {
			t.Errorf("start %d: the follower counts as level up to %d", start, got)
		}
		copyAll(t, leads, follows)
		known := sequences(leads)
		for id, last := range sequences(follows) {
			if last != known[id] {
				t.Errorf("start %d: of producer %d the follower knows sequence %d, the leader %d", start, id, last, known[id])
			}
		}
	}
}

// A follower that has nothing but what was committed, of a time that its new leader knows nothing of any more, goes on knowing
// the producers.
func TestFollowerKeepsProducersBelowTheStart(t *testing.T) {
	for _, tail := range []int{0, 3} {
		p := newPair(t)
		deposed, _ := p.withTen()
		p.send(deposed, 7, 10, 10+tail)

		p.swap()
		leads, follows := p.roles(2)
		if err := leads.Log().AdvanceStart(10); err != nil {
			t.Fatal(err)
		}
		if err := copyAs(t, leads, follows, 1<<20, &FollowerFetch{Member: otherBroker}); err != nil {
			t.Fatal(err)
		}
		copyAll(t, leads, follows)
		if got := sequences(follows); len(got) != 1 || got[7] != 9 {
			t.Errorf("after a tail of %d the follower knows %v", tail, got)
		}
		p.send(leads, 7, 10, 11)
		copyAll(t, leads, follows)
	}
}

func TestFollowerIgnoresWhatComesTooLate(t *testing.T) {
	p := newPair(t)
	_, follows := p.roles(1)
	if _, err := follows.Copy(Copied{Epoch: 0, Batches: batch(t, 1)}); !errors.Is(err, ErrFencedEpoch) {
		t.Errorf("an answer of another epoch: %v", err)
	}
	if _, err := follows.Copy(Copied{Epoch: 1, Offset: 7, Batches: batch(t, 1)}); err != nil {
		t.Error(err)
	}
	p.swap()
	leads, _ := p.roles(2)
	if _, err := leads.Copy(Copied{Epoch: 2, Batches: batch(t, 1)}); !errors.Is(err, ErrNotLeader) {
		t.Errorf("an answer to a leader: %v", err)
	}
	if end := leads.State().LogEnd; end != 0 {
		t.Errorf("%d records came in", end)
	}
}

func TestLaggardsLeaveTheInSyncSet(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(1, otherBroker))
	b.append(p, 1)
	b.now = b.now.Add(31e9)
	b.manager.CheckInSync()
	if n := len(b.proposals); n != 1 || len(b.proposals[0].ISR) != 1 || len(b.proposals[0].Base) != 2 {
		t.Fatalf("proposed %+v", b.proposals)
	}
	if got := p.State().HighWatermark; got != 0 {
		t.Errorf("high watermark %d before the set has shrunk", got)
	}
}
