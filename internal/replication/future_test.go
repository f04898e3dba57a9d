package replication

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// movers is a bench with two log directories, whose metadata hears of exchanges.
type movers struct {
	*bench
	stored metadata.Partition // what the metadata store says, be it heard of here or not
}

func newMovers(t testing.TB) *movers {
	b := newBench(t)
	b.store.Close(true)
	b.fs, b.dirs = vfs.NewMem(), []string{"/a", "/b"}
	b.open()
	return &movers{bench: b}
}

// lead makes a partition that this broker leads, with its log in /a.
func (m *movers) lead(others ...metadata.Member) *Partition {
	m.stored = m.led(0, others...)
	p := m.topic(m.stored)
	if path := p.Log().Directory().Path(); path != "/a" {
		m.t.Fatalf("the log is in %s", path)
	}
	return p
}

// copies is a function that has a follower's replica copy records of an epoch from its leader.
func (m *movers) copies(p *Partition) func(from record.Offset, epoch record.Epoch, n int) {
	return func(from record.Offset, epoch record.Epoch, n int) {
		m.t.Helper()
		if _, err := p.Copy(Copied{Epoch: 1, Offset: from, Batches: numbered(m.t, from, epoch, n)}); err != nil {
			m.t.Fatal(err)
		}
	}
}

// exchange is what the broker does with one: the metadata say so, and hear replays it.
func (m *movers) exchange(_ context.Context, e Exchange) {
	for i, member := range m.stored.ISR {
		if member == e.From {
			m.stored.ISR = append([]metadata.Member(nil), m.stored.ISR...)
			m.stored.ISR[i].Store = e.To
			m.stored.Epoch++
			return
		}
	}
}

// hear tells the manager what the metadata say.
func (m *movers) hear() {
	m.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&m.stored)))
}

// move takes all moves as far as they go.
func (m *movers) move() {
	for range 1000 {
		busy := false
		for _, p := range m.manager.moving() {
			busy = m.manager.moveOne(m.t.Context(), p, m.exchange) || busy
		}
		if !busy {
			return
		}
	}
	m.t.Fatal("a move does not end")
}

func (m *movers) isIn(p *Partition, path string, end record.Offset) {
	m.t.Helper()
	log := p.Log()
	if got := log.Directory().Path(); got != path || log.EndOffset() != end || log.HighWatermark() != end {
		m.t.Fatalf("the log is in %s and ends at %d, high watermark %d; want %s and %d", got, log.EndOffset(), log.HighWatermark(), path, end)
	}
	if log != m.store.Log(p.Name()) {
		m.t.Fatal("the store has another log")
	}
}

func TestReplicaIsMovedToAnotherDirectory(t *testing.T) {
	m := newMovers(t)
	p := m.lead()
	for range 20 {
		m.append(p, 5)
	}
	if err := m.manager.MoveReplica(p.Name(), "/b"); err != nil {
		t.Fatal(err)
	}
	future := m.store.Future(p.Name())
	if future == nil || future.Directory().Path() != "/b" || !future.IsNamedFuture() {
		t.Fatalf("future: %v", future)
	}
	m.append(p, 5)
	m.move()
	m.append(p, 5) // the mirror has it too
	m.isIn(p, "/a", 110)
	if future.EndOffset() != 110 || m.stored.ISR[0].Store != future.Directory().ID() {
		t.Fatalf("the future ends at %d, the set is %v", future.EndOffset(), m.stored.ISR)
	}
	turns := len(m.turns)
	m.hear()
	m.isIn(p, "/b", 110)
	if _, leads := p.IsLeader(); !leads || len(m.turns) != turns {
		t.Errorf("leads: %v, %d turns more", leads, len(m.turns)-turns)
	}
	m.append(p, 5)
	m.isIn(p, "/b", 115)
	if m.store.Future(p.Name()) != nil || len(m.store.Dirs()[0].Logs()) != 0 {
		t.Error("something is left of the move")
	}
	m.store.Close(true)
	m.open()
	m.image, m.revision = metadata.NewImage(), 0
	m.isIn(m.topic(m.stored), "/b", 115)
}

// Whatever befalls a replica while it is moved befalls both copies.
func TestMoveOfAFollowerThatIsCut(t *testing.T) {
	m := newMovers(t)
	other := metadata.Member{Broker: 2, Store: ident.StoreID{2}}
	state := m.led(1, other)
	state.Leader = 2
	m.stored = state
	p := m.topic(state)
	copied := m.copies(p)
	copied(0, 0, 10)
	copied(10, 1, 10)
	if err := m.manager.MoveReplica(p.Name(), "/b"); err != nil {
		t.Fatal(err)
	}
	f := m.store.Future(p.Name())
	m.manager.moveOne(t.Context(), p, m.exchange)
	if f.EndOffset() != 20 {
		t.Fatalf("the second copy ends at %d", f.EndOffset())
	}
	if _, err := p.Copy(Copied{Epoch: 1, Offset: 20, Diverges: true, Diverging: EpochEnd{Epoch: 0, End: 10}}); err != nil {
		t.Fatal(err)
	}
	copied(10, 1, 3)
	if f.EndOffset() != 13 || f.EpochAt(12) != 1 {
		t.Errorf("the second copy ends at %d in epoch %d", f.EndOffset(), f.EpochAt(f.EndOffset()-1))
	}
	m.move()
	m.hear()
	if got := p.Log().Directory().Path(); got != "/b" || p.Log().EndOffset() != 13 {
		t.Errorf("the log is in %s and ends at %d", got, p.Log().EndOffset())
	}
	if _, ok := p.Upstream(); !ok {
		t.Error("the follower has stopped")
	}
	copied(13, 1, 1)
}

// The second copy's directory is offline when the replica is cut, and works again later. What was cut off the one has to go from the other too, also
// where the replica has got other records in its place meanwhile, few or many.
func TestMoveWhileTheDirectoryMissesACut(t *testing.T) {
	for _, since := range []int{0, 3, 10, 15} {
		t.Run(fmt.Sprint(since, " records since"), func(t *testing.T) {
			m := newMovers(t)
			m.store.Close(true)
			var fails atomic.Bool
			m.fs = vfs.WithFaults(m.fs, func(op vfs.Op) error {
				if fails.Load() && op.Kind.Changes() && strings.HasPrefix(op.Path, "/b") {
					return syscall.EIO
				}
				return nil
			})
			m.tune.ProbeInterval = time.Millisecond
			m.open()
			m.stored = m.led(1, metadata.Member{Broker: 2, Store: ident.StoreID{2}})
			m.stored.Leader = 2
			p := m.topic(m.stored)
			copied := m.copies(p)
			copied(0, 0, 10)
			copied(10, 0, 10)
			if err := m.manager.MoveReplica(p.Name(), "/b"); err != nil {
				t.Fatal(err)
			}
			f := m.store.Future(p.Name())
			m.manager.moveOne(t.Context(), p, m.exchange)
			if f.EndOffset() != 20 {
				t.Fatalf("the second copy ends at %d", f.EndOffset())
			}
			fails.Store(true)
			if _, err := p.Copy(Copied{Epoch: 1, Offset: 20, Diverges: true, Diverging: EpochEnd{Epoch: 0, End: 10}}); err != nil {
				t.Fatal(err)
			}
			if f.Directory().Err() == nil {
				t.Fatal("the directory is online, and was to fail")
			}
			if since > 0 {
				copied(10, 1, since)
			}
			fails.Store(false)
			for f.Directory().Err() != nil {
				time.Sleep(time.Millisecond)
			}
			copied(10+record.Offset(since), 1, 1)
			before := content(t, p)
			m.move()
			m.hear()
			if got := p.Log().Directory().Path(); got != "/b" || p.Log().EndOffset() != 11+record.Offset(since) {
				t.Fatalf("the log is in %s and ends at %d", got, p.Log().EndOffset())
			}
			if !bytes.Equal(content(t, p), before) {
				t.Error("the log does not hold what the replica held")
			}
		})
	}
}

// A leader knows a follower that has moved by its new store, and does not wait for the old one.
func TestLeaderOfAMovedFollower(t *testing.T) {
	m := newMovers(t)
	was, is := metadata.Member{Broker: 2, Store: ident.StoreID{2}}, metadata.Member{Broker: 2, Store: ident.StoreID{3}}
	m.change(put(metadata.BrokerKey(2), metadata.EncodeBroker(&metadata.Broker{Stores: []ident.StoreID{was.Store, is.Store}})))
	p := m.lead(was)
	m.append(p, 5)
	fetch := func(who metadata.Member, at record.Offset) {
		t.Helper()
		r, err := p.Read(ReadRequest{Offset: at, MaxBytes: 1 << 20, UpTo: AtLogEnd, CurrentEpoch: record.NoEpoch,
			LastFetchedEpoch: record.NoEpoch, Follower: &FollowerFetch{Member: who}})
		if err != nil {
			t.Fatal(err)
		}
		r.Span.Release()
	}
	fetch(was, 5)
	m.stored.ISR = []metadata.Member{m.stored.ISR[0], is}
	m.stored.Epoch++
	m.hear()
	m.append(p, 5)
	fetch(is, 10)
	m.isIn(p, "/a", 10)
}

// A fetch that a follower sent before it moved, or that waited meanwhile, comes after the set has heard of the move. The store
// it names holds nothing any more: it does not come back into the set. What comes of another life of that broker counts.
func TestFetchFromBeforeAMove(t *testing.T) {
	m := newMovers(t)
	was, is := metadata.Member{Broker: 2, Store: ident.StoreID{2}}, metadata.Member{Broker: 2, Store: ident.StoreID{3}}
	register := func(stores ...ident.StoreID) metadata.Revision {
		m.change(put(metadata.BrokerKey(2), metadata.EncodeBroker(&metadata.Broker{Stores: stores})))
		return m.image.Broker(2).Epoch
	}
	p := m.lead(was)
	life := register(was.Store, is.Store)
	m.append(p, 5)
	fetch := func(who metadata.Member, life metadata.Revision) {
		t.Helper()
		r, err := p.Read(ReadRequest{Offset: 5, MaxBytes: 1 << 20, UpTo: AtLogEnd, CurrentEpoch: 0,
			LastFetchedEpoch: record.NoEpoch, Follower: &FollowerFetch{Member: who, Registered: life}})
		if err != nil {
			t.Fatal(err)
		}
		r.Span.Release()
	}
	fetch(was, life)
	move := func(to metadata.Member) {
		m.stored.ISR = []metadata.Member{m.stored.ISR[0], to}
		m.stored.Epoch++
		m.hear()
	}
	proposed := func(when string, want int) {
		t.Helper()
		if got := len(m.proposals); got != want {
			t.Fatalf("%s: %d proposals, want %d: %+v", when, got, want, m.proposals)
		}
	}
	none := len(m.proposals)
	move(is)
	fetch(was, life)
	proposed("a fetch from before the move", none)
	fetch(is, life)
	fetch(was, life)
	proposed("one that is later still", none)
	m.isIn(p, "/a", 5)
	move(was)
	fetch(is, life)
	proposed("a fetch from before it moved back", none)
	fetch(was, life)
	proposed("where it is", none)
	move(is)
	next := register(was.Store, is.Store)
	fetch(was, life)
	proposed("a fetch of the life before", none)
	fetch(was, next)
	proposed("its log was moved while it was down", none+1)
	if got := m.proposals[none].ISR; len(got) != 2 || got[1] != was {
		t.Errorf("proposed: %v", got)
	}
	move(was)
	fetch(was, next)
	move(is)
	register(was.Store)
	fetch(was, next)
	proposed("the directory that it was moved to has failed", none+2)
}

func TestMoveIsCalledOff(t *testing.T) {
	m := newMovers(t)
	p := m.lead()
	m.append(p, 5)
	for _, dir := range []string{"/b", "/a"} {
		if err := m.manager.MoveReplica(p.Name(), dir); err != nil {
			t.Fatal(err)
		}
	}
	if m.store.Future(p.Name()) != nil {
		t.Error("the second copy is there still")
	}
	// Too late: the set has been asked already. It is moved, and back again.
	if err := m.manager.MoveReplica(p.Name(), "/b"); err != nil {
		t.Fatal(err)
	}
	m.move()
	if err := m.manager.MoveReplica(p.Name(), "/a"); err != nil {
		t.Fatal(err)
	}
	m.hear()
	m.isIn(p, "/b", 5)
	m.move()
	m.hear()
	m.isIn(p, "/a", 5)
}

func TestWhatCannotBeMoved(t *testing.T) {
	m := newMovers(t)
	p := m.lead()
	long := ident.TopicPartition{Topic: string(make([]byte, 230))}
	for _, c := range []struct {
		name ident.TopicPartition
		dir  string
		want error
	}{
		{p.Name(), "/c", ErrUnknownDirectory},
		{ident.TopicPartition{Topic: "nothing"}, "/b", ErrUnknownPartition},
		{ident.TopicPartition{Topic: "t", Partition: 1}, "/b", ErrUnknownPartition},
		{long, "/b", ErrNameTooLong},
		{p.Name(), "/a", nil},
	} {
		if err := m.manager.MoveReplica(c.name, c.dir); !errors.Is(err, c.want) {
			t.Errorf("%s to %s: %v, want %v", c.name, c.dir, err, c.want)
		}
	}
	if len(m.store.Futures()) > 0 {
		t.Error("something is being moved")
	}
}

// A replica that is asked for before it comes is made where it was asked for.
func TestReplicaIsMadeWhereItWasAskedFor(t *testing.T) {
	m := newMovers(t)
	state := m.led(0)
	elsewhere := state
	elsewhere.Replicas, elsewhere.Leader, elsewhere.ISR = []ident.BrokerID{2}, 2, []metadata.Member{{Broker: 2}}
	if err := m.manager.MoveReplica(ident.TopicPartition{Topic: "t"}, "/b"); !errors.Is(err, ErrUnknownPartition) {
		t.Fatal(err)
	}
	m.change(put(metadata.TopicKey(topicID), metadata.EncodeTopic("t", 1)),
		put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&elsewhere)))
	if err := m.manager.MoveReplica(ident.TopicPartition{Topic: "t"}, "/b"); !errors.Is(err, ErrNoReplica) {
		t.Fatal(err)
	}
	elsewhere.Replicas, elsewhere.Epoch = []ident.BrokerID{2, self}, 1
	m.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&elsewhere)))
	if log := m.store.Log(ident.TopicPartition{Topic: "t"}); log == nil || log.Directory().Path() != "/b" {
		t.Errorf("the log is %v", log)
	}
}

// TestMoveEndsAnywhere ends the process, or the machine, before each operation on the disk of a move, and starts again with what
// is there and what the metadata say by then: all that was acknowledged is there, in one log, and the move comes to its end.
func TestMoveEndsAnywhere(t *testing.T) {
	for seed := range uint64(6) { // 0 ends the process, the others the machine, each in its own way
		for stop := 1; ; stop++ {
			if done := moveUntil(t, stop, seed); done {
				if stop < 20 {
					t.Error("too few to be a move")
				}
				break
			}
		}
	}
}

// moveUntil does a move and stops before an operation on the disk; true if it has fewer.
func moveUntil(t *testing.T, stop int, seed uint64) (done bool) {
	m, machine := newMovers(t), seed > 0
	mem := vfs.NewMem()
	m.store.Close(true)
	m.boot = ident.BootID{1}
	var at int
	armed := false
	m.fs = vfs.WithFaults(mem, func(op vfs.Op) error {
		if armed && op.Kind.Changes() {
			if at++; at >= stop {
				return errStopped
			}
		}
		return nil
	})
	m.open()
	p := m.lead()
	acknowledged := 0
	produce := func() {
		given := batch(t, 1)
		if _, err := p.Append(given, AppendRequest{Acks: AcksAll, Epoch: record.NoEpoch}); err == nil {
			acknowledged++
			if machine && !m.flushed(p) { // of what is not synced a machine may lose anything
				acknowledged--
			}
		}
	}
	for range 5 {
		produce()
	}
	armed = true
	_ = m.manager.MoveReplica(p.Name(), "/b")
	produce()
	m.move()
	produce()
	m.hear()
	produce()
	armed = false
	done = at < stop
	m.store.Close(false)

	disk := mem.Restart()
	if machine {
		disk, m.boot = mem.Crash(seed), ident.BootID{2}
	}
	m.fs = disk
	m.open()
	m.image, m.revision = metadata.NewImage(), 0
	p = m.topic(m.stored)
	for _, d := range m.store.Dirs() { // as the broker does once the cluster knows
		if err := d.Settle(); err != nil {
			t.Fatal(err)
		}
	}
	m.manager.Retry()
	what := fmt.Sprintf("stopped at %d (machine: %v)", stop, machine)
	if p.Log() == nil {
		t.Fatalf("%s: there is no log", what)
	}
	if _, leads := p.IsLeader(); !leads {
		t.Fatalf("%s: the log in %s does not lead, the set is %v", what, p.Log().Directory().Path(), m.stored.ISR)
	}
	if end := p.Log().EndOffset(); end < record.Offset(acknowledged) {
		t.Fatalf("%s: %d records are left of %d, in %s", what, end, acknowledged, p.Log().Directory().Path())
	}
	m.manager.TakeUpMoves()
	if m.store.Future(p.Name()) == nil && p.Log().Directory().Path() == "/a" {
		if err := m.manager.MoveReplica(p.Name(), "/b"); err != nil {
			t.Fatal(err)
		}
	}
	end := p.Log().EndOffset()
	m.move()
	m.hear()
	m.isIn(p, "/b", end)
	if logs := m.store.Dirs()[0].Logs(); len(logs) > 0 || len(m.store.Futures()) > 0 {
		t.Fatalf("%s: left in /a: %v, futures: %v", what, logs, m.store.Futures())
	}
	m.append(p, 1)
	m.store.Close(true)
	return done
}

// flushed syncs both copies.
func (m *movers) flushed(p *Partition) bool {
	err := p.Log().Flush()
	if f := m.store.Future(p.Name()); f != nil {
		err = errors.Join(err, f.Flush())
	}
	return err == nil
}

var errStopped = errors.New("the end")

// numbered is a batch as a leader of that epoch has it.
func numbered(t testing.TB, from record.Offset, epoch record.Epoch, n int) []byte {
	built := batch(t, n)
	b, _, err := record.Next(built)
	if err != nil {
		t.Fatal(err)
	}
	b.SetBaseOffset(from)
	b.SetLeaderEpoch(epoch)
	return built
}
