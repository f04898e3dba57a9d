package numbers

import "encoding/binary"

// Read is a record that somebody has read.
type Read struct {
	Partition int32
	Offset    int64
	Number    uint64
}

// Judge compares what somebody has read, in that order, with what was sent.
func Judge(sent *Sent, reads []Read) *Verdict {
	c := newChecker(sent)
	for _, r := range reads {
		c.see(r.Partition, r.Offset, binary.BigEndian.AppendUint64(nil, r.Number))
	}
	return c.verdict()
}
