package group

import "time"

// expire takes out the offsets whose retention is over and the groups that have nothing left
// (KIP-211), and sets its own timer anew.
func (m *machine) expire(s *step) {
	for _, g := range m.inOrder() {
		if s.full() {
			m.timers.set(&m.expiry, s.now) // the next step goes on
			return
		}
		if g.expireOffsets(s) && g.state == empty && len(g.pendingJoin) == 0 {
			s.record(tombstone(groupKey{g.id}))
			m.counters.GroupsExpired.Add(1)
			g.log().Info("group has nothing left and is removed")
		}
	}
	if len(m.groups) > 0 {
		m.wantExpiry(s.now)
	}
}

// expireOffsets says whether the group is left without offsets.
func (g *group) expireOffsets(s *step) bool {
	if len(g.offsets) == 0 {
		return true
	}
	since, some := g.retainedSince()
	if !some {
		return false
	}
	all := true
	for key := range g.offsets.keys(g.id) {
		o := g.offsets[key.topic][key.partition]
		if s.full() || g.subscribes(key.topic) || !g.m.expired(o, since(o), s.now) {
			all = false
			continue
		}
		s.record(tombstone(key))
		g.m.counters.Expirations.Add(1)
	}
	return all
}

// retainedSince says from when on the retention of the group's offsets counts, if it does: from the
// commit for a simple group, and for topics that a stable group of consumers no longer subscribes
// to; from when the last member left, for a group that is empty. While members rebalance nothing
// expires, nor in a group whose topics aren't known.
func (g *group) retainedSince() (since func(offset) int64, some bool) {
	commit := func(o offset) int64 { return o.commitMs }
	switch {
	case g.protocolType == "":
		return commit, true
	case g.state == empty && !g.stateSince.IsZero():
		return func(offset) int64 { return g.stateSince.UnixMilli() }, true
	case g.state == empty:
		return commit, true
	case g.state == stable && g.protocolType == consumerType && g.topics != nil:
		return commit, true
	}
	return nil, false
}

func (m *machine) expired(o offset, sinceMs int64, now time.Time) bool {
	if o.expireMs >= 0 { // asked for by an old client, for this offset alone
		return now.UnixMilli() >= o.expireMs
	}
	return now.UnixMilli()-sinceMs >= m.config.OffsetsRetention.Milliseconds()
}
