package storage

import (
	"errors"
	"io"
	"math"

	"barnabas/internal/record"
)

// recallEntries is how far back in the index a producer's batches before its last one are looked for: 128 KiB of small
// batches, or as many large ones.
const recallEntries = 32

// recallBatches has the producers' batches before their last ones remembered that stand before the snapshot's end. A snapshot
// has the last one only, as Kafka writes it; but a producer that had several on their way when all brokers stopped sends the
// first of them again, and if that were not recognised it would begin anew and have all of them stored twice. The caller
// holds mu, and has just loaded a snapshot.
func (l *Log) recallBatches() error {
	end, list := l.producers.end, l.list()
	at := segmentAt(list, end-1)
	if len(l.producers.producers) == 0 || at < 0 {
		return nil
	}
	last, n := at, recallEntries
	for ; at > 0 && list[at].offsets.count() < n; at-- {
		n -= list[at].offsets.count()
	}
	earlier := map[record.ProducerID]*producerEntry{}
	for _, s := range list[at : last+1] {
		if err := l.recallFrom(s, n, end, earlier); err != nil {
			return err
		}
		n = math.MaxInt32 // of the next one all
	}
	for id, before := range earlier {
		known := l.producers.producers[id]
		before.remember(known.sent[known.count-1])
		known.sent, known.count = before.sent, before.count
	}
	return nil
}

// recallFrom gathers the batches of a segment's last n index entries that stand before end and before their producers' last ones.
func (l *Log) recallFrom(s *segment, n int, end record.Offset, earlier map[record.ProducerID]*producerEntry) error {
	from, err := s.offsets.fromEnd(n)
	if err != nil {
		return err
	}
	h, err := s.records.pin()
	if err != nil {
		return err
	}
	defer h.unpin()
	walk := walkHeaders(h, int64(from.position), s.size.Load())
	defer walk.close()
	for {
		b, _, err := walk.next()
		if errors.Is(err, io.EOF) || err == nil && b.BaseOffset() >= end {
			return nil
		}
		if err != nil {
			return err
		}
		known := l.producers.producers[b.ProducerID()]
		if known == nil || b.IsControl() || b.ProducerEpoch() != known.epoch || b.LastOffset() >= known.lastOffset() {
			continue
		}
		if earlier[known.id] == nil {
			earlier[known.id] = &producerEntry{}
		}
		earlier[known.id].remember(sentOf(b))
	}
}

// fromEnd is the entry that so many others follow, the zero entry if there are not so many.
func (x *offsetIndex) fromEnd(n int) (offsetEntry, error) {
	t := x.tail.Load()
	i := x.count() - 1 - n
	switch {
	case i < 0:
		return offsetEntry{}, nil
	case i >= t.stored:
		return t.added()[i-t.stored], nil
	}
	h, err := x.pin()
	if err != nil {
		return offsetEntry{}, err
	}
	defer h.unpin()
	return readOffsetEntry(h, i)
}
