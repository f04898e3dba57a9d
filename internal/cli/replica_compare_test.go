package cli

import (
	"slices"
	"testing"
	"time"
)

func TestReplicasAreCompared(t *testing.T) {
	batches := func(first, count int64, checksum uint32) (b []comparedBatch) {
		for n := first; n < first+count; n++ {
			b = append(b, comparedBatch{last: n, next: n + 1, checksum: checksum})
		}
		return b
	}
	for _, c := range []struct {
		name  string
		read  map[int32]replicaData
		next  int64
		lines []string
		apart bool
	}{
		{"all the same", map[int32]replicaData{1: {batches(0, 3, 7), 3}, 2: {batches(0, 3, 7), 3}}, 3, nil, false},
		{"one is behind", map[int32]replicaData{1: {batches(0, 3, 7), 3}, 2: {batches(0, 2, 7), 2}}, 2, nil, false},
		{"one does not show all", map[int32]replicaData{1: {batches(0, 3, 7), 3}, 2: {batches(0, 3, 7), 1}}, 1, nil, false},
		{"one is silent", map[int32]replicaData{1: {batches(0, 3, 7), 3}}, 0, nil, false},
		{"other bytes", map[int32]replicaData{1: {batches(0, 1, 7), 1}, 2: {batches(0, 1, 8), 1}}, 1,
			[]string{"now: partition t-0 has unmatched checksum at offset 0; replica 1's checksum 7; replica 2's checksum 8"}, false},
		{"other offsets", map[int32]replicaData{1: {batches(0, 1, 7), 9}, 2: {batches(1, 1, 7), 9}}, 0,
			[]string{"now: partition t-0: replica 1's offset 0 doesn't match replica 2's offset 1"}, true},
	} {
		p := &comparedPartition{name: partitionName{"t", 0}, replicas: []int32{1, 2}}
		lines, apart := p.compare(c.read, "now")
		if !slices.Equal(lines, c.lines) || apart != c.apart || p.next != c.next {
			t.Errorf("%s: next %d, apart %v, %q", c.name, p.next, apart, lines)
		}
	}
}

func TestReportOfTheLargestLag(t *testing.T) {
	r := replicaReports{interval: time.Second, last: time.Unix(100, 0)}
	round := func(at time.Time) string {
		r.note(&comparedPartition{name: partitionName{"a", 0}, next: 5}, map[int32]replicaData{1: {nil, 7}})
		r.note(&comparedPartition{name: partitionName{"b", 1}, next: 2}, map[int32]replicaData{1: {nil, 3}, 2: {nil, 9}})
		return r.line(at, 2)
	}
	if line := round(time.Unix(101, 0)); line != "" {
		t.Errorf("too early: %q", line)
	}
	at := time.Unix(102, 5_000_000)
	if line, want := round(at), javaTime(at)+": max lag is 7 for partition b-1 at offset 2 among 2 partitions"; line != want {
		t.Errorf("%q, want %q", line, want)
	}
	if line := round(at); line != "" {
		t.Errorf("said twice: %q", line)
	}
}
