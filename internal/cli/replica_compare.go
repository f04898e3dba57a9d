package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"barnabas/internal/record"
)

// comparedPartition is a partition whose replicas are compared: everything before next has been.
type comparedPartition struct {
	name     partitionName
	replicas []int32 // in the order of their numbers
	next     int64
}

// replicaData is what one replica has answered.
type replicaData struct {
	batches       []comparedBatch
	highWatermark int64
}

// comparedBatch is as much of a batch as is compared.
type comparedBatch struct {
	last, next int64
	checksum   uint32
}

// batchesIn are the whole batches of an answer, which may end with a part of one.
func batchesIn(bytes []byte) []comparedBatch {
	var found []comparedBatch
	for rest := bytes; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if err != nil {
			return found
		}
		found = append(found, comparedBatch{int64(b.LastOffset()), int64(b.NextOffset()), b.CRC()})
		rest = after
	}
	return found
}

// compare goes through what the replicas have answered, batch by batch, as far as all have it and show it. It returns what is to be
// said of differences; apart where the offsets differ, and nothing can be compared any more.
func (p *comparedPartition) compare(read map[int32]replicaData, now string) (lines []string, apart bool) {
	for i := 0; ; i++ {
		var first *comparedBatch
		var firstReplica int32
		everywhere := len(p.replicas) > 0
		for _, id := range p.replicas {
			data := read[id]
			if i >= len(data.batches) || data.batches[i].last >= data.highWatermark {
				everywhere = false
				continue
			}
			b := &data.batches[i]
			if first == nil {
				first, firstReplica = b, id
				continue
			}
			if b.last != first.last {
				return append(lines, fmt.Sprintf("%s: partition %s: replica %d's offset %d doesn't match replica %d's offset %d",
					now, p.name, firstReplica, first.last, id, b.last)), true
			}
			if b.checksum != first.checksum {
				lines = append(lines, fmt.Sprintf("%s: partition %s has unmatched checksum at offset %d; "+
					"replica %d's checksum %d; replica %d's checksum %d", now, p.name, b.last, firstReplica, first.checksum, id, b.checksum))
			}
		}
		if !everywhere {
			return lines, false
		}
		p.next = first.next
	}
}

// replicaReports says from time to time how far the comparison is behind.
type replicaReports struct {
	interval time.Duration
	last     time.Time
	maxLag   int64 // of this round
	at       int64
	name     *partitionName // nil before the first partition of a round
}

// note takes a partition of the round into account.
func (r *replicaReports) note(p *comparedPartition, read map[int32]replicaData) {
	highest := int64(-1)
	for _, data := range read {
		highest = max(highest, data.highWatermark)
	}
	if lag := highest - p.next; r.name == nil || lag > r.maxLag {
		r.maxLag, r.at, r.name = lag, p.next, &p.name
	}
}

// line ends a round; empty where nothing is to be said yet.
func (r *replicaReports) line(now time.Time, partitions int) string {
	defer func() { r.name = nil }()
	if now.Sub(r.last) <= r.interval || r.name == nil {
		return ""
	}
	r.last = now
	return fmt.Sprintf("%s: max lag is %d for partition %s at offset %d among %d partitions",
		javaTime(now), r.maxLag, *r.name, r.at, partitions)
}

func compareNames(a, b partitionName) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}
