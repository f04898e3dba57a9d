package numbers

import "time"

// Stalls are the longest times without an acknowledgement.
type Stalls struct {
	// All is without any acknowledgement at all, Partition without one of some partition.
	All, Partition time.Duration
	// Own is how long the load itself did not run: on a busy machine the others are no shorter.
	Own time.Duration
}

// Max takes the longer of each.
func (s Stalls) Max(o Stalls) Stalls {
	return Stalls{max(s.All, o.All), max(s.Partition, o.Partition), max(s.Own, o.Own)}
}

// stalls watch the acknowledgements.
type stalls struct {
	last      time.Time
	lastOf    []time.Time
	all, part time.Duration
	own       time.Duration
}

func newStalls(partitions int32, now time.Time) stalls {
	s := stalls{last: now, lastOf: make([]time.Time, partitions)}
	for i := range s.lastOf {
		s.lastOf[i] = now
	}
	return s
}

func (s *stalls) acknowledged(partition int32, now time.Time) {
	s.all = max(s.all, now.Sub(s.last))
	s.part = max(s.part, now.Sub(s.lastOf[partition]))
	s.last, s.lastOf[partition] = now, now
}

func (s *stalls) mark() { s.all, s.part, s.own = 0, 0, 0 }

func (s *stalls) until(now time.Time) Stalls {
	out := Stalls{max(s.all, now.Sub(s.last)), s.part, s.own}
	for _, last := range s.lastOf {
		out.Partition = max(out.Partition, now.Sub(last))
	}
	return out
}
