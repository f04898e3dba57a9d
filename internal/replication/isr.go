package replication

import (
	"slices"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
)

// InSync is the in-sync set of a partition as its leader sees it. Committed is what the metadata store
// says. Pending is what this leader has asked for of that state and not heard of: until then a proposed newcomer
// counts for the high watermark (waiting for one more is always safe) and not for min.insync.replicas (KIP-497).
type InSync struct {
	Committed []metadata.Member
	Pending   []metadata.Member // nil when nothing is under way
}

// has reports whether a replica is in the maximal set: committed or proposed.
func (s InSync) has(m metadata.Member) bool {
	return slices.Contains(s.Committed, m) || slices.Contains(s.Pending, m)
}

// others counts the members of the maximal set besides the leader.
func (s InSync) others(leader metadata.Member) int {
	n := 0
	for _, m := range s.Committed {
		if m.Broker != leader.Broker {
			n++
		}
	}
	for _, m := range s.Pending {
		if m.Broker != leader.Broker && !slices.Contains(s.Committed, m) || isTwin(m, leader) {
			n++
		}
	}
	return n
}

// isTwin tells whether a replica is the successor's copy of another's.
func isTwin(m, of metadata.Member) bool {
	return m.Broker == of.Broker && m.Store != of.Store && !m.Store.IsZero()
}

// Follower is a replica that this broker leads.
type Follower struct {
	// Member names the broker and the store that it fetches into; the store is zero before the first fetch
	// of a replica that is not in sync.
	Member   metadata.Member
	Progress Progress
	// Registered is the registration under which it fetched last, 0 where it has not said.
	Registered metadata.Revision
	// Eligible is false while the follower's broker is fenced or leaving: such a replica may not join (KIP-841).
	Eligible bool
	// Since is the registration of the follower's broker now, 0 where it has none.
	Since metadata.Revision
	// Silent says that its broker can't be reached and has not fetched for a while; its next fetch ends that.
	Silent bool
	// left is the store that it was on before it moved, while leftIn was its broker's registration; zero for none.
	left   ident.StoreID
	leftIn metadata.Revision
}

// moved notes that the in-sync set, which named another store of the same registration for the follower, names this one. A
// successor's store, or one that nobody has any more, is of another.
func (f *Follower) moved(old, next InSync, eligible eligibility) {
	i := slices.IndexFunc(old.Committed, func(m metadata.Member) bool { return m.Broker == f.Member.Broker })
	if i < 0 || old.Committed[i].Store.IsZero() || !isTwin(f.Member, old.Committed[i]) || !slices.Contains(next.Committed, f.Member) {
		return
	}
	if _, since := eligible(old.Committed[i], true); since != 0 && since == f.Since {
		f.left, f.leftIn = old.Committed[i].Store, since
	}
}

// hasLeft tells whether a fetch names the store that the follower was on before it moved: it was sent before that, though it
// comes, or has been waiting, after it, and that store holds nothing any more. In another life of its broker it may have been
// put back there, and where the new store has failed the move may not have come to its end.
func (f *Follower) hasLeft(who FollowerFetch) bool {
	return f.Member.Broker == who.Member.Broker && f.left == who.Member.Store && !f.left.IsZero() &&
		f.Since != 0 && who.Registered <= f.leftIn
}

// fetched notes a fetch. What one that is not in sync had under a registration before says nothing of how soon it will be
// level in this one: it may have missed a lot since.
func (f *Follower) fetched(at Position, registered metadata.Revision, inSync InSync) {
	if registered != f.Registered && !inSync.has(f.Member) {
		f.Progress = Unseen(false, at.At)
	}
	f.Progress = f.Progress.Fetched(at)
	f.Registered, f.Silent = registered, false
}

// joining tells whether a follower that is not in sync is about to be: it copies, has everything or had it a short while ago, and
// does so in this life. One that was shut out and has registered anew is heard of again first: nobody waits for what its life
// before had.
func (f *Follower) joining(r Replicas, now time.Time) bool {
	return f.Eligible && !f.Silent && f.Progress.LogEnd >= 0 && (f.Registered == 0 || f.Registered >= f.Since) &&
		f.Progress.InTouch(r.LogEnd, now, r.MaxLag)
}

// Replicas is all that decides about the in-sync set and the high watermark of a led partition.
type Replicas struct {
	Leader        metadata.Member
	LogEnd        record.Offset
	Synced        record.Offset // up to where the leader may say that it has records: see AtSynced
	HighWatermark record.Offset
	EpochStart    record.Offset // the leader's log end when its epoch began
	InSync        InSync
	Eligible      []metadata.Member // beside the in-sync set, as the metadata store says (KIP-966)
	Followers     []Follower
	MinISR        int           // effective: see effectiveMinISR
	MaxLag        time.Duration // replica.lag.time.max.ms
}

// shrunk is the in-sync set without the followers that have been out of touch for longer than MaxLag,
// or nil when nobody is to leave or a change is under way already.
func shrunk(r Replicas, now time.Time) []metadata.Member {
	if r.InSync.Pending != nil {
		return nil
	}
	keep := make([]metadata.Member, 0, len(r.InSync.Committed))
	for _, m := range r.InSync.Committed {
		if m == r.Leader || isUnnamed(m, r.Leader) || inTouch(r, m, now) {
			keep = append(keep, m)
		}
	}
	if len(keep) == len(r.InSync.Committed) {
		return nil
	}
	return keep
}

// isUnnamed tells whether a member is that replica with a store that nobody has named yet.
func isUnnamed(m, replica metadata.Member) bool {
	return m.Broker == replica.Broker && m.Store.IsZero() && !replica.Store.IsZero()
}

func inTouch(r Replicas, m metadata.Member, now time.Time) bool {
	for i := range r.Followers {
		if r.Followers[i].Member == m {
			return r.Followers[i].Progress.InTouch(r.LogEnd, now, r.MaxLag)
		}
	}
	return false // in sync by name, but another store answers for that broker now
}

// level tells whether a follower has what it takes to be in sync.
func level(r Replicas, f Follower) bool {
	return f.Eligible && !f.Member.Store.IsZero() &&
		f.Progress.LogEnd >= r.HighWatermark && f.Progress.LogEnd >= r.EpochStart
}

// expanded is the in-sync set with a follower that has just fetched, or nil when it may not join yet.
// It joins once it holds everything below the high watermark and has reached this leader's own epoch: what it
// has of earlier epochs might still diverge.
func expanded(r Replicas, f Follower) []metadata.Member {
	switch {
	case r.InSync.Pending != nil, r.InSync.has(f.Member), !level(r, f):
		return nil
	case f.Member.Broker == r.Leader.Broker:
		return nil // the leader's own successor joins when all is handed over to it
	}
	next := slices.Clone(r.InSync.Committed)
	for i, m := range next {
		if m.Broker == f.Member.Broker { // its former store is still listed, or none: it keeps the place
			next[i] = f.Member
			return next
		}
	}
	return append(next, f.Member)
}
