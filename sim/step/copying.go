package step

import (
	"errors"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/replication"
)

// question is a follower's fetch on its way to the leader, reply what comes back.
type question struct {
	from    *machine
	life    int
	lane    replication.Lane
	epoch   record.Epoch
	at      replication.FetchPosition
	who     replication.FollowerFetch
	partial int // bytes at most
}

type reply struct {
	question
	batches    []byte
	read       replication.ReadResult
	outOfRange bool
}

// follow has the replica fetched on the lane where it belongs, as the broker does when the partition has changed.
func (m *machine) follow() {
	p := m.part()
	if p == nil {
		return
	}
	up, ok := p.Upstream()
	switch {
	case !ok || up.Leader == m.id:
		m.lanes.Remove(partitionKey)
		m.follows = replication.Upstream{}
	case up != m.follows:
		if up.Leader != m.follows.Leader || up.Store != m.follows.Store { // another leader has lanes of its own
			m.lanes = replication.NewLanes(maxPause)
		}
		m.lanes.Add(partitionKey, up.Epoch, p, p.InSync())
		m.follows = up
	}
}

// partitionKey is the one partition's in a fetch.
var partitionKey = replication.FetchKey{Topic: topicID}

// maxPause bounds the pause of a partition that can't be copied.
const maxPause = 20 * time.Millisecond

// fetch asks the leader for what the follower lacks, on the lane that is given. The next fetch does not wait for the answer, nor do
// the lanes for each other: what was asked for on the one may arrive after what the other has asked for later.
func (m *machine) fetch(lane replication.Lane) {
	m.follow()
	if m.part() == nil || m.registered == 0 {
		return
	}
	core := m.lanes.Fetcher(lane)
	core.Reset() // nobody keeps sessions here: what is asked for is told each time
	plan, _, ok := m.lanes.Next(lane, m.clock())
	if len(plan.Unsynced) > 0 {
		m.syncCopy(lane)
		return
	}
	if !ok || len(plan.Partitions) == 0 {
		return
	}
	ask := plan.Partitions[0]
	at := ask.FetchPosition
	if m.options.Bugs.SkipsTruncation {
		at.LastEpoch = record.NoEpoch
	}
	q := question{
		from: m, life: m.life, lane: lane, epoch: ask.Epoch, at: at, partial: 60 + m.rng.IntN(600),
		who: replication.FollowerFetch{
			Member: metadata.Member{Broker: m.id, Store: at.Store}, Registered: m.registered, LogStart: at.LogStart,
		},
	}
	if ask.Trial {
		q.partial = 0
	}
	leader := m.machineOf(m.follows.Leader)
	m.send(m, leader, "fetch", func() { leader.serve(q) })
}

// serve answers a follower.
func (m *machine) serve(q question) {
	p := m.part()
	if p == nil {
		return
	}
	read, err := p.Read(replication.ReadRequest{
		Offset: q.at.Offset, MaxBytes: q.partial, MinOneBatch: q.partial > 0, UpTo: replication.AtLogEnd,
		CurrentEpoch: q.epoch, LastFetchedEpoch: q.at.LastEpoch, Follower: &q.who,
	})
	r := reply{question: q, read: read, outOfRange: errors.Is(err, replication.ErrOffsetOutOfRange)}
	if err != nil && !r.outOfRange {
		m.note("refused", m.id, q.from.id, err)
		return
	}
	if err == nil {
		r.batches = make([]byte, read.Span.Len())
		_, err = read.Span.CopyTo(r.batches)
		read.Span.Release()
		if err != nil {
			return // the disk
		}
	}
	m.acknowledge()
	m.note("served", m.id, q.from.id, q.at.Offset, len(r.batches), read.HighWatermark, read.Diverges)
	m.send(m, q.from, "answer", func() {
		if q.from.life == q.life {
			q.from.take(r)
		}
	})
}

// take has a follower take over what its leader has answered.
func (m *machine) take(r reply) {
	p := m.part()
	if p == nil || m.parts == nil {
		return
	}
	before := p.State()
	var err error
	if r.outOfRange {
		_, err = p.OutOfRange(r.epoch, r.read.LogStart, r.read.LogEnd)
	} else {
		_, err = p.Copy(replication.Copied{
			Epoch: r.epoch, Offset: r.at.Offset, Batches: r.batches, HighWatermark: r.read.HighWatermark,
			LogStart: r.read.LogStart, Diverging: r.read.Diverging, Diverges: r.read.Diverges,
		})
	}
	core := m.lanes.Fetcher(r.lane)
	core.Answered(0)
	if err != nil {
		core.Failed(partitionKey, m.clock())
	} else if !r.outOfRange && !r.read.Diverges {
		if m.lanes.Took(r.lane, partitionKey, r.read.HighWatermark) {
			m.note("leaves the lane", m.id, r.lane)
		}
	}
	now := p.State()
	m.note("copied", m.id, before.LogEnd, now.LogEnd, now.HighWatermark, err)
	m.mirror()
	switch log := m.main().log(); {
	case now.LogEnd <= before.LogEnd:
	case err == nil:
		m.took(r.batches, before.LogEnd)
	case len(m.volumes) > 1 && log != nil: // the replica has it, and its second copy has not
		m.main().take(log)
	}
}

// took notes which records a follower has copied.
func (m *machine) took(batches []byte, from record.Offset) {
	for rest := batches; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if err != nil {
			return // the last one was cut short
		}
		rest = after
		if b.BaseOffset() < from {
			continue
		}
		if r := m.recordOf(m, b); r != nil {
			m.main().add(r, b)
		}
	}
}

// send has a message arrive, unless it is lost, or one of both ends is another life by then. Now and then it
// arrives twice, or late.
func (w *world) send(from, to *machine, what string, arrive func()) {
	if w.apart[[2]*machine{from, to}] || w.oneIn(60) {
		return
	}
	fromLife, toLife := from.life, to.life
	d := w.between(50*time.Microsecond, 1500*time.Microsecond)
	if w.oneIn(40) {
		d += w.between(0, 60*time.Millisecond)
	}
	deliver := func() {
		if from.life == fromLife && from.up && to.life == toLife && !w.apart[[2]*machine{from, to}] {
			to.here(0, what, arrive)
		}
	}
	w.after(d, what+" arrives", deliver)
	if w.oneIn(50) {
		w.after(d+w.between(0, 5*time.Millisecond), what+" arrives once more", deliver)
	}
}
