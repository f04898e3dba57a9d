package replication

import (
	"slices"

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
	// Modified is the revision of the state that the new set is a change of: once the state has been written again, by this
	// proposal or by anybody, the proposal is void for ever (KIP-497 compares the partition epoch).
	Modified metadata.Revision
	// Registered is the registration under which the newcomer has proved that it may join, 0 where nobody joins or none was
	// named: what another life of its broker has says nothing.
	Registered metadata.Revision
	// MinISR is the effective min.insync.replicas: whoever leaves a set that falls below it stays eligible (KIP-966).
	MinISR int
	// HandOver says that the in-sync set names this leader's successor in its place: a new leader epoch begins with it.
	HandOver bool
	// Ceiling is the least new offset ceiling, 0 for no change.
	Ceiling record.Offset
}

// proposal is one of a new in-sync set, which the state as this partition knows it is to have.
func (p *Partition) proposal(v *view, members []metadata.Member) Proposal {
	return Proposal{
		Partition: p, Epoch: v.epoch, ISR: members, Base: v.inSync.Committed, Modified: v.modified, MinISR: v.minISR,
	}
}

// proposeISR asks for a new in-sync set and counts its members from now on. The caller holds mu.
func (p *Partition) proposeISR(v *view, proposal Proposal) {
	next := *v
	next.inSync.Pending = proposal.ISR
	p.view.Store(&next)
	p.local.propose(proposal)
}

// Refused tells the partition that a proposal has not come about and never will, so that it may ask again. While the
// outcome is unknown nobody may say so: the newcomer, in the set perhaps, has to be counted.
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
	// Where the state has been written since, that state ends the counting when it is taken over, and not before.
	if refused.ISR != nil && v.modified == refused.Modified && slices.Equal(v.inSync.Pending, refused.ISR) {
		next := *v
		next.inSync.Pending = nil
		p.view.Store(&next)
	}
}
