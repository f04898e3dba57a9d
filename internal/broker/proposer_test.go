package broker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/metrics"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

const leaderID, newcomerID, thirdID ident.BrokerID = 1, 2, 3

var (
	proposedTopic = ident.TopicID{7}
	newcomer      = metadata.Member{Broker: newcomerID, Store: ident.StoreID{2}}
	third         = metadata.Member{Broker: thirdID, Store: ident.StoreID{3}}
)

// proposing is a leader and its proposer over a store whose answers the test may lose, and that the leader hears of only
// when the test says so.
type proposing struct {
	t          *testing.T
	memory     *memstore.Memory
	store      *memstore.Store // the test's own
	manager    *replication.Manager
	proposer   *proposer
	image      atomic.Pointer[metadata.Image]
	partition  *replication.Partition
	registered metadata.Revision
	now        time.Time
	lose       bool   // the answers of transactions
	before     func() // a transaction of the proposer
}

var errLost = errors.New("the answer is lost")

func newProposing(t *testing.T) *proposing {
	p := &proposing{t: t, memory: memstore.New(), now: time.Unix(1000, 0)}
	p.store = p.memory.Open(memstore.Faults{})
	store, err := storage.OpenStore(storage.Options{
		FS: vfs.NewMem(), Dirs: []string{"/data"}, BrokerID: leaderID, Config: storage.DefaultLogConfig(),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close(true) })
	faulty := p.memory.Open(memstore.Faults{
		Before: func(call memstore.Call) error {
			if call == memstore.CallTxn && p.before != nil {
				p.before()
			}
			return nil
		},
		After: func(memstore.Call) error {
			if p.lose {
				return errLost
			}
			return nil
		},
	})
	p.proposer = newProposer(faulty, p.image.Load, leaderID, func() metadata.Revision { return p.registered },
		&metrics.New("test").Replication.FailedISRUpdates, slog.New(slog.DiscardHandler))
	p.manager = replication.NewManager(replication.Options{
		Broker: leaderID, Store: store, MaxLag: 30 * time.Second, Logger: slog.New(slog.DiscardHandler),
		Settings: func(*metadata.Image, string) replication.TopicSettings {
			return replication.TopicSettings{Log: storage.DefaultLogConfig(), MinISR: func(int) int { return 1 }}
		},
		Propose: p.proposer.propose, Clock: func() time.Time { return p.now },
	})
	own := metadata.Member{Broker: leaderID, Store: store.Dirs()[0].ID()}
	p.put(metadata.TopicKey(proposedTopic), metadata.EncodeTopic("t", 1))
	p.registered = p.register(own)
	p.register(newcomer)
	p.register(third)
	p.put(p.key(), metadata.EncodePartition(&metadata.Partition{
		Replicas: []ident.BrokerID{leaderID, newcomerID, thirdID}, ISR: []metadata.Member{own}, Leader: leaderID,
		Ceiling: metadata.CeilingStep,
	}))
	p.hear()
	if p.partition, err = p.manager.Get("t", 0); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *proposing) key() string { return metadata.PartitionKey(proposedTopic, 0) }

func (p *proposing) put(key string, value []byte) metadata.Revision {
	p.t.Helper()
	result, err := p.store.Txn(p.t.Context(), metadata.Txn{Then: []metadata.Op{metadata.Put(key, value)}})
	if err != nil {
		p.t.Fatal(err)
	}
	return result.Revision
}

// register enters a broker anew.
func (p *proposing) register(m metadata.Member) metadata.Revision {
	p.t.Helper()
	key := metadata.BrokerKey(m.Broker)
	if _, err := p.store.Txn(p.t.Context(), metadata.Txn{Then: []metadata.Op{metadata.Delete(key)}}); err != nil {
		p.t.Fatal(err)
	}
	return p.put(key, metadata.EncodeBroker(&metadata.Broker{Stores: []ident.StoreID{m.Store}}))
}

// hear has the leader take over what the store says now.
func (p *proposing) hear() {
	p.t.Helper()
	page, err := p.store.Range(p.t.Context(), metadata.RangeRequest{})
	if err != nil {
		p.t.Fatal(err)
	}
	var events []metadata.Event
	for _, kv := range page.KVs {
		events = append(events, metadata.Event{KV: kv})
	}
	empty := metadata.NewImage()
	image, delta, err := empty.Apply(page.Revision, events)
	if err != nil {
		p.t.Fatal(err)
	}
	p.image.Store(image)
	p.manager.Apply(empty, image, delta)
}

// state is the partition's in the store.
func (p *proposing) state() *metadata.Partition {
	p.t.Helper()
	kv, _, err := p.store.Get(p.t.Context(), p.key())
	if err != nil {
		p.t.Fatal(err)
	}
	state, err := metadata.DecodePartition(kv.Value)
	if err != nil {
		p.t.Fatal(err)
	}
	return state
}

// change is what the controller writes.
func (p *proposing) change(by func(*metadata.Partition)) {
	p.t.Helper()
	state := p.state()
	by(state)
	state.Epoch++
	p.put(p.key(), metadata.EncodePartition(state))
}

// fetch is the newcomer's, from offset 0, under a registration.
func (p *proposing) fetch(registered metadata.Revision) {
	p.t.Helper()
	read, err := p.partition.Read(replication.ReadRequest{
		MaxBytes: 1 << 20, UpTo: replication.AtLogEnd, CurrentEpoch: record.NoEpoch, LastFetchedEpoch: record.NoEpoch,
		Follower: &replication.FollowerFetch{Member: newcomer, Registered: registered},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	read.Span.Release()
}

// carry carries what is queued once, and queues again what is not known.
func (p *proposing) carry() (unknown int) {
	p.t.Helper()
	left := p.proposer.carry(p.t.Context(), p.proposer.take())
	p.proposer.again(left)
	return len(left)
}

// append appends a record when the newcomer was seen so long ago that only its being in the set, or perhaps in it, counts.
func (p *proposing) append() {
	p.t.Helper()
	p.now = p.now.Add(time.Hour)
	builder := record.NewBuilder(record.Options{})
	builder.Append(1000, nil, []byte("value"))
	batch, err := builder.Build()
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.partition.Append(batch, replication.AppendRequest{Acks: 1, Epoch: record.NoEpoch}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *proposing) wantHighWatermark(want record.Offset, why string) {
	p.t.Helper()
	if got := p.partition.State().HighWatermark; got != want {
		p.t.Errorf("%s: high watermark %d, want %d", why, got, want)
	}
}

func (p *proposing) hasJoined() bool { return slices.Contains(p.state().ISR, newcomer) }

// A transaction whose answer is lost may have come about: its newcomer is counted until the leader has taken over what
// became of it. It was taken for refused, the high watermark passed the newcomer, and the newcomer, in the set, was elected.
func TestNewcomerCountsWhileTheOutcomeIsUnknown(t *testing.T) {
	p := newProposing(t)
	p.lose = true
	p.fetch(0)
	if p.carry(); !p.hasJoined() {
		t.Fatal("the transaction has not come about")
	}
	p.append()
	p.wantHighWatermark(0, "the answer is lost")
	p.lose = false
	if unknown := p.carry(); unknown > 0 {
		t.Errorf("unknown still after the store has answered")
	}
	p.append()
	p.wantHighWatermark(0, "the leader has not heard that the newcomer is in the set")
	p.hear()
	p.append()
	p.wantHighWatermark(0, "the newcomer is in the set")
}

// Where nothing came of it the leader asks again until it knows.
func TestProposalIsRepeatedUntilTheStoreAnswers(t *testing.T) {
	p := newProposing(t)
	p.proposer.store = cutStore{p.proposer.store}
	p.fetch(0)
	for range 3 {
		if p.carry() != 1 {
			t.Fatal("nothing is asked again of a store that does not answer")
		}
	}
	p.append()
	p.wantHighWatermark(0, "it may yet come about")
	p.proposer.store = p.proposer.store.(cutStore).Store
	if unknown := p.carry(); unknown > 0 || !p.hasJoined() {
		t.Errorf("%d unknown, in sync are %v", unknown, p.state().ISR)
	}
}

// cutStore does not answer.
type cutStore struct{ metadata.Store }

func (cutStore) Get(context.Context, string) (metadata.KV, bool, error) {
	return metadata.KV{}, false, metadata.ErrUnavailable
}

func (cutStore) Txn(context.Context, metadata.Txn) (metadata.TxnResult, error) {
	return metadata.TxnResult{}, metadata.ErrUnavailable
}

// muteStore does what it is told, and does not answer.
type muteStore struct{ cutStore }

func (s muteStore) Txn(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
	_, _ = s.Store.Txn(ctx, txn)
	return metadata.TxnResult{}, metadata.ErrUnavailable
}

// A proposal of a leadership that is over is not asked for any more.
func TestProposalEndsWithItsLeadership(t *testing.T) {
	p := newProposing(t)
	p.proposer.store = cutStore{p.proposer.store}
	p.fetch(0)
	p.carry()
	p.change(func(s *metadata.Partition) { s.Leader, s.LeaderEpoch = thirdID, s.LeaderEpoch+1 })
	p.hear()
	if unknown := p.carry(); unknown > 0 || len(p.proposer.take()) > 0 {
		t.Error("it goes on")
	}
}

// The set in the store is not the one that the proposal is a change of: the newcomer may be in that one too.
func TestNewcomerCountsUntilTheLeaderKnowsWhatCameInstead(t *testing.T) {
	p := newProposing(t)
	p.fetch(0)
	p.change(func(s *metadata.Partition) { s.ISR = append(s.ISR, newcomer) })
	p.carry()
	p.append()
	p.wantHighWatermark(0, "what came instead is not known here")
	p.hear()
	p.append()
	p.wantHighWatermark(0, "the newcomer is in the set")
}

// What has come about, its answer lost, may be seen no more when it is asked for again: the state was changed since, or
// another broker leads, the newcomer perhaps. Until the leader hears of that it counts the newcomer.
func TestNewcomerCountsWhenTheStateHasGoneOn(t *testing.T) {
	for name, later := range map[string]func(*metadata.Partition){
		"another set":    func(s *metadata.Partition) { s.ISR = append(s.ISR, third) },
		"another leader": func(s *metadata.Partition) { s.Leader, s.LeaderEpoch = newcomerID, s.LeaderEpoch+1 },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProposing(t)
			whole := p.proposer.store
			p.proposer.store = muteStore{cutStore{whole}}
			p.fetch(0)
			if p.carry() != 1 || !p.hasJoined() {
				t.Fatal("the transaction has not come about, or its answer is there")
			}
			p.change(later)
			p.proposer.store = whole
			if unknown := p.carry(); unknown > 0 {
				t.Error("unknown still after the store has answered")
			}
			p.append()
			p.wantHighWatermark(0, "the leader has not heard what came of it")
		})
	}
}

// What has come about, its answer lost, must not come about again: the controller has taken the newcomer out meanwhile, and
// the set is as it was before.
func TestProposalComesAboutOnce(t *testing.T) {
	p := newProposing(t)
	p.lose = true
	p.fetch(0)
	p.before = func() {
		if p.hasJoined() {
			p.change(func(s *metadata.Partition) { s.ISR = s.ISR[:1] })
		}
	}
	old := p.proposer.take()
	p.proposer.again(p.proposer.carry(t.Context(), old))
	if p.hasJoined() {
		p.before()
	}
	p.before, p.lose = nil, false
	p.carry()
	p.proposer.carry(t.Context(), old) // an old one, delayed
	if p.hasJoined() {
		t.Error("the newcomer is in the set again")
	}
	p.hear()
	p.append()
	p.wantHighWatermark(1, "the newcomer is out, and will not be in by itself")
}

// A newcomer's new registration has proved nothing: what its broker had before may be lost.
func TestNewcomerJoinsUnderTheRegistrationThatProvedIt(t *testing.T) {
	p := newProposing(t)
	p.fetch(p.image.Load().Broker(newcomerID).Epoch)
	p.register(newcomer)
	p.hear()
	p.carry()
	if p.hasJoined() {
		t.Error("another life of the newcomer has joined")
	}
	p.append()
	p.wantHighWatermark(1, "it is refused")
}

// A proposal of a life before says nothing of what this broker has shown since.
func TestProposalNamesItsProposersRegistration(t *testing.T) {
	p := newProposing(t)
	p.fetch(0)
	p.register(metadata.Member{Broker: leaderID, Store: p.state().ISR[0].Store})
	p.hear()
	p.carry()
	if p.hasJoined() {
		t.Error("a proposal of an earlier life came about")
	}
}

// Before a broker is registered, and its torn logs are known, it changes nothing.
func TestNothingChangesBeforeTheRegistration(t *testing.T) {
	p := newProposing(t)
	epoch := p.registered
	p.registered = 0
	p.fetch(0)
	if batch := p.proposer.take(); len(batch) > 0 {
		t.Errorf("carried: %+v", batch)
	}
	p.registered = epoch
	if p.carry(); !p.hasJoined() {
		t.Error("forgotten")
	}
}
