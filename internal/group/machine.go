package group

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"barnabas/internal/coordinator"
)

// machine is the groups and offsets of one partition of Topic: a coordinator.Machine.
//
// Invariants: a group is here from its first record on, or while its first record is being appended;
// offsets change only through Replay; a group's generation, members and state are ahead of its
// last record only during a rebalance.
type machine struct {
	machineOptions
	groups map[string]*group
	timers timers
	expiry timer // checks for expired offsets and empty groups while there are groups
}

type machineOptions struct {
	config   *Config
	logger   *slog.Logger
	newID    func() string
	counters *Counters
}

func newMachine(o machineOptions) *machine {
	m := &machine{machineOptions: o}
	m.expiry.fire = m.expire
	return m
}

// step gathers what one command does.
type step struct {
	now     time.Time
	outcome coordinator.Outcome
}

// record adds records that Replay applies once they are appended.
func (s *step) record(records ...coordinator.Record) {
	s.outcome.Records = append(s.outcome.Records, records...)
}

// recordWith adds a record whose change the machine makes by itself in applied.
func (s *step) recordWith(r coordinator.Record, applied func(err error)) {
	if s.outcome.Applied != nil || len(s.outcome.Records) > 0 {
		panic("group: a step with two records about a group's members")
	}
	s.outcome.Records = append(s.outcome.Records, r)
	s.outcome.Applied = applied
}

// reply has done called when everything so far is committed.
func (s *step) reply(done func(err error)) {
	s.outcome.Replies = append(s.outcome.Replies, done)
}

// run carries out one command.
func (m *machine) run(now time.Time, do func(s *step)) coordinator.Outcome {
	s := &step{now: now}
	do(s)
	return s.outcome
}

// group returns a group, creating it in memory if need be.
func (m *machine) groupOrNew(id string, now time.Time) (g *group, created bool) {
	if g := m.groups[id]; g != nil {
		return g, false
	}
	if m.groups == nil {
		m.groups = map[string]*group{}
	}
	g = newGroup(m, id, now)
	m.groups[id] = g
	m.wantExpiry(now)
	return g, true
}

// inOrder are all groups by name: what many groups do at once is the same each time.
func (m *machine) inOrder() []*group {
	groups := make([]*group, 0, len(m.groups))
	for _, id := range slices.Sorted(maps.Keys(m.groups)) {
		groups = append(groups, m.groups[id])
	}
	return groups
}

// wantExpiry sets the timer of the expiry check, if it isn't.
func (m *machine) wantExpiry(now time.Time) {
	if !m.timers.pending(&m.expiry) {
		m.timers.set(&m.expiry, now.Add(m.config.OffsetsCheckInterval))
	}
}

// remove forgets a group and its timers. Nobody waits in it.
func (m *machine) remove(g *group) {
	g.stopTimers()
	delete(m.groups, g.id)
}

// Deadline implements coordinator.Machine.
func (m *machine) Deadline() time.Time { return m.timers.next() }

// Tick implements coordinator.Machine.
func (m *machine) Tick(now time.Time) coordinator.Outcome {
	return m.run(now, func(s *step) {
		if t := m.timers.due(now); t != nil {
			t.fire(s)
		}
	})
}

// Replay implements coordinator.Machine.
func (m *machine) Replay(r coordinator.Record) {
	key, err := decodeKey(r.Key)
	if err != nil {
		m.logger.Warn("passed over a record that can't be read", "error", err)
		return
	}
	switch key := key.(type) {
	case offsetKey:
		err = m.replayOffset(key, r.Value)
	case groupKey:
		err = m.replayGroup(key, r.Value)
	default: // of a kind that this version doesn't keep
	}
	if err != nil {
		m.logger.Warn("passed over a record that can't be read", "key", key, "error", err)
	}
}

// Loaded implements coordinator.Machine: the members of the groups that were read get a whole session
// to be heard of.
func (m *machine) Loaded(now time.Time) {
	s := &step{now: now}
	for _, g := range m.inOrder() {
		for _, mb := range g.members {
			g.keepAlive(s, mb)
		}
		if len(g.members) > m.config.MaxSize {
			g.prepareRebalance(s, "loaded with more members than group.max.size")
		}
	}
	if len(m.groups) > 0 {
		m.wantExpiry(now)
	}
}

// Unloaded implements coordinator.Machine.
func (m *machine) Unloaded(err error) {
	for _, g := range m.inOrder() {
		for _, mb := range g.members {
			mb.failWaiting(code(err))
		}
	}
	m.groups = nil
}
