package storage

import (
	"fmt"
	"slices"
	"sort"
	"strconv"

	"barnabas/internal/record"
)

// epochStart says that a leader's epoch begins at an offset.
type epochStart struct {
	epoch record.Epoch
	start record.Offset
}

// leaderEpochs is where the epochs of a log begin, epochs and offsets both ascending. It is
// immutable: a change makes another, so that readers need no lock.
type leaderEpochs []epochStart

// latest is the last epoch, or NoEpoch.
func (es leaderEpochs) latest() record.Epoch {
	if len(es) == 0 {
		return record.NoEpoch
	}
	return es[len(es)-1].epoch
}

// assign notes that an epoch begins at an offset. Entries that this contradicts, of a later epoch or a
// later start, go; an epoch that is there already keeps its earlier start.
func (es leaderEpochs) assign(epoch record.Epoch, start record.Offset) leaderEpochs {
	if epoch < 0 || start < 0 {
		return es
	}
	n := len(es)
	for n > 0 && (es[n-1].epoch > epoch || es[n-1].start > start ||
		es[n-1].start == start && es[n-1].epoch < epoch) {
		n--
	}
	if n > 0 && es[n-1].epoch == epoch {
		return es[:n:n]
	}
	return append(es[:n:n], epochStart{epoch, start})
}

// confirm makes the epochs agree with a batch that is there, whatever a crash has left of the file: what they say of the
// batch's offsets, and what can't be before or after it, goes.
func (es leaderEpochs) confirm(epoch record.Epoch, base, last record.Offset) leaderEpochs {
	i := es.indexAt(last)
	if epoch < 0 || i >= 0 && es[i].epoch == epoch && es[i].start <= base {
		return es
	}
	var before, after leaderEpochs
	for _, e := range es {
		switch {
		case e.start <= base && e.epoch <= epoch:
			before = append(before, e)
		case e.start > last && e.epoch > epoch:
			after = append(after, e)
		}
	}
	return append(before.assign(epoch, base), after...)
}

// truncateEnd drops the epochs that begin at or after the end.
func (es leaderEpochs) truncateEnd(end record.Offset) leaderEpochs {
	n := sort.Search(len(es), func(i int) bool { return es[i].start >= end })
	return es[:n:n]
}

// truncateStart makes the epoch that the first offset belongs to begin there, and drops those before
// it.
func (es leaderEpochs) truncateStart(start record.Offset) leaderEpochs {
	i := es.indexAt(start)
	if i < 0 || i == 0 && es[0].start == start {
		return es
	}
	rest := slices.Clone(es[i:])
	rest[0].start = max(rest[0].start, start)
	return rest
}

// indexAt is the index of the epoch that an offset belongs to, -1 for none.
func (es leaderEpochs) indexAt(o record.Offset) int {
	return sort.Search(len(es), func(i int) bool { return es[i].start > o }) - 1
}

// at is the epoch that an offset belongs to.
func (es leaderEpochs) at(o record.Offset) record.Epoch {
	if i := es.indexAt(o); i >= 0 {
		return es[i].epoch
	}
	return record.NoEpoch
}

// end answers for a follower that has records of an epoch: which of ours compares with it, and where
// it ended (KIP-101, and KIP-279 for an epoch that is not ours).
func (es leaderEpochs) end(epoch record.Epoch, logEnd record.Offset) (record.Epoch, record.Offset) {
	if epoch < 0 || len(es) == 0 {
		return record.NoEpoch, -1
	}
	if epoch == es.latest() {
		return epoch, logEnd
	}
	next := sort.Search(len(es), func(i int) bool { return es[i].epoch > epoch })
	switch next {
	case len(es):
		return record.NoEpoch, -1 // later than any leader that we know
	case 0:
		return epoch, es[0].start // older than all: it ended before the first begins
	default:
		return es[next-1].epoch, es[next].start
	}
}

func parseLeaderEpochs(data []byte) (leaderEpochs, error) {
	es := leaderEpochs{}
	err := parseCheckpoint(data, func(fields []string) error {
		if len(fields) != 2 {
			return errMalformed
		}
		epoch, err := strconv.ParseInt(fields[0], 10, 32)
		if err != nil {
			return err
		}
		start, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return err
		}
		es = es.assign(record.Epoch(epoch), record.Offset(start))
		return nil
	})
	return es, err
}

func (es leaderEpochs) encode() []byte {
	buf := fmt.Appendf(nil, "%d\n%d\n", checkpointVersion, len(es))
	for _, e := range es {
		buf = fmt.Appendf(buf, "%d %d\n", e.epoch, e.start)
	}
	return buf
}
