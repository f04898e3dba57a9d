package broker

import (
	"slices"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metrics"
)

// countChanges counts what has become of in-sync sets, by the partition's leader, and of leaders and records, by the
// controller: so that sums over all brokers are right.
func countChanges(r *metrics.Replication, self ident.BrokerID, old, image *metadata.Image, delta *metadata.Delta) {
	if old.Revision() == 0 {
		return // what there is at the start is no change
	}
	rules := image.ControllerID() == self
	for _, change := range delta.Partitions {
		if change.Old == nil || change.New == nil {
			continue
		}
		if change.New.Leader == self {
			r.ISRShrinks.Add(one(lacks(change.New.ISR, change.Old.ISR)))
			r.ISRExpands.Add(one(lacks(change.Old.ISR, change.New.ISR)))
		}
		if rules && change.New.Leader != change.Old.Leader && change.New.Leader != ident.NoBroker {
			r.Elections.Add(1)
			r.UncleanElections.Add(one(!inSets(change.Old, change.New.Leader)))
		}
	}
	if !rules {
		return
	}
	for _, loss := range delta.Losses {
		r.LostOffsets.Add(int64(loss.End - loss.Start))
	}
}

// lacks tells whether a member of one set is not in the other.
func lacks(set, other []metadata.Member) bool {
	return slices.ContainsFunc(other, func(m metadata.Member) bool { return !slices.Contains(set, m) })
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
