package step

import (
	"slices"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/replication"
)

// What leaders propose, as internal/broker/proposer.go carries it out.

// proposed is a proposal on its way.
type proposed struct {
	replication.Proposal
	// conditions are set once: whoever joins, and who proposes, has to be registered as when it was decided.
	conditions []metadata.Compare
}

// propose is called by replication under the partition's mutex.
func (m *machine) propose(p replication.Proposal) {
	m.note("proposes", m.id, p.Epoch, p.ISR, p.Base, p.Registered, p.Ceiling)
	m.here(m.between(50*time.Microsecond, 500*time.Microsecond), "proposal", func() { m.carry(&proposed{Proposal: p}, 0) })
}

// carry sends a transaction made of what the store says when it is asked, and looks again until the outcome is known.
func (m *machine) carry(p *proposed, tries int) {
	if epoch, leads := p.Partition.IsLeader(); !leads || epoch != p.Epoch {
		return // nobody counts on it any more
	}
	again := func(d time.Duration) { m.here(d, "proposal again", func() { m.carry(p, tries+1) }) }
	if m.registered == 0 || m.cutOff || m.isTorn(p.Partition.Log()) {
		again(10 * time.Millisecond)
		return
	}
	kv := m.keepers.keys[metadata.PartitionKey(topicID, 0)]
	state, err := metadata.DecodePartition(kv.Value)
	if err != nil {
		panic(err)
	}
	state.Modified = kv.Modified
	next, overtaken := m.next(state, p.Proposal)
	switch {
	case overtaken && slices.Equal(state.ISR, p.ISR) && state.Ceiling >= p.Ceiling:
		m.note("has come about", m.id, p.Epoch)
		return // and the answer was lost
	case next == nil:
		m.note("overtaken", m.id, p.Epoch)
		return // it is over, or may have come about: the news tell
	case !m.conditioned(p):
		m.note("newcomer gone", m.id, p.Epoch)
		p.Partition.Refused(p.Proposal)
		return
	}
	txn := metadata.Txn{
		If:   append([]metadata.Compare{metadata.ModifiedAt(kv.Key, kv.Modified)}, p.conditions...),
		Then: []metadata.Op{metadata.Put(kv.Key, metadata.EncodePartition(next))},
	}
	lost := m.oneIn(12)
	life := m.life
	m.after(m.storeDelay(), "proposal arrives", func() { // also of one that has died meanwhile
		result := m.keepers.txn(txn)
		m.note("proposal", m.id, p.Epoch, len(p.ISR), result.OK)
		if lost || !m.up || m.life != life {
			return
		}
		m.here(m.storeDelay(), "proposal's outcome", func() {
			switch {
			case result.OK:
			case tries > 20:
				p.Partition.Refused(p.Proposal)
			default:
				m.carry(p, tries+1)
			}
		})
	})
	if lost {
		again(30 * time.Millisecond)
	}
}

// next is the state with the proposal in it, nil where that may not be; overtaken says that the state was changed first.
func (m *machine) next(state *metadata.Partition, p replication.Proposal) (next *metadata.Partition, overtaken bool) {
	if state.Leader != m.id || state.LeaderEpoch != p.Epoch {
		return nil, false
	}
	changed := *state
	changed.Epoch++
	changed.Ceiling = max(state.Ceiling, record.Offset(p.Ceiling))
	if p.ISR == nil {
		return &changed, false
	}
	if state.Modified != p.Modified {
		return nil, true
	}
	changed.ISR, changed.ELR = p.ISR, nil
	if len(p.ISR) < p.MinISR {
		for _, old := range slices.Concat(state.ELR, state.ISR) {
			if !slices.ContainsFunc(slices.Concat(p.ISR, changed.ELR), func(o metadata.Member) bool { return o.Broker == old.Broker }) {
				changed.ELR = append(changed.ELR, old)
			}
		}
	}
	return &changed, false
}

// conditioned sets the conditions; false where a newcomer is not registered.
func (m *machine) conditioned(p *proposed) bool {
	if p.ISR == nil || p.conditions != nil {
		return true
	}
	p.conditions = []metadata.Compare{metadata.CreatedAt(metadata.BrokerKey(m.id), m.registered)}
	for _, member := range p.ISR {
		if slices.Contains(p.Base, member) || member.Broker == m.id {
			continue
		}
		b := m.view.image.Holder(member)
		if b == nil {
			return false
		}
		since := p.Registered
		if since == 0 {
			since = b.Epoch
		}
		p.conditions = append(p.conditions, metadata.CreatedAt(metadata.BrokerKey(member.Broker), since))
	}
	return true
}
