package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metrics"
	"barnabas/internal/record"
	"barnabas/internal/replication"
)

// proposer carries leaders' proposals (a new in-sync set, a higher offset ceiling) to the metadata store, by
// compare-and-set on each partition's key. Those of many partitions that come at once share transactions.
type proposer struct {
	store  metadata.Store
	image  func() *metadata.Image
	broker ident.BrokerID
	failed *metrics.Counter // in-sync sets that were refused
	logger *slog.Logger
	wake   chan struct{}

	mu      sync.Mutex
	pending map[*replication.Partition]replication.Proposal // guarded by mu: one a partition
}

// proposalTimeout bounds a transaction; what has not come about by then may be asked for again.
const proposalTimeout = 10 * time.Second

// proposalsAtOnce is how many partitions share a transaction: a write each, and comparisons of the partition's key and
// of the newcomers' registrations.
const proposalsAtOnce = metadata.MaxOps / 4

func newProposer(
	store metadata.Store, image func() *metadata.Image, broker ident.BrokerID, failed *metrics.Counter, logger *slog.Logger,
) *proposer {
	return &proposer{
		store: store, image: image, broker: broker, failed: failed, logger: logger,
		wake: make(chan struct{}, 1), pending: map[*replication.Partition]replication.Proposal{},
	}
}

// propose queues a proposal, together with what the partition has proposed already.
func (p *proposer) propose(new replication.Proposal) {
	p.mu.Lock()
	if old, ok := p.pending[new.Partition]; ok && old.Epoch == new.Epoch {
		new.Ceiling = max(new.Ceiling, old.Ceiling)
		if new.ISR == nil {
			new.ISR, new.Base, new.MinISR, new.HandOver = old.ISR, old.Base, old.MinISR, old.HandOver
		}
	}
	p.pending[new.Partition] = new
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run carries out proposals until ctx ends.
func (p *proposer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		for batch := p.take(); len(batch) > 0; batch = p.take() {
			p.carry(ctx, batch)
		}
	}
}

func (p *proposer) take() []replication.Proposal {
	p.mu.Lock()
	defer p.mu.Unlock()
	var batch []replication.Proposal
	for partition, proposal := range p.pending {
		delete(p.pending, partition)
		if batch = append(batch, proposal); len(batch) == proposalsAtOnce {
			break
		}
	}
	return batch
}

// carry tries a batch in one transaction against the image, and what that does not settle one by one
// against the store itself.
func (p *proposer) carry(ctx context.Context, batch []replication.Proposal) {
	ctx, cancel := context.WithTimeout(ctx, proposalTimeout)
	defer cancel()
	var txn metadata.Txn
	for _, proposal := range batch {
		key, state := p.fromImage(proposal)
		newcomers, there := p.newcomers(proposal)
		if next, ok := p.next(state, proposal); ok && there {
			txn.If = append(append(txn.If, metadata.ModifiedAt(key, state.Modified)), newcomers...)
			txn.Then = append(txn.Then, metadata.Put(key, metadata.EncodePartition(next)))
		}
	}
	if len(txn.Then) == len(batch) && len(txn.If) <= metadata.MaxOps {
		if result, err := p.store.Txn(ctx, txn); err == nil && result.OK {
			return
		}
	}
	for _, proposal := range batch {
		if err := p.single(ctx, proposal); err != nil {
			if ctx.Err() == nil {
				p.logger.Warn("partition state not changed",
					"partition", proposal.Partition.Name().String(), "leaderEpoch", int32(proposal.Epoch), "why", err)
			}
			p.failed.Add(one(proposal.ISR != nil))
			proposal.Partition.Refused(proposal)
		}
	}
}

var errNewcomerGone = errors.New("who was to join the in-sync set is not registered, or leaves")

var errOutdated = errors.New("the leader epoch is over")

// single reads the partition's key and changes it, a few times if others do too.
func (p *proposer) single(ctx context.Context, proposal replication.Proposal) error {
	key := metadata.PartitionKey(proposal.Partition.State().TopicID, proposal.Partition.Name().Partition)
	for range 5 {
		kv, found, err := p.store.Get(ctx, key)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%w: the partition is deleted", errOutdated)
		}
		state, err := metadata.DecodePartition(kv.Value)
		if err != nil {
			return err
		}
		next, ok := p.next(state, proposal)
		if !ok {
			return errOutdated
		}
		newcomers, there := p.newcomers(proposal)
		if !there {
			return errNewcomerGone
		}
		result, err := p.store.Txn(ctx, metadata.Txn{
			If:   append(newcomers, metadata.ModifiedAt(key, kv.Modified)),
			Then: []metadata.Op{metadata.Put(key, metadata.EncodePartition(next))},
		})
		if err != nil || result.OK {
			return err
		}
	}
	return errors.New("the state changes too often")
}

func (p *proposer) fromImage(proposal replication.Proposal) (string, *metadata.Partition) {
	name := proposal.Partition.Name()
	topic := p.image().Topic(name.Topic)
	if topic == nil {
		return "", nil
	}
	return metadata.PartitionKey(topic.ID, name.Partition), topic.Partition(name.Partition)
}

// next is the state with the proposal in it; false when this broker no longer leads in that epoch.
func (p *proposer) next(state *metadata.Partition, proposal replication.Proposal) (*metadata.Partition, bool) {
	if state == nil || state.Leader != p.broker || state.LeaderEpoch != proposal.Epoch {
		return nil, false
	}
	if me := p.image().Broker(p.broker); me != nil && me.Torn {
		return nil, false // the controller has to see first that this epoch is over: a change of ours would hide that
	}
	next := *state
	next.Epoch++
	next.Ceiling = max(state.Ceiling, record.Offset(proposal.Ceiling))
	if proposal.ISR == nil {
		return &next, true
	}
	if proposal.HandOver {
		next.LeaderEpoch++
	}
	if !slices.Equal(state.ISR, proposal.Base) {
		return nil, false // the controller was first
	}
	next.ISR, next.ELR = proposal.ISR, nil
	if len(proposal.ISR) < proposal.MinISR {
		next.ELR = eligible(state, proposal.ISR)
	}
	return &next, true
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

// newcomers are the conditions that whoever joins the in-sync set is registered as the image has it: the controller
// does not look again for a broker that has gone before it joined. False where one is not registered, or leaves.
func (p *proposer) newcomers(proposal replication.Proposal) (conditions []metadata.Compare, there bool) {
	for _, m := range proposal.ISR {
		if slices.Contains(proposal.Base, m) {
			continue
		}
		image := p.image()
		b := image.Holder(m)
		if b == nil || b.Leaving && !wanted(image, proposal, m) {
			return nil, false
		}
		key := metadata.BrokerKey(m.Broker)
		if b == image.Successor(m.Broker) {
			key = metadata.SuccessorKey(m.Broker)
		}
		conditions = append(conditions, metadata.CreatedAt(key, b.Epoch))
	}
	return conditions, true
}
