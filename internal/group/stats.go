package group

import (
	"crypto/rand"
	"fmt"
	"sync/atomic"
)

// Counters count what happened since the start.
type Counters struct {
	Commits       atomic.Int64 // offsets committed
	Expirations   atomic.Int64 // offsets expired
	Deletions     atomic.Int64 // offsets deleted by request
	Rebalances    atomic.Int64 // generations that became stable
	GroupsExpired atomic.Int64 // groups removed because nothing was left of them
}

// Counters are the room's, to be read by metrics.
func (g *Groups) Counters() *Counters { return &g.counters }

// GroupStats is one group at the time of a Snapshot.
type GroupStats struct {
	Group      string
	State      string
	Members    int
	Generation int32
	Offsets    []OffsetStats
}

// OffsetStats is an offset that a group has committed; the lag is the partition's end less Offset.
type OffsetStats struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Snapshot is what metrics read at a scrape.
type Snapshot struct {
	Groups []GroupStats
	// Total counts all groups and offsets, of which Groups may leave out some.
	Total struct{ Groups, Members, Offsets int }
	// States counts the groups by state.
	States map[string]int
}

// Snapshot copies the groups that this broker coordinates, with no more than maxOffsets offsets in all
// for each partition of Topic. Partitions that are loading are left out.
func (g *Groups) Snapshot(maxOffsets int, done func(Snapshot)) {
	g.each(
		func(m *machine) any { return m.snapshot(maxOffsets) },
		func(answers []any, _ error) {
			all := Snapshot{States: map[string]int{}}
			for _, answer := range answers {
				all.merge(answer.(Snapshot))
			}
			done(all)
		})
}

func (sn *Snapshot) merge(o Snapshot) {
	sn.Groups = append(sn.Groups, o.Groups...)
	sn.Total.Groups += o.Total.Groups
	sn.Total.Members += o.Total.Members
	sn.Total.Offsets += o.Total.Offsets
	for state, n := range o.States {
		sn.States[state] += n
	}
}

func (m *machine) snapshot(maxOffsets int) Snapshot {
	sn := Snapshot{States: map[string]int{}}
	for _, g := range m.groups {
		stats := GroupStats{
			Group:      g.id,
			State:      g.state.String(),
			Members:    len(g.members),
			Generation: g.generation,
		}
		sn.Total.Groups++
		sn.Total.Members += stats.Members
		sn.States[stats.State]++
		for topic, partitions := range g.offsets {
			sn.Total.Offsets += len(partitions)
			for p, o := range partitions {
				if maxOffsets > 0 {
					maxOffsets--
					stats.Offsets = append(stats.Offsets, OffsetStats{topic, p, o.offset})
				}
			}
		}
		sn.Groups = append(sn.Groups, stats)
	}
	return sn
}

// newUUID is a random identity as Java's UUID prints it.
func newUUID() string {
	var id [16]byte
	rand.Read(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
