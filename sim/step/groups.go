package step

import (
	"fmt"
	"time"

	"barnabas/internal/coordinator"
	"barnabas/internal/coordinator/shardlog"
	"barnabas/internal/group"
	"barnabas/internal/record"
	"barnabas/internal/replication"
)

// The coordinators of groups: internal/group and internal/coordinator as they are, on a partition that is simulated like any
// other, with events in the place of their goroutines and timers.

// initialDelay is group.initial.rebalance.delay.ms, commitTimeout offsets.commit.timeout.ms.
const (
	initialDelay  = 15 * time.Millisecond
	commitTimeout = 150 * time.Millisecond
)

// coordinate makes the groups of one life of the broker.
func (m *machine) coordinate() {
	if !m.options.Groups {
		return
	}
	config := group.DefaultConfig()
	config.MinSessionTimeout, config.InitialRebalanceDelay = time.Millisecond, initialDelay
	config.CommitTimeout, config.LoadBufferBytes = commitTimeout, 2000
	if m.options.Compacted {
		config.OffsetsRetention, config.OffsetsCheckInterval = m.retention, m.retention/4
	}
	m.heard, m.removing = map[*consumers]time.Duration{}, nil
	m.groups = group.New(group.Options{
		Config: config, Logger: m.logger(), Partitions: func() int32 { return 1 },
		NewID: func() string { m.ids++; return fmt.Sprint(m.ids) },
		Stage: coordinator.Stage{
			Now: m.clock,
			Go:  m.goSoon,
			AfterFunc: func(d time.Duration, do func()) coordinator.Timer {
				t := &timer{machine: m, do: do}
				t.Reset(d)
				return t
			},
		},
	})
}

// goSoon has a coordinator's work go on a little later: now and then much later, as a long log takes to load. Not at the end: it may
// take more than half a session, and the session of a static member that is restarted begins with its join, not with the answer.
func (m *machine) goSoon(run func()) {
	d := m.between(moment, 200*time.Microsecond)
	if m.oneIn(60) && !m.calm() {
		d = m.between(moment, 60*time.Millisecond)
	}
	m.here(d, "coordinator", run)
}

// timer is a coordinator's, for one life of the broker.
type timer struct {
	*machine
	do  func()
	set int // which setting counts
}

// Reset implements coordinator.Timer. It never fires early.
func (t *timer) Reset(d time.Duration) bool {
	t.set++
	set := t.set
	t.here(max(d, moment)+moment, "coordinator's timer", func() {
		if t.set == set {
			t.do()
		}
	})
	return true
}

// Stop implements coordinator.Timer.
func (t *timer) Stop() bool {
	t.set++
	return true
}

// turned makes the broker the coordinator, or ends that.
func (m *machine) turned(t replication.Turn) {
	if m.groups == nil {
		return
	}
	m.note("turned", m.id, t.Epoch, t.Leads)
	clear(m.heard)
	epoch := t.Epoch
	if m.options.Bugs.KeepsGroups {
		epoch = 0 // a later election changes nothing any more
		if !t.Leads {
			return
		}
	}
	if t.Leads {
		m.groups.Elect(0, epoch, groupLog{m, shardlog.Log{Partition: t.Partition, Epoch: t.Epoch}})
	} else {
		m.groups.Resign(0, epoch)
	}
}

// groupLog is the log of internal/coordinator/shardlog, whose writes the truth is told of, and with the planted bugs.
type groupLog struct {
	*machine
	shardlog.Log
}

var _ coordinator.Log = groupLog{}

func (l groupLog) Append(batch []byte) (record.Offset, error) {
	b, _, err := record.Next(batch)
	if err != nil {
		l.violation("broken: a coordinator writes a batch that can't be read: %v", err)
		return -1, err
	}
	to := l.Log
	if l.options.Bugs.KeepsGroups {
		to.Epoch = record.NoEpoch
	}
	at, err := to.Write(batch)
	l.note("coordinator writes", l.id, at.BaseOffset, at.Epoch, b.Count(), err)
	if err != nil {
		l.doubt(b.BaseTimestamp(), err)
		return -1, err
	}
	r := l.appended(b, at)
	l.waiting = append(l.waiting, r)
	l.written(r, b)
	l.acknowledge()
	return at.LastOffset + 1, nil
}

func (l groupLog) EndOffset() record.Offset {
	if l.options.Bugs.LoadsShown {
		return l.Log.HighWatermark()
	}
	return l.Log.EndOffset()
}

func (l groupLog) HighWatermark() record.Offset {
	if l.options.Bugs.AnswersEarly {
		return l.Log.EndOffset()
	}
	return l.Log.HighWatermark()
}
