package metadata

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"barnabas/internal/ident"
)

// writing is what of the things known is put back.
type writing struct {
	// late: another one has put back what it knew. Nothing but partitions, topics, what stores have said, losses, members that nobody knew of, or
	// knew less of, and deletions of topics nobody has used since is added then, and nothing that was written after until is replaced unless its stores are asked still.
	late  bool
	until Revision
	// kept: the store has kept more than is known here. Nothing is added, and doubts are entered.
	kept bool
	// led: brokers have lived, and what this one knows is from its disk. They may have gone on by what the store has.
	led bool
	// doubts: a partition is in doubt that has a replica on another broker than those that have told all they know.
	doubts bool
	told   map[ident.BrokerID]bool
}

// beside tells whether others may have gone on by what the store has: nothing of that is undone.
func (w *writing) beside() bool { return w.late || w.led }

// doubt finds out who has told all. Whose bid is further than what is put back has not: it did not come to that. Where a broker has lived
// nothing is in doubt, for what there was such a one knows; unless it is one of those whose bid is further.
func (r *Restoration) doubt(ctx context.Context, w *writing, lived bool) error {
	bids, err := r.bids(ctx)
	if err != nil {
		return err
	}
	w.doubts, w.told = !lived, map[ident.BrokerID]bool{}
	for _, b := range bids {
		further := b.Revision > r.Image.Revision()
		w.doubts = w.doubts || b.Lived && further
		w.told[b.Broker] = b.Complete && b.Of == r.Of && !further
	}
	return nil
}

// inDoubt tells whether somebody who has not told all may have led the partition by a later state than this.
func (w *writing) inDoubt(p *Partition) bool {
	if !w.doubts {
		return false
	}
	return slices.ContainsFunc(p.Replicas, func(id ident.BrokerID) bool { return !w.told[id] }) ||
		p.AnyMember(func(m Member) bool { return !w.told[m.Broker] })
}

// write puts back what is wanted.
func (r *Restoration) write(ctx context.Context, w writing) error {
	there, err := r.read(ctx)
	if err != nil {
		return err
	}
	var txn Txn
	said := time.Now()
	flush := func() error {
		defer func() { txn = Txn{} }()
		if len(txn.Then) == 0 {
			return nil
		}
		if !w.late && time.Since(said) > sayAgain {
			if err := r.say(ctx); err != nil {
				return err
			}
			said = time.Now()
		}
		result, err := r.Store.Txn(ctx, txn)
		if err != nil || result.OK {
			return err
		}
		return r.oneByOne(ctx, txn)
	}
	add := func(compare Compare, op Op) error {
		txn.If, txn.Then = append(txn.If, compare), append(txn.Then, op)
		if len(txn.Then) < MaxOps {
			return nil
		}
		return flush()
	}
	if err := r.deleteAgain(ctx, w, there); err != nil {
		return err
	}
	taken := namesOf(there)
	for key, value := range r.Image.Contents() {
		if deletedSince(there, key) || staysThere(there, key) {
			continue
		}
		kv, found := there[key]
		delete(there, key)
		next := r.value(w, kv, found, taken, key, value)
		if next == nil {
			continue
		}
		if err := add(ModifiedAt(key, kv.Modified), Put(key, next)); err != nil {
			return err
		}
	}
	for key, kv := range there {
		op, wanted := r.unknown(w, kv)
		if !wanted {
			continue
		}
		if err := add(ModifiedAt(key, kv.Modified), op); err != nil {
			return err
		}
	}
	return flush()
}

// unknown is what becomes of a key that the store has and this broker does not know. What it had before this life, and
// is not known, had been deleted, if the store does not know more.
func (r *Restoration) unknown(w writing, kv KV) (Op, bool) {
	if kv.Modified >= r.Birth.Since || !restorable(kv.Key) || strings.HasPrefix(kv.Key, topicPrefix) {
		return Op{}, false
	}
	if strings.HasPrefix(kv.Key, partitionPrefix) {
		if p, err := DecodePartition(kv.Value); err == nil && w.inDoubt(p) {
			return Put(kv.Key, EncodePartition(inquired(p))), true
		}
		return Op{}, false
	}
	return Delete(kv.Key), !w.kept && !w.beside()
}

// producersLeft is how many producer ids are left out when metadata is put back: those that were given out last may be
// known to nobody, and none may be given out twice.
const producersLeft = 1_000_000_000

// value is what is put back under a key, nil for nothing: kv is what the store has, if found.
func (r *Restoration) value(w writing, kv KV, found bool, taken map[string]bool, key string, value []byte) []byte {
	switch {
	case w.kept && !found:
		return nil
	case strings.HasPrefix(key, partitionPrefix):
		known, err := DecodePartition(value)
		if err != nil {
			return nil
		}
		return encodeUnlessNil(w.partition(kv, found, known, r.Birth.Since))
	case w.beside() && strings.HasPrefix(key, topicPrefix):
		return w.topic(kv, found, taken, value)
	case key == producersKey && !w.late:
		return r.producers(kv, found, value)
	case w.late && strings.HasPrefix(key, memberPrefix):
		return r.member(kv, found, value)
	case w.late && strings.HasPrefix(key, lossPrefix):
		if found {
			return nil
		}
		return value
	case w.kept, w.late && !strings.HasPrefix(key, answerPrefix):
		return nil
	case found && (string(kv.Value) == string(value) || kv.Modified >= r.Birth.Since):
		return nil
	}
	return value
}

// member is what a late one adds: a member that nobody knew of, or one that was started again since, with other stores perhaps. What
// its broker has said in this life stays.
func (r *Restoration) member(kv KV, found bool, value []byte) []byte {
	if !found {
		return value
	}
	theirs, err := DecodeBroker(kv)
	known, broken := DecodeBroker(KV{Key: kv.Key, Value: value})
	if err != nil || broken != nil || theirs.Told == r.Birth.Ensemble || known.StartedMs <= theirs.StartedMs {
		return nil
	}
	return value
}

func encodeUnlessNil(p *Partition) []byte {
	if p == nil {
		return nil
	}
	return EncodePartition(p)
}

// producers leaves out what may have been given out, once a life.
func (r *Restoration) producers(kv KV, found bool, value []byte) []byte {
	next := decimal(value)
	if found {
		if kv.Modified >= r.Birth.Since {
			return nil
		}
		next = max(next, decimal(kv.Value))
	}
	return EncodeProducers(next + producersLeft)
}

// leaveProducersOut does so where nothing else has to be put back: what was given out last may be known to those alone who are down.
func (r *Restoration) leaveProducersOut(ctx context.Context) error {
	kv, found, err := r.Store.Get(ctx, producersKey)
	if err != nil || !found {
		return err
	}
	if next := r.producers(kv, found, kv.Value); next != nil {
		_, err = r.Store.Txn(ctx, Txn{If: []Compare{ModifiedAt(producersKey, kv.Modified)}, Then: []Op{Put(producersKey, next)}})
	}
	return err // where the transaction did not come about another broker has done it
}

// partition is the state to be put back, nil where the store's may stay.
func (w *writing) partition(kv KV, found bool, known *Partition, since Revision) *Partition {
	if !found {
		if w.inDoubt(known) {
			return inquired(known)
		}
		return known
	}
	theirs, err := DecodePartition(kv.Value)
	if err != nil {
		return nil
	}
	if theirs.Inquiry == InquiryRestored {
		if !later(known, beforeInquired(theirs)) {
			return nil
		}
		next := inquired(known)
		next.LeaderEpoch, next.Epoch = max(next.LeaderEpoch, theirs.LeaderEpoch), max(next.Epoch, theirs.Epoch)
		next.Ceiling = max(next.Ceiling, theirs.Ceiling)
		return next
	}
	if w.beside() && kv.Modified > w.until {
		return nil // it has gone on from what was put back
	}
	next := theirs
	if later(known, theirs) && (!w.beside() || hasAll(known, theirs)) {
		next = known
	}
	if w.late && next == theirs {
		return nil // what was in doubt of it the first one has seen
	}
	if w.inDoubt(next) && kv.Modified < since {
		return inquired(next)
	}
	if next == theirs {
		return nil
	}
	return next
}

// leaderEpochsLeft is how many leader epochs are left out: elections of the last moment may be known to nobody that is left,
// and no leader epoch may be given to two leaders.
const leaderEpochsLeft = 100

// ceilingLeft is how many offsets are left out: a leader that is known to nobody may have raised the ceiling.
const ceilingLeft = 100 * CeilingStep

// inquired is a state whose stores are asked before anybody leads. Where they were asked already, that may have had its end, and others
// may have led; what they have said of torn copies holds for this question too.
func inquired(p *Partition) *Partition {
	next := *p
	next.LeaderEpoch += leaderEpochsLeft
	next.Ceiling += ceilingLeft
	next.Inquiry, next.Leader = InquiryRestored, ident.NoBroker
	next.Epoch++
	return &next
}

// beforeInquired has the epochs of the state that inquired was given.
func beforeInquired(p *Partition) *Partition {
	return &Partition{LeaderEpoch: p.LeaderEpoch - leaderEpochsLeft, Epoch: p.Epoch - 1}
}

// hasAll tells whether whoever counts by a state has what may have been acknowledged by another one that the store has: who leads by that
// may have gone on without writing it again. Its in-sync set has all of it.
func hasAll(next, theirs *Partition) bool {
	return theirs.Leader == ident.NoBroker || !next.AnyMember(func(m Member) bool { return !slices.Contains(theirs.ISR, m) })
}

// later tells whether a state is of a later moment than another.
func later(p, than *Partition) bool {
	if p.LeaderEpoch != than.LeaderEpoch {
		return p.LeaderEpoch > than.LeaderEpoch
	}
	return p.Epoch > than.Epoch
}

func decimal(value []byte) int64 {
	n, _ := strconv.ParseInt(string(value), 10, 64)
	return n
}

// topic is what a late one adds: a topic that nobody knew of, or one that had got more partitions.
func (w *writing) topic(kv KV, found bool, taken map[string]bool, value []byte) []byte {
	known, err := decodeTopic(value)
	if err != nil {
		return nil
	}
	if !found {
		if taken[known.Name] {
			return nil
		}
		return value
	}
	theirs, err := decodeTopic(kv.Value)
	if err != nil || theirs.Partitions >= known.Partitions || kv.Modified > w.until {
		return nil
	}
	return value
}

// namesOf are the names of the topics in the store.
func namesOf(there map[string]KV) map[string]bool {
	names := map[string]bool{}
	for key, kv := range there {
		if strings.HasPrefix(key, topicPrefix) {
			if topic, err := decodeTopic(kv.Value); err == nil {
				names[topic.Name] = true
			}
		}
	}
	return names
}
