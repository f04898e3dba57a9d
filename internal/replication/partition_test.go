package replication

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

const self ident.BrokerID = 1

// bench is a manager over a store in memory, and the cluster metadata that a test changes.
type bench struct {
	t         testing.TB
	fs        vfs.FS
	store     *storage.Store
	manager   *Manager
	image     *metadata.Image
	revision  metadata.Revision
	settings  TopicSettings
	proposals []Proposal
	turns     []Turn
	now       time.Time
	boot      ident.BootID
	tune      storage.Settings
	dirs      []string
}

func newBench(t testing.TB) *bench {
	b := &bench{
		t: t, fs: vfs.NewMem(), image: metadata.NewImage(), now: time.Unix(1000, 0),
		settings: TopicSettings{Log: storage.DefaultLogConfig(), MinISR: func(int) int { return 1 }},
	}
	b.open()
	t.Cleanup(func() { b.store.Close(true) })
	return b
}

func (b *bench) open() {
	if b.dirs == nil {
		b.dirs = []string{"/data"}
	}
	store, err := storage.OpenStore(storage.Options{
		FS: b.fs, Dirs: b.dirs, BrokerID: self, BootID: b.boot, Config: b.settings.Log, Settings: b.tune,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.store = store
	b.manager = NewManager(Options{
		Broker: self, Store: store, MaxLag: 30 * time.Second, Logger: slog.New(slog.DiscardHandler),
		Settings: func(*metadata.Image, string) TopicSettings { return b.settings },
		Propose:  func(p Proposal) { b.proposals = append(b.proposals, p) },
		Turned:   func(t Turn) { b.turns = append(b.turns, t) },
		Clock:    func() time.Time { return b.now },
	})
}

// restart stops the broker and starts it again: it has its logs, and is yet to hear of the cluster.
func (b *bench) restart() {
	b.t.Helper()
	b.store.Close(true)
	b.open()
	b.image, b.revision = metadata.NewImage(), 0
}

// change applies writes and deletions to the metadata, as one revision.
func (b *bench) change(events ...metadata.Event) {
	b.t.Helper()
	b.revision++
	for i := range events {
		events[i].Modified, events[i].Created = b.revision, b.revision
	}
	next, delta, err := b.image.Apply(b.revision, events)
	if err != nil {
		b.t.Fatal(err)
	}
	old := b.image
	b.image = next
	b.manager.Apply(old, next, delta)
}

func put(key string, value []byte) metadata.Event {
	return metadata.Event{KV: metadata.KV{Key: key, Value: value}}
}

func gone(key string) metadata.Event {
	return metadata.Event{KV: metadata.KV{Key: key}, Deleted: true}
}

var topicID = ident.TopicID{7}

// topic creates topic "t" of one partition in the given state.
func (b *bench) topic(state metadata.Partition) *Partition {
	b.t.Helper()
	b.change(
		put(metadata.TopicKey(topicID), metadata.EncodeTopic("t", 1)),
		put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)),
	)
	p, err := b.manager.Get("t", 0)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// led is the state of a partition that this broker leads, the other replicas in sync too.
func (b *bench) led(epoch record.Epoch, others ...metadata.Member) metadata.Partition {
	me := metadata.Member{Broker: self, Store: b.store.Dirs()[0].ID()}
	state := metadata.Partition{
		Replicas: []ident.BrokerID{self}, ISR: []metadata.Member{me}, Leader: self,
		LeaderEpoch: epoch, Epoch: int32(epoch), Ceiling: metadata.CeilingStep,
	}
	for _, m := range others {
		state.Replicas, state.ISR = append(state.Replicas, m.Broker), append(state.ISR, m)
	}
	return state
}

// batch is n records in one batch.
func batch(t testing.TB, n int) []byte {
	t.Helper()
	builder := record.NewBuilder(record.Options{})
	for range n {
		builder.Append(1000, []byte("key"), []byte("value"))
	}
	built, err := builder.Build()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// append writes n records, or the given batch.
func (b *bench) append(p *Partition, n int, given ...byte) Appended {
	b.t.Helper()
	if given == nil {
		given = batch(b.t, n)
	}
	at, err := p.Append(given, AppendRequest{Acks: AcksAll, Epoch: record.NoEpoch})
	if err != nil {
		b.t.Fatal(err)
	}
	return at
}

func TestOneReplicaCommitsAtOnce(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(0))
	at := b.append(p, 3)
	if at.BaseOffset != 0 || at.LastOffset != 2 {
		t.Errorf("appended at %d to %d", at.BaseOffset, at.LastOffset)
	}
	if done, err := p.Committed(at.Epoch, at.LastOffset+1); !done || err != nil {
		t.Errorf("Committed = %v, %v", done, err)
	}
	result, err := p.Read(ReadRequest{MaxBytes: 1 << 20, CurrentEpoch: record.NoEpoch, LastFetchedEpoch: record.NoEpoch})
	if err != nil {
		t.Fatal(err)
	}
	defer result.Span.Release()
	if result.HighWatermark != 3 || result.Span.Len() == 0 {
		t.Errorf("read %d bytes, high watermark %d", result.Span.Len(), result.HighWatermark)
	}
}

func TestCommitWaitsForFollowers(t *testing.T) {
	b := newBench(t)
	follower := metadata.Member{Broker: 2, Store: ident.StoreID{2}}
	p := b.topic(b.led(0, follower))
	at := b.append(p, 3)
	if done, _ := p.Committed(at.Epoch, at.LastOffset+1); done {
		t.Fatal("committed before the follower has it")
	}
	w := NewWaiter()
	p.Watch(w, AtHighWatermark, at.LastOffset)
	select {
	case <-w.Woken():
		t.Fatal("woken too early")
	default:
	}
	fetch := ReadRequest{
		Offset: 3, MaxBytes: 1 << 20, UpTo: AtLogEnd, CurrentEpoch: 0, LastFetchedEpoch: record.NoEpoch,
		Follower: &FollowerFetch{Member: follower},
	}
	if _, err := p.Read(fetch); err != nil {
		t.Fatal(err)
	}
	<-w.Woken()
	w.Rest()
	if done, err := p.Committed(at.Epoch, at.LastOffset+1); !done || err != nil {
		t.Errorf("Committed = %v, %v", done, err)
	}
}

func TestConsumersSeeWhatIsCommitted(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(0, metadata.Member{Broker: 2, Store: ident.StoreID{2}}))
	b.append(p, 3)
	read := func(mark Mark) int {
		result, err := p.Read(ReadRequest{MaxBytes: 1 << 20, UpTo: mark, CurrentEpoch: record.NoEpoch, LastFetchedEpoch: record.NoEpoch})
		if err != nil {
			t.Fatal(err)
		}
		defer result.Span.Release()
		return result.Span.Len()
	}
	if n := read(AtHighWatermark); n != 0 {
		t.Errorf("a consumer reads %d bytes that are not committed", n)
	}
	if n := read(AtLogEnd); n == 0 {
		t.Error("a follower reads nothing")
	}
}

func TestMinISRRefusesBeforeAppend(t *testing.T) {
	b := newBench(t)
	b.settings.MinISR = func(int) int { return 2 }
	state := b.led(0)
	state.Replicas = []ident.BrokerID{self, 2}
	p := b.topic(state)
	_, err := p.Append(batch(t, 1), AppendRequest{Acks: AcksAll, Epoch: record.NoEpoch})
	if !errors.Is(err, ErrNotEnoughReplicas) {
		t.Errorf("acks=all: %v", err)
	}
	if _, err := p.Append(batch(t, 1), AppendRequest{Acks: 1, Epoch: record.NoEpoch}); err != nil {
		t.Errorf("acks=1: %v", err)
	}
	if s := p.State(); s.HighWatermark != 0 || s.LogEnd != 1 {
		t.Errorf("high watermark %d, log end %d", s.HighWatermark, s.LogEnd)
	}
}

// The records were written by all that were in sync, and by the time that they are acknowledged those are too few.
func TestMinISRIsLookedAtAfterAppend(t *testing.T) {
	b := newBench(t)
	b.settings.MinISR = func(int) int { return 2 }
	follower := metadata.Member{Broker: 2, Store: ident.StoreID{2}}
	state := b.led(0, follower)
	p := b.topic(state)
	at := b.append(p, 1)
	fetch := ReadRequest{
		Offset: 1, MaxBytes: 1 << 20, UpTo: AtLogEnd, CurrentEpoch: 0, LastFetchedEpoch: record.NoEpoch,
		Follower: &FollowerFetch{Member: follower},
	}
	if _, err := p.Read(fetch); err != nil {
		t.Fatal(err)
	}
	late := b.append(p, 1)
	state.ISR, state.Epoch = state.ISR[:1], state.Epoch+1
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	if done, err := p.Committed(at.Epoch, at.LastOffset+1); !done || !errors.Is(err, ErrNotEnoughReplicasAfterAppend) {
		t.Errorf("what all had: Committed = %v, %v", done, err)
	}
	if done, err := p.Committed(late.Epoch, late.LastOffset+1); done {
		t.Errorf("what the leader alone has: Committed = %v, %v", done, err) // it is waited for, until the request's time is over (KIP-966)
	}
}

func TestMinISRIsCappedByReplicas(t *testing.T) {
	b := newBench(t)
	b.settings.MinISR = func(int) int { return 3 }
	b.append(b.topic(b.led(0)), 1)
}

func TestEpochsAreChecked(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(5))
	for epoch, want := range map[record.Epoch]error{record.NoEpoch: nil, 4: ErrFencedEpoch, 5: nil, 6: ErrUnknownEpoch} {
		_, err := p.Append(batch(t, 1), AppendRequest{Acks: 1, Epoch: epoch})
		if !errors.Is(err, want) {
			t.Errorf("append in epoch %d: %v, want %v", epoch, err, want)
		}
		_, err = p.Lookup(LookupRequest{Timestamp: LatestTimestamp, CurrentEpoch: epoch})
		if !errors.Is(err, want) {
			t.Errorf("lookup in epoch %d: %v, want %v", epoch, err, want)
		}
	}
}

func TestLosingLeadershipEndsWaits(t *testing.T) {
	b := newBench(t)
	state := b.led(0, metadata.Member{Broker: 2, Store: ident.StoreID{2}})
	p := b.topic(state)
	at := b.append(p, 1)
	called := 0
	p.Watch(NewCallback(func() { called++ }), AtHighWatermark, at.LastOffset)
	state.Leader, state.LeaderEpoch, state.Epoch = 2, 1, 1
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	if called != 1 {
		t.Errorf("woken %d times", called)
	}
	if done, err := p.Committed(at.Epoch, at.LastOffset+1); !done || !errors.Is(err, ErrNotLeader) {
		t.Errorf("Committed = %v, %v", done, err)
	}
	if _, err := p.Append(batch(t, 1), AppendRequest{Acks: 1, Epoch: record.NoEpoch}); !errors.Is(err, ErrNotLeader) {
		t.Errorf("append: %v", err)
	}
	if n := len(b.turns); n != 2 || !b.turns[0].Leads || b.turns[1].Leads {
		t.Errorf("turns: %+v", b.turns)
	}
}

func TestAnotherStoreDoesNotLead(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	state.ISR[0].Store = ident.StoreID{99} // the disk that this broker had before
	p := b.topic(state)
	if _, leads := p.IsLeader(); leads {
		t.Error("an empty store leads in the place of the one that was in sync")
	}
}

func TestStoreIsClaimed(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	state.ISR[0].Store = ident.StoreID{}
	p := b.topic(state)
	want := metadata.Member{Broker: self, Store: b.store.Dirs()[0].ID()}
	if len(b.proposals) != 1 || b.proposals[0].Partition != p || b.proposals[0].ISR[0] != want {
		t.Errorf("proposals: %+v", b.proposals)
	}
}

// TestNothingIsSafeBeforeItsStoreIsNamed: while the in-sync set names no store for the leader, the broker may come back with
// another one and be taken for the same. Nothing may be shown that this would lose, and the claim is made until it is heard.
func TestNothingIsSafeBeforeItsStoreIsNamed(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	me := state.ISR[0]
	state.ISR = []metadata.Member{{Broker: self}}
	p := b.topic(state)
	at := b.append(p, 1)
	if done, err := p.Committed(at.Epoch, at.LastOffset+1); done || err != nil {
		t.Fatalf("before the store is named: done %v, error %v, high watermark %d", done, err, p.State().HighWatermark)
	}
	for _, again := range []func(){
		func() {
			b.change(put(metadata.BrokerKey(self), metadata.EncodeBroker(&metadata.Broker{ID: self, Stores: []ident.StoreID{me.Store}})))
		},
		b.manager.CheckInSync,
	} {
		for _, proposal := range b.proposals {
			p.Refused(proposal)
		}
		b.proposals = nil
		again()
		if len(b.proposals) != 1 || !slices.Equal(b.proposals[0].ISR, []metadata.Member{me}) {
			t.Fatalf("after a refusal it proposes %+v, want its own store", b.proposals)
		}
	}
	state.ISR, state.Epoch = []metadata.Member{me}, 1
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	if done, err := p.Committed(at.Epoch, at.LastOffset+1); !done || err != nil {
		t.Errorf("once the store is named: done %v, error %v", done, err)
	}
}

func TestCeilingIsRaisedAheadOfNeed(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	state.Ceiling, state.Start = 4, 0
	p := b.topic(state)
	if len(b.proposals) != 1 {
		t.Fatalf("proposals: %+v", b.proposals)
	}
	asked := b.proposals[0].Ceiling
	b.append(p, 3)
	if _, err := p.Append(batch(t, 2), AppendRequest{Acks: AcksAll, Epoch: record.NoEpoch}); !errors.Is(err, ErrCeiling) {
		t.Errorf("above the ceiling: %v", err)
	}
	if len(b.proposals) != 1 {
		t.Errorf("asked again while an answer is due: %+v", b.proposals)
	}
	p.Refused(b.proposals[0])
	p.Append(batch(t, 2), AppendRequest{Acks: AcksAll, Epoch: record.NoEpoch})
	if len(b.proposals) != 2 {
		t.Errorf("not asked again after a refusal: %+v", b.proposals)
	}
	state.Ceiling, state.Epoch = asked, 1
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	b.append(p, 2)
}

func TestNewLogBeginsAtStart(t *testing.T) {
	b := newBench(t)
	state := b.led(3)
	state.Start, state.Ceiling = 500, 500+metadata.CeilingStep
	p := b.topic(state)
	if at := b.append(p, 1); at.BaseOffset != 500 {
		t.Errorf("offsets begin at %d: those before were given out once", at.BaseOffset)
	}
	if _, err := p.Read(ReadRequest{Offset: 100, MaxBytes: 1, CurrentEpoch: record.NoEpoch, LastFetchedEpoch: record.NoEpoch}); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Errorf("reading before the start: %v", err)
	}
}

// A broker that comes back without its disk makes its logs before the controller has seen that they are lost.
func TestLogMadeBeforeTheLossBeginsAtStart(t *testing.T) {
	b := newBench(t)
	state := b.led(3)
	state.ISR = []metadata.Member{{Broker: self, Store: ident.NewStoreID()}}
	p := b.topic(state)
	if p.State().Role == Leading {
		t.Fatal("leads on a store that was not elected")
	}
	state.ISR[0].Store = b.store.Dirs()[0].ID()
	state.LeaderEpoch, state.Epoch = 4, 4
	state.Start, state.Ceiling = 500, 500+metadata.CeilingStep
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	if at := b.append(p, 1); at.BaseOffset != 500 {
		t.Errorf("offsets begin at %d: those before were given out once", at.BaseOffset)
	}
}

func TestDeleteRecords(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(0))
	b.append(p, 10)
	if low, err := p.DeleteRecords(4); low != 4 || err != nil {
		t.Errorf("DeleteRecords(4) = %d, %v", low, err)
	}
	if _, err := p.DeleteRecords(11); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Errorf("past the high watermark: %v", err)
	}
	if low, err := p.DeleteRecords(ToHighWatermark); low != 10 || err != nil {
		t.Errorf("to the high watermark = %d, %v", low, err)
	}
	b.settings.Log.Delete, b.settings.Log.Compact = false, true
	b.change(put(metadata.ConfigKey(metadata.Resource{Type: metadata.TopicResource, Name: "t"}),
		metadata.EncodeConfig(map[string]string{"cleanup.policy": "compact"})))
	if _, err := p.DeleteRecords(ToHighWatermark); !errors.Is(err, ErrPolicy) {
		t.Errorf("compacted: %v", err)
	}
}

func TestLookup(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(2))
	b.append(p, 5)
	for _, c := range []struct {
		timestamp int64
		want      Found
	}{
		{LatestTimestamp, Found{5, -1, 2}},
		{EarliestTimestamp, Found{0, -1, 2}},
		{MaxTimestamp, Found{0, 1000, 2}},
		{1000, Found{0, 1000, 2}},
		{1001, nothing},
		{LatestTieredTimestamp, nothing},
	} {
		got, err := p.Lookup(LookupRequest{Timestamp: c.timestamp, CurrentEpoch: record.NoEpoch})
		if got != c.want || err != nil {
			t.Errorf("Lookup(%d) = %+v, %v, want %+v", c.timestamp, got, err, c.want)
		}
	}
}

func TestEpochEnd(t *testing.T) {
	b := newBench(t)
	state := b.led(2)
	p := b.topic(state)
	b.append(p, 5)
	state.LeaderEpoch, state.Epoch = 4, 4
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	b.append(p, 5)
	for epoch, want := range map[record.Epoch]EpochEnd{1: {1, 0}, 2: {2, 5}, 3: {2, 5}, 4: {4, 10}} {
		got, err := p.EpochEnd(record.NoEpoch, epoch, false)
		if got != want || err != nil {
			t.Errorf("EpochEnd(%d) = %+v, %v, want %+v", epoch, got, err, want)
		}
	}
}

func TestDivergingFollowerIsToldWhere(t *testing.T) {
	b := newBench(t)
	follower := metadata.Member{Broker: 2, Store: ident.StoreID{2}}
	state := b.led(2, follower)
	p := b.topic(state)
	b.append(p, 5)
	state.LeaderEpoch, state.Epoch = 4, 4
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	b.append(p, 5)
	result, err := p.Read(ReadRequest{
		Offset: 7, MaxBytes: 1, UpTo: AtLogEnd, CurrentEpoch: 4, LastFetchedEpoch: 2,
		Follower: &FollowerFetch{Member: follower},
	})
	if err != nil || !result.Diverges || result.Diverging != (EpochEnd{2, 5}) {
		t.Errorf("Read = %+v, %v", result.Diverging, err)
	}
}

func TestTopicDeletedAndMadeAgain(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(0))
	b.append(p, 5)
	again := ident.TopicID{8}
	state := b.led(0)
	b.change(
		gone(metadata.TopicKey(topicID)), gone(metadata.PartitionKey(topicID, 0)),
		put(metadata.TopicKey(again), metadata.EncodeTopic("t", 1)),
		put(metadata.PartitionKey(again, 0), metadata.EncodePartition(&state)),
	)
	fresh, err := b.manager.Get("t", 0)
	if err != nil || fresh == p {
		t.Fatalf("Get = %p (was %p), %v", fresh, p, err)
	}
	if s := fresh.State(); s.LogEnd != 0 || s.TopicID != again {
		t.Errorf("the new topic has the old one's records: %+v", s)
	}
	if _, err := p.Append(batch(t, 1), AppendRequest{Acks: 1, Epoch: record.NoEpoch}); err == nil {
		t.Error("the deleted partition takes records")
	}
}

func TestTopicDeletedWhileAway(t *testing.T) {
	b := newBench(t)
	b.append(b.topic(b.led(0)), 5)
	b.restart()
	if strays := b.manager.Strays(b.image); len(strays) != 1 {
		t.Errorf("strays: %v", strays)
	}
	topicWas := topicID
	topicID = ident.TopicID{9}
	defer func() { topicID = topicWas }()
	p := b.topic(b.led(0))
	if end := p.State().LogEnd; end != 0 {
		t.Errorf("log end %d: the log of another topic of that name", end)
	}
}

func TestRestartKeepsRecords(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	b.append(b.topic(state), 5)
	b.restart()
	p := b.topic(state)
	if s := p.State(); s.LogEnd != 5 || s.HighWatermark != 5 {
		t.Errorf("after a restart: %+v", s)
	}
}
