package controller

import (
	"cmp"
	"slices"

	"barnabas/internal/metadata"
)

// staying are the members of an in-sync set that remain in it. Whoever leaves goes out of it, and those told first go
// first, but only as long as the minimum is left: the rest go on until others have caught up (ADR 7). The torn stay only
// where nobody is whole, and whoever leaves is.
func (e *election) staying(isr []metadata.Member) []metadata.Member {
	of := func(wanted standing) []metadata.Member {
		return filter(isr, func(m metadata.Member) bool { return e.standing(m) == wanted })
	}
	stay := of(live)
	leavers := of(leaving)
	slices.SortStableFunc(leavers, func(a, b metadata.Member) int { // told last, goes last
		return cmp.Compare(e.img.Holder(b).Modified, e.img.Holder(a).Modified)
	})
	for i := 0; i < len(leavers) && len(stay) < max(1, e.minISR); i++ {
		stay = append(stay, leavers[i])
	}
	leads := func(m metadata.Member) bool { return e.asked != nil && m.Broker == e.asked.Leader }
	if !slices.ContainsFunc(stay, func(m metadata.Member) bool { return leads(m) || e.canLead(m) }) {
		// Successors that are level and wait: whoever leads goes on until one has taken its place.
		leader := max(0, slices.IndexFunc(leavers, leads))
		stay = append(stay, leavers[leader:min(leader+1, len(leavers))]...)
	}
	if len(stay) == 0 {
		stay = of(torn)
	}
	return filter(isr, func(m metadata.Member) bool { return slices.Contains(stay, m) })
}
