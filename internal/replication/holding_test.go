package replication

import (
	"errors"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
)

// asked has both replicas asked: nobody leads.
func (p *pair) asked(epoch record.Epoch) (a, b *Partition) {
	ask := func(b *bench) *Partition {
		state := b.led(epoch, otherBroker)
		state.Leader, state.Inquiry = ident.NoBroker, metadata.InquiryDestroyed
		return b.topic(state)
	}
	return ask(p.leader), ask(p.follower)
}

// named has the first lead as a copy that may lack records, and the second follow it.
func (p *pair) named(epoch record.Epoch, resume record.Offset) (leads, follows *Partition) {
	state := func(b *bench) metadata.Partition {
		s := b.led(epoch, otherBroker)
		s.Named, s.Resume, s.Ceiling = epoch, resume, resume+metadata.CeilingStep
		return s
	}
	leads = p.leader.topic(state(p.leader))
	s := state(p.follower)
	s.Leader = otherBroker.Broker
	return leads, p.follower.topic(s)
}

// A copy that holds a part leads: what it has stays, offsets go on where none has been given out, and the other copy
// gives up what the leader lacks.
func TestNamedLeaderFillsUp(t *testing.T) {
	p := newPair(t)
	leads, follows := p.roles(1)
	p.write(leads, 30)
	copyAll(t, leads, follows)
	p.write(leads, 5)
	if err := once(t, leads, follows); err != nil {
		t.Fatal(err)
	}
	p.write(leads, 5)
	p.swap() // the follower, which has 35, is the fullest; the other one comes back with 40
	mine, theirs := p.asked(2)
	topic := mine.State().TopicID
	held, ok := mine.Holding(topic, 2)
	if !ok || held.Offset != 35 || held.LastEpoch != 1 || held.Offline {
		t.Fatalf("holding %+v, %v", held, ok)
	}
	if _, ok := theirs.Holding(theirs.State().TopicID, 1); ok {
		t.Error("an answer to a question of an earlier epoch")
	}
	leads, follows = p.named(3, 1000)
	s := leads.State()
	if s.LogEnd != 1000 || s.LogStart != 0 {
		t.Fatalf("the log is [%d, %d), want [0, 1000)", s.LogStart, s.LogEnd)
	}
	if epoch, end := leads.Log().EpochEnd(1); epoch != 1 || end != 35 {
		t.Errorf("epoch %d ends at %d, want 1 at 35: who stood above that has to see it", epoch, end)
	}
	p.write(leads, 3)
	copyAll(t, leads, follows)
	if end := leads.State().LogEnd; end != 1003 {
		t.Errorf("log end %d, want 1003", end)
	}
	if epoch, end := follows.Log().EpochEnd(1); epoch != 1 || end != 35 {
		t.Errorf("at the follower epoch %d ends at %d, want 1 at 35", epoch, end)
	}
	// A second time nothing is filled up.
	again := p.leader.led(4, otherBroker)
	again.Named, again.Resume = 3, 1000
	if end := p.leader.topic(again).State().LogEnd; end != 1003 {
		t.Errorf("log end %d, want 1003", end)
	}
}

// Where no election said that records may be lacking, a store keeps what it has shown.
func TestShownRecordsAreKept(t *testing.T) {
	p := newPair(t)
	leads, follows := p.roles(1)
	p.write(leads, 30)
	copyAll(t, leads, follows)
	follows.Log().SetHighWatermark(30)
	empty := newBench(t)
	p.leader = empty // the leader has lost its store, and nobody knows
	leads, follows = p.roles(2)
	err := once(t, leads, follows)
	if !errors.Is(err, ErrShownLacking) {
		t.Fatalf("error %v, want ErrShownLacking", err)
	}
	if end := follows.State().LogEnd; end != 30 {
		t.Errorf("the copy ends at %d, want 30", end)
	}
	leads, follows = p.named(3, 0)
	p.write(leads, 2)
	for range 5 {
		if err := once(t, leads, follows); err != nil {
			t.Fatal(err)
		}
	}
	copyAll(t, leads, follows)
	// What was shown since that election is kept again.
	follows.Log().SetHighWatermark(2)
	p.leader = newBench(t)
	again := func(b *bench) metadata.Partition {
		s := b.led(4, otherBroker)
		s.Named = 3
		return s
	}
	leads = p.leader.topic(again(p.leader))
	state := again(p.follower)
	state.Leader = otherBroker.Broker
	follows = p.follower.topic(state)
	if err := once(t, leads, follows); !errors.Is(err, ErrShownLacking) {
		t.Errorf("error %v, want ErrShownLacking", err)
	}
}
