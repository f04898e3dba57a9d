package broker

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metrics"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/storage"
)

// proposer carries leaders' proposals (a new in-sync set, a higher offset ceiling) to the metadata store, by
// compare-and-set on each partition's key. Those of many partitions that come at once share transactions.
//
// A proposal of an in-sync set is carried until its outcome is known, or its maker's leadership is over: the newcomer,
// who is in the set perhaps, has to be counted as long.
type proposer struct {
	store  metadata.Store
	image  func() *metadata.Image
	broker ident.BrokerID
	// registered is the broker epoch that this process has, by which what a life before has proposed is void. It is 0 before
	// there is one.
	registered func() metadata.Revision
	failed     *metrics.Counter // in-sync sets that were refused
	logger     *slog.Logger
	wake       chan struct{}

	mu      sync.Mutex
	pending map[*replication.Partition]carried // guarded by mu: one a partition
}

// carried is a proposal on its way.
type carried struct {
	replication.Proposal
	// conditions are those of the transaction that has been tried, and may yet come about, beside the one on the state. One that
	// does not hold never will again.
	conditions []metadata.Compare
	told       bool // that the outcome is not known
}

const (
	// proposalTimeout bounds the transactions of a batch; what is not known by then is asked for again.
	proposalTimeout = 10 * time.Second
	// The pause after a store that did not answer, doubled from the first to the last.
	firstProposalPause = 10 * time.Millisecond
	lastProposalPause  = time.Second
)

// proposalsAtOnce is how many partitions share a transaction: a write each, and comparisons of the partition's key and
// of the registrations of the newcomers and of this broker.
const proposalsAtOnce = metadata.MaxOps / 4

func newProposer(
	store metadata.Store, image func() *metadata.Image, broker ident.BrokerID, registered func() metadata.Revision,
	failed *metrics.Counter, logger *slog.Logger,
) *proposer {
	return &proposer{
		store: store, image: image, broker: broker, registered: registered, failed: failed, logger: logger,
		wake: make(chan struct{}, 1), pending: map[*replication.Partition]carried{},
	}
}

// propose queues a proposal, together with what the partition has proposed already.
func (p *proposer) propose(new replication.Proposal) {
	p.mu.Lock()
	next := carried{Proposal: new}
	if old, ok := p.pending[new.Partition]; ok && old.Epoch == new.Epoch {
		next = both(old, next)
	}
	p.pending[new.Partition] = next
	p.mu.Unlock()
	p.nudge()
}

// nudge has the queue looked at.
func (p *proposer) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// both is a proposal with what an earlier one of the same leader epoch asked for beside it.
func both(old, new carried) carried {
	ceiling := max(new.Ceiling, old.Ceiling)
	if new.ISR == nil {
		new = old
	}
	new.Ceiling = ceiling
	return new
}

// again queues what has to be asked for once more, behind what has been proposed meanwhile.
func (p *proposer) again(unknown []carried) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, old := range unknown {
		new, ok := p.pending[old.Partition]
		switch {
		case !ok:
			p.pending[old.Partition] = old
		case new.Epoch == old.Epoch:
			p.pending[old.Partition] = both(old, new)
		}
	}
}

// run carries out proposals until ctx ends.
func (p *proposer) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait := time.Duration(0)
		for batch := p.take(); len(batch) > 0; batch = p.take() {
			unknown := p.carry(ctx, batch)
			if p.again(unknown); len(unknown) == 0 {
				wait = 0
				continue
			}
			wait = min(max(2*wait, firstProposalPause), lastProposalPause)
			if pause(ctx, wait); ctx.Err() != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
		case <-p.wake:
		}
	}
}

// take is what can be carried now: nothing before the broker is registered.
func (p *proposer) take() []carried {
	if p.registered() == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var batch []carried
	for partition, proposal := range p.pending {
		delete(p.pending, partition)
		if batch = append(batch, proposal); len(batch) == proposalsAtOnce {
			break
		}
	}
	return batch
}

// carry tries a batch in one transaction against the image, and what that does not settle one by one
// against the store itself. It returns those whose outcome is not known.
func (p *proposer) carry(ctx context.Context, batch []carried) (unknown []carried) {
	ctx, cancel := context.WithTimeout(ctx, proposalTimeout)
	defer cancel()
	if p.together(ctx, batch) {
		return nil
	}
	for _, proposal := range batch {
		if epoch, leads := proposal.Partition.IsLeader(); !leads || epoch != proposal.Epoch {
			continue // nobody counts on it any more
		}
		known, err := p.single(ctx, &proposal)
		if err != nil && (known || !proposal.told) {
			p.failed.Add(one(proposal.ISR != nil))
			p.logger.Warn("partition state not changed", "partition", proposal.Partition.Name().String(),
				"leaderEpoch", int32(proposal.Epoch), "askedAgain", !known, "why", err)
		}
		if !known {
			proposal.told = true
			unknown = append(unknown, proposal)
		} else if errors.Is(err, errNewcomerGone) {
			proposal.Partition.Refused(proposal.Proposal)
		}
	}
	return unknown
}

// together tries a batch in one transaction. False says that each has to be looked at.
func (p *proposer) together(ctx context.Context, batch []carried) bool {
	var txn metadata.Txn
	for i := range batch {
		proposal := batch[i].Proposal
		key, state := p.fromImage(proposal)
		next, err := p.next(state, proposal)
		if err != nil {
			return false
		}
		if !p.conditioned(&batch[i]) {
			return false
		}
		txn.If = append(append(txn.If, metadata.ModifiedAt(key, state.Modified)), batch[i].conditions...)
		txn.Then = append(txn.Then, metadata.Put(key, metadata.EncodePartition(next)))
	}
	if len(txn.If) > metadata.MaxOps {
		return false
	}
	result, err := p.store.Txn(ctx, txn)
	return err == nil && result.OK
}

// Why a proposal does not come about now. Where the leadership is over, or the state was changed, it may have come about
// before that: the leader has to count on it until it hears what there is now. Without its newcomer it never will.
var (
	errNewcomerGone = errors.New("who was to join the in-sync set is not registered as it was, or leaves")
	errOutdated     = errors.New("the leader epoch is over")
	errOvertaken    = errors.New("the state was changed by others first")
)

// triesAtOnce bounds how often a state is read that changes under way, before the others have their turn.
const triesAtOnce = 5

// single reads the partition's key and changes it, a few times if others do too. It tells whether the outcome is known, and
// what is wrong with it.
func (p *proposer) single(ctx context.Context, proposal *carried) (known bool, err error) {
	key := metadata.PartitionKey(proposal.Partition.State().TopicID, proposal.Partition.Name().Partition)
	var before metadata.Revision // the state that the last transaction was tried on
	for range triesAtOnce {
		kv, found, err := p.store.Get(ctx, key)
		if err != nil {
			return false, err
		}
		if !found {
			return true, nil // deleted, or put back soon (rebirth): either way the cluster image ends the counting
		}
		state, err := metadata.DecodePartition(kv.Value)
		if err != nil {
			return false, err
		}
		state.Modified = kv.Modified
		next, err := p.next(state, proposal.Proposal)
		if errors.Is(err, errOvertaken) && slices.Equal(state.ISR, proposal.ISR) && state.Ceiling >= proposal.Ceiling {
			return true, nil // it has come about, and the answer was lost
		}
		if err != nil {
			return true, err
		}
		if before == kv.Modified || !p.conditioned(proposal) {
			return true, errNewcomerGone
		}
		result, err := p.store.Txn(ctx, metadata.Txn{
			If:   append([]metadata.Compare{metadata.ModifiedAt(key, kv.Modified)}, proposal.conditions...),
			Then: []metadata.Op{metadata.Put(key, metadata.EncodePartition(next))},
		})
		if err != nil || result.OK {
			return result.OK, err
		}
		before = kv.Modified
	}
	return false, errors.New("the state changes too often")
}

func (p *proposer) fromImage(proposal replication.Proposal) (string, *metadata.Partition) {
	name := proposal.Partition.Name()
	topic := p.image().Topic(name.Topic)
	if topic == nil {
		return "", nil
	}
	return metadata.PartitionKey(topic.ID, name.Partition), topic.Partition(name.Partition)
}

// next is the state with the proposal in it, or why there is none: this broker no longer leads in that epoch, or the state
// is not the one that the in-sync set is a change of. That it was so may never be tried again on another: the controller
// may have taken the newcomer out meanwhile.
func (p *proposer) next(state *metadata.Partition, proposal replication.Proposal) (*metadata.Partition, error) {
	if state == nil || state.Leader != p.broker || state.LeaderEpoch != proposal.Epoch {
		return nil, errOutdated
	}
	if log := proposal.Partition.Log(); log != nil && p.isTorn(log.Directory()) {
		return nil, errOutdated // the controller has to see first that this epoch is over: a change of ours would hide that
	}
	next := *state
	next.Epoch++
	next.Ceiling = max(state.Ceiling, record.Offset(proposal.Ceiling))
	if proposal.ISR == nil {
		return &next, nil
	}
	if state.Modified != proposal.Modified {
		return nil, errOvertaken
	}
	if proposal.HandOver {
		next.LeaderEpoch++
	}
	next.ISR, next.ELR = proposal.ISR, nil
	if len(proposal.ISR) < proposal.MinISR {
		next.ELR = eligible(state, proposal.ISR)
	}
	return &next, nil
}

// isTorn tells whether the end of what is in a directory may be missing, as it is or as the cluster has it still.
func (p *proposer) isTorn(d *storage.Directory) bool {
	me := p.image().Broker(p.broker)
	return d.Torn() || me != nil && me.IsTorn(d.ID())
}

// eligible are those who leave an in-sync set that falls below the minimum, and those who were eligible already:
// no record is shown as safe from then on that they lack (KIP-966).
func eligible(state *metadata.Partition, isr []metadata.Member) []metadata.Member {
	var members []metadata.Member
	for _, m := range slices.Concat(state.ELR, state.ISR) {
		known := slices.ContainsFunc(slices.Concat(isr, members), func(o metadata.Member) bool { return o.Broker == m.Broker })
		if !known {
			members = append(members, m)
		}
	}
	return members
}

// wanted tells whether a reassignment brings a replica: then it may join although its broker leaves, which waits for it.
func wanted(image *metadata.Image, proposal replication.Proposal, m metadata.Member) bool {
	p := image.Partition(proposal.Partition.Name())
	return p != nil && slices.Contains(p.Adding, m.Broker)
}

// conditioned sets the conditions that this broker and whoever joins the in-sync set are registered as they were when the
// latter proved that it may: the controller does not look again for a broker that has gone before it joined, and another
// life of either knows nothing of what this one did. False where a newcomer is not registered, or leaves.
func (p *proposer) conditioned(proposal *carried) bool {
	if proposal.ISR == nil || proposal.conditions != nil {
		return true
	}
	own, registered := metadata.BrokerKey(p.broker), p.registered()
	if registered == 0 {
		return false
	}
	conditions := []metadata.Compare{metadata.CreatedAt(own, registered)}
	image := p.image()
	for _, m := range proposal.ISR {
		if slices.Contains(proposal.Base, m) {
			continue
		}
		b := image.Holder(m)
		if b == nil || b.Leaving && !wanted(image, proposal.Proposal, m) {
			return false
		}
		key := metadata.BrokerKey(m.Broker)
		if b == image.Successor(m.Broker) {
			key = metadata.SuccessorKey(m.Broker)
		}
		if key != own {
			conditions = append(conditions, metadata.CreatedAt(key, cmp.Or(proposal.Registered, b.Epoch)))
		}
	}
	proposal.conditions = conditions
	return true
}
