package replication

import (
	"slices"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// leastKept is how many copies an in-sync set keeps when somebody is taken out of it early: a leader that is cut off with
// its clients is not to acknowledge what it alone has.
const leastKept = 2

// Unheard takes a broker that can't be reached from here out of the in-sync sets of the partitions led here, if it has not
// fetched for so long, and where enough are left without it. It need not be known to be dead: it may be that only the link
// between the two is cut, and then others would wait for it for replica.lag.time.max.ms. Once it fetches again it joins
// like any other.
func (m *Manager) Unheard(id ident.BrokerID, silence time.Duration) {
	for _, p := range m.All() {
		p.unheard(id, silence)
	}
}

func (p *Partition) unheard(id ident.BrokerID, silence time.Duration) {
	p.mu.Lock()
	var woken calls
	if v := p.view.Load(); v.role == Leading && len(p.followers) > 0 && v.online() {
		now := p.local.clock()
		for i := range p.followers {
			if f := &p.followers[i]; f.Member.Broker == id && f.Progress.silentFor(now) >= silence {
				f.Silent = true
			}
		}
		if next := heard(p.replicasNow(v)); next != nil {
			p.proposeISR(v, p.proposal(v, next))
			v = p.view.Load()
		}
		woken = p.advance(v)
	}
	p.mu.Unlock()
	woken.make()
}

// heard is the in-sync set without those that are silent, or nil when it is to stay as it is.
func heard(r Replicas) []metadata.Member {
	if r.InSync.Pending != nil {
		return nil
	}
	silent := func(m metadata.Member) bool {
		return slices.ContainsFunc(r.Followers, func(f Follower) bool { return f.Member == m && f.Silent })
	}
	keep := slices.DeleteFunc(slices.Clone(r.InSync.Committed), silent)
	if len(keep) == len(r.InSync.Committed) || len(keep) < max(r.MinISR, leastKept) {
		return nil
	}
	return keep
}

// silentFor is how long ago the follower has fetched last, or since when it was supposed to.
func (p Progress) silentFor(now time.Time) time.Duration {
	if p.fetched.IsZero() {
		return now.Sub(p.CaughtUp)
	}
	return now.Sub(p.fetched)
}
