// Package check judges what clients saw of a broker or a cluster against what it promises. It knows nothing of how
// the system works: a history of what was asked and answered goes in, violations come out. Each promise has a
// function of its own, so that a test can show each to fail.
package check

import (
	"fmt"
	"slices"
	"sync"
)

// Partition is a partition of a topic as it was created once: one of the same name made later has another ID.
type Partition struct {
	Topic  string
	ID     string
	Number int32
}

func (p Partition) String() string { return fmt.Sprintf("%s-%d", p.Topic, p.Number) }

// Tick is a moment of a history. What ended at a lower tick than another thing began was before it.
type Tick int

// Outcome is what a client knows of what it asked for.
type Outcome int

const (
	// Unknown: no answer, or one that leaves it open. It may have happened, or may happen yet.
	Unknown Outcome = iota
	// Done: the system says that it has happened.
	Done
	// Refused: the system says that it has not happened and will not.
	Refused
)

// Span is when something was asked and when its outcome was known.
type Span struct{ Begun, Ended Tick }

// Before tells whether this was over when that began.
func (s Span) Before(o Span) bool { return s.Ended < o.Begun }

// Record is a record as clients see it. Values are unique in a history.
type Record struct{ Key, Value string }

// Send is one attempt to append a batch. A retry of it is another Send of the same records.
type Send struct {
	Span
	Client     string
	Partition  Partition
	Records    []Record
	Acks       int16
	Idempotent bool
	Outcome    Outcome
	Base       int64 // the first record's offset, if Done and Acks is not 0
	Why        string
	Gap        bool // refused for its sequence
}

// Read is one record that was read.
type Read struct {
	Span
	Partition Partition
	Offset    int64
	Epoch     int32
	Record    Record
}

// Mark is what an answer to a fetch says of a partition's bounds.
type Mark struct {
	Span
	Partition               Partition
	LogStart, HighWatermark int64
}

// Cut is a deletion of the records before an offset.
type Cut struct {
	Span
	Partition Partition
	Before    int64
	Outcome   Outcome
}

// Fault is what can make a promise void.
type Fault struct {
	At   Tick
	Kind FaultKind
	// Only are the partitions that it may have taken records of, nil for all. In a cluster these are those whose
	// every copy that counted it has taken.
	Only map[Partition]bool
}

// hits tells whether it may have taken records of a partition.
func (f Fault) hits(p Partition) bool { return f.Only == nil || f.Only[p] }

// hitsGroups tells whether it may have taken what a group's coordinator wrote.
func (f Fault) hitsGroups() bool {
	if f.Only == nil {
		return true
	}
	for p := range f.Only {
		if p.Topic == GroupTopic {
			return true
		}
	}
	return false
}

// GroupTopic is where coordinators of groups write.
const GroupTopic = "__consumer_offsets"

// FaultKind tells faults apart by what they may destroy.
type FaultKind string

const (
	// Killed: the process died. Nothing acknowledged is lost.
	Killed FaultKind = "kill -9"
	// Crashed: the machine of the only copy died. What was not synced may be lost.
	Crashed FaultKind = "machine crash"
	// Wiped: the store of the only copy was destroyed.
	Wiped FaultKind = "wipe"
)

// Promise is what a topic's settings add to the promises or take from them.
type Promise struct {
	// Synced: every append is synced before it is acknowledged (flush.messages=1).
	Synced bool
	// Outlasts: what is acknowledged by acks=all is on the disk of each replica that counts (fsync.on.ack): even when all machines
	// crash at once nothing of it is lost. Such a topic is Synced too.
	Outlasts bool
	// Compacted: of records with the same key only the last one has to be there.
	Compacted bool
	// Expires: old records go by themselves.
	Expires bool
}

// Final is what a partition held when all was over.
type Final struct {
	Partition               Partition
	LogStart, HighWatermark int64
	Reads                   []Read // in the order of offsets
}

// History is what happened. Its methods may be called at once from anywhere; its fields are read when all is over.
type History struct {
	mu   sync.Mutex
	tick Tick

	// Cluster says that leaders change: acks=1 promises nothing then, and marks may be a little behind for a while.
	Cluster bool

	Sends    []*Send
	Reads    []Read
	Marks    []Mark
	Cuts     []*Cut
	Faults   []Fault
	Finals   []Final
	Promises map[string]Promise // by topic name

	// Ledger are the partitions of which the system says itself that it may have lost records.
	Ledger map[Partition]bool
	first  map[string]Tick // see firstSent

	Joins       []Join
	Assignments []Assignment
	Commits     []*Commit
	Fetched     []Fetched
}

// New is an empty history.
func New() *History { return &History{Promises: map[string]Promise{}} }

// Now is a new moment.
func (h *History) Now() Tick {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tick++
	return h.tick
}

// Promise says what a topic promises, before it is used.
func (h *History) Promise(topic string, p Promise) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Promises[topic] = p
}

// Outlasts tells whether a topic promises that a crash of all machines takes nothing.
func (h *History) Outlasts(topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Promises[topic].Outlasts
}

// Begin enters an attempt, before it is made. End completes it.
func (h *History) Begin(s *Send) {
	h.add(func() { s.Begun = h.tick; s.Ended = never; h.Sends = append(h.Sends, s) })
}

// never is when what has no answer ends.
const never = Tick(1 << 60)

// End completes an attempt. Of one without an answer Ended stays open.
func (h *History) End(s *Send, outcome Outcome, base int64, why string) {
	h.add(func() {
		s.Outcome, s.Base, s.Why = outcome, base, why
		if outcome != Unknown {
			s.Ended = h.tick
		}
	})
}

// BeginCut and EndCut are the same for a Cut.
func (h *History) BeginCut(c *Cut) {
	h.add(func() { c.Begun = h.tick; c.Ended = never; h.Cuts = append(h.Cuts, c) })
}

// EndCut completes a cut.
func (h *History) EndCut(c *Cut, outcome Outcome) {
	h.add(func() { c.Outcome, c.Ended = outcome, h.tick })
}

// Fault enters a fault at the moment that it happens.
func (h *History) Fault(kind FaultKind) {
	h.add(func() { h.Faults = append(h.Faults, Fault{At: h.tick, Kind: kind}) })
}

// FaultOf is Fault for one that may have taken records of some partitions only.
func (h *History) FaultOf(kind FaultKind, only map[Partition]bool) {
	h.add(func() { h.Faults = append(h.Faults, Fault{At: h.tick, Kind: kind, Only: only}) })
}

// Fetch enters what one fetch that began at a tick has read.
func (h *History) Fetch(begun Tick, m Mark, reads []Read) {
	h.add(func() {
		span := Span{begun, h.tick}
		m.Span = span
		h.Marks = append(h.Marks, m)
		for _, r := range reads {
			r.Span = span
			h.Reads = append(h.Reads, r)
		}
	})
}

// Finally enters what a partition holds in the end.
func (h *History) Finally(f Final) {
	h.add(func() {
		for i := range f.Reads {
			f.Reads[i].Span = Span{h.tick, h.tick}
		}
		h.Finals = append(h.Finals, f)
	})
}

func (h *History) add(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tick++
	do()
}

// loses tells whether a fault of these kinds hit a partition after a tick and before another.
func (h *History) loses(p Partition, after, before Tick, kinds ...FaultKind) bool {
	return slices.ContainsFunc(h.Faults, func(f Fault) bool {
		return f.At > after && f.At < before && slices.Contains(kinds, f.Kind) && f.hits(p)
	})
}

// losesGroups is loses for what coordinators of groups know.
func (h *History) losesGroups(after, before Tick, kinds ...FaultKind) bool {
	return slices.ContainsFunc(h.Faults, func(f Fault) bool {
		return f.At > after && f.At < before && slices.Contains(kinds, f.Kind) && f.hitsGroups()
	})
}

// promised tells whether an answer to an attempt says that its records stay.
func (h *History) promised(s *Send) bool {
	return s.Outcome == Done && (s.Acks == -1 || s.Acks == 1 && !h.Cluster)
}

// All runs every checker.
func All(h *History) []error {
	var found []error
	for _, checker := range []func(*History) []error{
		NothingLost, NothingInvented, OffsetsNotReused, InOrder, NoDuplicates, SequencesHold, MarksRise,
		OneOwner, GenerationsRise, CommitsStay,
	} {
		found = append(found, checker(h)...)
	}
	return found
}
