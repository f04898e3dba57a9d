package replication

import (
	"slices"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
)

// Reader is a replica that a consumer may read from in the leader's place (KIP-392).
type Reader struct {
	Broker ident.BrokerID
	// LogEnd is how far it has copied, CaughtUp when it last had everything: both as its leader knows them.
	LogEnd   record.Offset
	CaughtUp time.Time
}

// Readers appends the followers in sync that hold an offset, or end there; none where this broker does not lead.
// One that is out of sync may never reach what its consumer waits for.
func (p *Partition) Readers(at record.Offset, to []Reader) []Reader {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view.Load()
	if v.role != Leading {
		return to
	}
	for i := range p.followers {
		f := &p.followers[i]
		if slices.Contains(v.inSync.Committed, f.Member) && f.Progress.LogEnd >= at && f.Progress.LogStart <= at {
			to = append(to, Reader{Broker: f.Member.Broker, LogEnd: f.Progress.LogEnd, CaughtUp: f.Progress.CaughtUp})
		}
	}
	return to
}
