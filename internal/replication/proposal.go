package replication

import (
	"barnabas/internal/metadata"
	"barnabas/internal/record"
)

// Proposal is a change of a partition's state that its leader wants in the metadata store, by
// compare-and-set on the partition's key. Whoever carries it out returns at once; the outcome comes with
// the cluster image, or by [Partition.Refused].
type Proposal struct {
	Partition *Partition
	// Epoch is the leader epoch that proposes: in any other the proposal is void.
	Epoch record.Epoch
	// ISR is the new in-sync set, nil for no change. Base is the set that it is a change of: where the controller has
	// changed that meanwhile, the proposal is void.
	ISR, Base []metadata.Member
	// MinISR is the effective min.insync.replicas: whoever leaves a set that falls below it stays eligible (KIP-966).
	MinISR int
	// HandOver says that the in-sync set names this leader's successor in its place: a new leader epoch begins with it.
	HandOver bool
	// Ceiling is the least new offset ceiling, 0 for no change.
	Ceiling record.Offset
}

// proposeISR asks for a new in-sync set and counts its members from now on. The caller holds mu.
func (p *Partition) proposeISR(v *view, members []metadata.Member) {
	next := *v
	next.inSync.Pending = members
	p.view.Store(&next)
	p.local.propose(Proposal{Partition: p, Epoch: v.epoch, ISR: members, Base: v.inSync.Committed, MinISR: v.minISR})
}

// Refused tells the partition that a proposal has not come about and will not, so that it may ask again.
func (p *Partition) Refused(refused Proposal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view.Load()
	if v.epoch != refused.Epoch || v.role != Leading {
		return
	}
	if refused.Ceiling != 0 {
		p.asked = 0
	}
	if refused.ISR != nil && v.inSync.Pending != nil {
		next := *v
		next.inSync.Pending = nil
		p.view.Store(&next)
	}
}
