package replication

import (
	"errors"
	"runtime"
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

// A broker that was down while its replica was moved removes the log when it is back, but not while nobody leads.
func TestReplicaMovedWhileAway(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	name := b.topic(state).Name()
	b.append(b.topic(state), 5)
	away := func(leader ident.BrokerID) {
		b.restart()
		moved := metadata.Partition{
			Replicas: []ident.BrokerID{2}, Leader: leader, LeaderEpoch: 1, Epoch: 1, ISR: []metadata.Member{otherBroker},
			Ceiling: metadata.CeilingStep,
		}
		b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&moved)),
			put(metadata.TopicKey(topicID), metadata.EncodeTopic(name.Topic, 1)))
	}
	away(ident.NoBroker)
	if b.store.Log(name) == nil {
		t.Error("the log is gone although nobody leads the partition")
	}
	away(otherBroker.Broker)
	if b.store.Log(name) != nil {
		t.Error("the log is there still")
	}
}

// The logs of a topic that was deleted while the broker was down go when the metadata say that it was, and not when they merely do
// not know it.
func TestLogsOfTopicsKnownToBeDeleted(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(0))
	b.append(p, 5)
	name := p.Name()
	for _, known := range []bool{false, true} {
		b.restart()
		events := []metadata.Event{put(metadata.TopicKey(ident.TopicID{9}), metadata.EncodeTopic("other", 1))}
		if known {
			events = append(events, put(metadata.DeletionKey(topicID), metadata.EncodeDeletion(&metadata.Deletion{Name: "t", AtMs: 1})))
		}
		b.change(events...)
		b.manager.ClearDeleted(b.image)
		if gone := b.store.Log(name) == nil; gone != known {
			t.Errorf("the deletion is known: %v, the log is gone: %v", known, gone)
		}
	}
}

// A topic that was put back with older metadata is there, whatever is remembered of its deletion.
func TestTopicDeletedAndPutBack(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(0))
	b.append(p, 5)
	b.change(put(metadata.DeletionKey(topicID), metadata.EncodeDeletion(&metadata.Deletion{Name: "t", AtMs: 1})))
	b.manager.ClearDeleted(b.image)
	if b.store.Log(p.Name()) == nil {
		t.Error("the log is gone")
	}
}

// outage is a bench whose only log directory fails and comes back.
type outage struct {
	*bench
	broken atomic.Bool
	// meanwhile, if any, is done once as the directory comes back: it has been looked what is in it, and it is not online yet.
	meanwhile atomic.Pointer[func()]
}

func newOutage(t *testing.T) *outage {
	o := &outage{bench: newBench(t)}
	o.store.Close(true)
	o.fs = vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
		if o.broken.Load() {
			return syscall.EIO
		}
		if op.Kind == vfs.OpRemove && strings.HasSuffix(op.Path, "-inventory") {
			if do := o.meanwhile.Swap(nil); do != nil {
				(*do)()
			}
		}
		return nil
	})
	o.tune.ProbeInterval = time.Millisecond
	o.open()
	return o
}

func (o *outage) fail(p *Partition) {
	o.t.Helper()
	o.broken.Store(true)
	if _, err := p.Append(batch(o.t, 1), AppendRequest{Epoch: record.NoEpoch}); !errors.Is(err, ErrStorage) {
		o.t.Fatalf("append to a broken disk: %v", err)
	}
}

// back has the directory come back, something happen meanwhile, and the manager look at it as the broker does.
func (o *outage) back(meanwhile func()) {
	o.t.Helper()
	if meanwhile != nil {
		o.meanwhile.Store(&meanwhile)
	}
	o.broken.Store(false)
	d := o.store.Dirs()[0]
	for end := time.Now().Add(30 * time.Second); d.Err() != nil; runtime.Gosched() {
		if time.Now().After(end) {
			o.t.Fatal(d.Err())
		}
	}
	if o.meanwhile.Load() != nil {
		o.t.Fatal("nothing happened as the directory came back")
	}
	o.manager.Retry()
	o.manager.ClearDeleted(o.image)
}

func (o *outage) deleteTopic() {
	o.change(gone(metadata.TopicKey(topicID)), gone(metadata.PartitionKey(topicID, 0)),
		put(metadata.DeletionKey(topicID), metadata.EncodeDeletion(&metadata.Deletion{Name: "t", AtMs: 1})))
}

// A topic's log goes although its directory was offline when it was deleted, or just coming back. Nothing of it is in the next
// topic of that name.
func TestTopicDeletedWhileItsDirectoryIsAway(t *testing.T) {
	for name, sooner := range map[string]bool{"before": true, "as it comes back": false} {
		t.Run(name, func(t *testing.T) {
			o := newOutage(t)
			p := o.topic(o.led(0))
			o.append(p, 5)
			o.fail(p)
			if sooner {
				o.deleteTopic()
				o.back(nil)
			} else {
				o.back(o.deleteTopic)
			}
			if o.store.Log(p.Name()) != nil {
				t.Error("the log is there still")
			}
			again := o.led(0)
			o.change(put(metadata.TopicKey(ident.TopicID{8}), metadata.EncodeTopic("t", 1)),
				put(metadata.PartitionKey(ident.TopicID{8}, 0), metadata.EncodePartition(&again)))
			if end := o.store.Log(p.Name()).EndOffset(); end != 0 {
				t.Errorf("the log of a new topic of that name ends at %d", end)
			}
		})
	}
}

// So it is with a replica that was moved to other brokers.
func TestReplicaMovedWhileItsDirectoryIsAway(t *testing.T) {
	for _, leader := range []ident.BrokerID{ident.NoBroker, otherBroker.Broker} {
		o := newOutage(t)
		p := o.topic(o.led(0))
		o.append(p, 5)
		o.fail(p)
		moved := metadata.Partition{
			Replicas: []ident.BrokerID{2}, Leader: leader, LeaderEpoch: 1, Epoch: 1, ISR: []metadata.Member{otherBroker},
			Ceiling: metadata.CeilingStep,
		}
		o.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&moved)))
		o.back(nil)
		if is, want := o.store.Log(p.Name()) == nil, leader != ident.NoBroker; is != want {
			t.Errorf("leader %d: the log is gone: %v", leader, is)
		}
	}
}

// loseTopicID restarts the broker after a crash of the machine that has left the log of t-0 without its topic's id.
func (b *bench) loseTopicID() {
	b.t.Helper()
	b.store.Close(true)
	if err := b.fs.Remove("/data/clean-shutdown-inventory"); err != nil {
		b.t.Fatal(err)
	}
	if err := vfs.ReplaceFile(b.fs, "/data/t-0/partition.metadata", nil); err != nil {
		b.t.Fatal(err)
	}
	b.restart()
}

// A log that does not say whose it is, for a crash has left its partition.metadata empty, says so again once its replica has it:
// when the topic is deleted later, while the broker is down, it goes.
func TestLogSaysAgainWhoseItIs(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	name := b.topic(state).Name()
	b.append(b.topic(state), 5)
	b.loseTopicID()
	if id := b.store.Log(name).TopicID(); !id.IsZero() {
		t.Fatalf("the log is of %s, which it can't know", id)
	}
	b.topic(state)
	if id := b.store.Log(name).TopicID(); id != topicID {
		t.Errorf("the replica's log is of %s", id)
	}
	b.restart()
	log := b.store.Log(name)
	if id := log.TopicID(); id != topicID || log.EndOffset() != 5 {
		t.Errorf("after a restart the log is of %s, and ends at %d", id, log.EndOffset())
	}
	b.change(put(metadata.DeletionKey(topicID), metadata.EncodeDeletion(&metadata.Deletion{Name: "t", AtMs: 1})))
	b.manager.ClearDeleted(b.image)
	if b.store.Log(name) != nil {
		t.Error("the log is there still")
	}
}

// The topic of such a log was deleted while this broker was down, and made again under its name. What the crash has left does not
// become the new topic's, with whose records it would agree by offset and epoch.
func TestLogWithoutItsTopicsIDIsNotTheNextOnes(t *testing.T) {
	for name, sets := range map[string][]metadata.Member{
		"a follower, behind yet":             {otherBroker},
		"one of those chosen, not named yet": {otherBroker, {Broker: self}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			state := b.led(0)
			p := b.topic(state)
			b.append(p, 5)
			b.loseTopicID()
			other := ident.TopicID{77}
			state.Replicas, state.ISR, state.Leader = []ident.BrokerID{otherBroker.Broker, self}, sets, otherBroker.Broker
			b.change(put(metadata.PartitionKey(other, 0), metadata.EncodePartition(&state)),
				put(metadata.TopicKey(other), metadata.EncodeTopic("t", 1)),
				put(metadata.DeletionKey(topicID), metadata.EncodeDeletion(&metadata.Deletion{Name: "t"})))
			if p, _ = b.manager.Get("t", 0); p == nil {
				t.Fatal("there is no replica")
			}
			if at := p.Position(); at.Offset != 0 || at.LastEpoch != record.NoEpoch {
				t.Errorf("it says to the leader that it has %+v", at)
			}
			if _, err := p.Copy(Copied{Epoch: state.LeaderEpoch}); err != nil {
				t.Fatal(err)
			}
			if log := b.store.Log(p.Name()); log == nil || log.TopicID() != other || log.EndOffset() != 0 {
				t.Errorf("the new topic's log is %v, of %s, and ends at %d", log, log.TopicID(), log.EndOffset())
			}
		})
	}
}

// All machines lost their power, and the one that leads by the metadata has less left than one that was out of sync, whose log has lost the
// topic's id. That one is there when the stores are asked, and leads with what it has. Where a topic of that name was deleted before, it is begun
// anew only when a leader answers; where none was, it stays as it is.
func TestLogWithoutItsTopicsIDMayBeTheLast(t *testing.T) {
	t.Run("a topic of that name was deleted", func(t *testing.T) { testMayBeTheLast(t, true) })
	t.Run("none was", func(t *testing.T) { testMayBeTheLast(t, false) })
}

func testMayBeTheLast(t *testing.T, deleted bool) {
	b := newBench(t)
	state := b.led(0)
	p := b.topic(state)
	b.append(p, 5)
	b.loseTopicID()
	state.Replicas, state.ISR, state.Leader = []ident.BrokerID{otherBroker.Broker, self}, []metadata.Member{otherBroker}, otherBroker.Broker
	if deleted {
		b.change(put(metadata.DeletionKey(ident.TopicID{78}), metadata.EncodeDeletion(&metadata.Deletion{Name: "t"})))
	}
	p = b.topic(state)
	if held, ok := p.Holding(topicID, state.LeaderEpoch); ok && held.Offset != 5 {
		t.Errorf("it holds %+v", held)
	}
	state.Leader, state.Inquiry, state.LeaderEpoch, state.Epoch = ident.NoBroker, metadata.InquiryTorn, state.LeaderEpoch+1, state.Epoch+1
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	held, ok := p.Holding(topicID, state.LeaderEpoch)
	if !ok || held.Offset != 5 {
		t.Fatalf("asked, it holds %+v, %v", held, ok)
	}
	state.Leader, state.Inquiry, state.LeaderEpoch, state.Epoch = self, metadata.NoInquiry, state.LeaderEpoch+1, state.Epoch+1
	state.ISR = []metadata.Member{{Broker: self, Store: held.Store}}
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	if log := p.Log(); log.TopicID() != topicID || log.EndOffset() != 5 || p.Position().Offset != 5 {
		t.Errorf("it leads with a log of %s that ends at %d", log.TopicID(), log.EndOffset())
	}
}

// A log that never had a record does not know its topic after the process was killed. It is whatever the metadata say: the
// replica that it was, that of a topic made again under its name, or nothing, where the topic was deleted or the replica moved.
func TestLogWithoutRecordsAfterAKill(t *testing.T) {
	killed := func(t *testing.T) (*bench, metadata.Partition, ident.TopicPartition) {
		b := newBench(t)
		b.store.Close(true)
		b.boot = ident.BootID{1} // or a kill would be taken for a crash of the machine
		b.open()
		state := b.led(0)
		name := b.topic(state).Name()
		b.store.Close(false)
		b.open()
		b.image, b.revision = metadata.NewImage(), 0
		if log := b.store.Log(name); log == nil || !log.IsBare() || !log.TopicID().IsZero() {
			t.Fatal("the directory is not there, or has files")
		}
		return b, state, name
	}
	t.Run("led again", func(t *testing.T) {
		b, state, _ := killed(t)
		p := b.topic(state)
		if p.Log().TopicID() != topicID {
			t.Errorf("the log is of topic %s", p.Log().TopicID())
		}
		b.append(p, 5)
		b.store.Close(false)
		b.open()
		if log := b.store.Log(p.Name()); log.TopicID() != topicID || log.EndOffset() != 5 {
			t.Errorf("topic %s, ends at %d", log.TopicID(), log.EndOffset())
		}
	})
	t.Run("made again", func(t *testing.T) {
		b, state, name := killed(t)
		other := ident.TopicID{77}
		b.change(put(metadata.PartitionKey(other, 0), metadata.EncodePartition(&state)),
			put(metadata.TopicKey(other), metadata.EncodeTopic(name.Topic, 1)),
			put(metadata.DeletionKey(topicID), metadata.EncodeDeletion(&metadata.Deletion{Name: name.Topic, AtMs: 1})))
		b.manager.ClearDeleted(b.image)
		if log := b.store.Log(name); log == nil || log.TopicID() != other {
			t.Errorf("the log is %v", log)
		}
	})
	t.Run("deleted", func(t *testing.T) {
		b, _, name := killed(t)
		b.manager.ClearDeleted(b.image)
		if b.store.Log(name) == nil {
			t.Error("the log is gone, though nobody knows that its topic was deleted")
		}
		b.change(put(metadata.DeletionKey(topicID), metadata.EncodeDeletion(&metadata.Deletion{Name: name.Topic, AtMs: 1})))
		b.manager.ClearDeleted(b.image)
		if b.store.Log(name) != nil {
			t.Error("the log is there still")
		}
	})
	t.Run("moved away", func(t *testing.T) {
		b, state, name := killed(t)
		moved := state
		moved.Replicas, moved.Leader, moved.ISR = []ident.BrokerID{2}, 2, []metadata.Member{otherBroker}
		b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&moved)),
			put(metadata.TopicKey(topicID), metadata.EncodeTopic(name.Topic, 1)))
		if b.store.Log(name) != nil {
			t.Error("the log is there still")
		}
	})
}

// A topic that the metadata do not know any more, nor that it was deleted, may have been lost with them: its log stays, be it that a topic has
// its name that somebody else put back, and is served again when the topic is back.
func TestLogOfATopicThatWasLostStays(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	p := b.topic(state)
	b.append(p, 5)
	b.change(gone(metadata.TopicKey(topicID)), gone(metadata.PartitionKey(topicID, 0)))
	if _, err := b.manager.Get("t", 0); err == nil {
		t.Error("there is a replica still")
	}
	other := ident.TopicID{77}
	b.change(put(metadata.PartitionKey(other, 0), metadata.EncodePartition(&state)), put(metadata.TopicKey(other), metadata.EncodeTopic("t", 1)))
	if q, err := b.manager.Get("t", 0); err != nil || q.Log() != nil {
		t.Errorf("the other topic's replica has log %v, error %v", q.Log(), err)
	}
	if log := b.store.Log(p.Name()); log == nil || log.TopicID() != topicID || log.EndOffset() != 5 {
		t.Fatalf("the log is %v", log)
	}
	b.change(append([]metadata.Event{gone(metadata.TopicKey(other)), gone(metadata.PartitionKey(other, 0))},
		put(metadata.DeletionKey(other), metadata.EncodeDeletion(&metadata.Deletion{Name: "t"})))...)
	if q := b.topic(state); q.Log() == nil || q.Log().EndOffset() != 5 {
		t.Errorf("back, the topic has log %v", q.Log())
	}
	b.change(gone(metadata.TopicKey(topicID)), gone(metadata.PartitionKey(topicID, 0)), put(metadata.DeletionKey(topicID), metadata.EncodeDeletion(&metadata.Deletion{Name: "t"})))
	if log := b.store.Log(p.Name()); log != nil {
		t.Error("the log of a deleted topic is there still")
	}
}
