package group

import (
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"

	"barnabas/internal/metrics"
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

const (
	// maxScrapeOffsets bounds the offsets of one partition of Topic that a scrape copies.
	maxScrapeOffsets = 20_000
	// scrapeTimeout bounds how long a scrape waits for the machines.
	scrapeTimeout = time.Second
)

// AppendGroups appends the state of the groups that this broker coordinates; it is a metrics.GroupSource.
// Partitions of Topic that are loading are left out, and offsets beyond maxScrapeOffsets.
func (g *Groups) AppendGroups(list []metrics.Group) []metrics.Group {
	copied := make(chan []any, 1)
	g.each(
		func(m *machine) any { return m.appendGroups(nil) },
		func(answers []any, _ error) { copied <- answers })
	select {
	case answers := <-copied:
		for _, answer := range answers {
			list = append(list, answer.([]metrics.Group)...)
		}
	case <-time.After(scrapeTimeout):
		g.logger.Warn("groups are missing from a scrape: a coordinator does not answer")
		return list
	}
	for i := range list {
		for j := range list[i].Offsets {
			o := &list[i].Offsets[j]
			o.End = g.endOffset(o.Topic, o.Partition)
		}
	}
	return list
}

func (m *machine) appendGroups(list []metrics.Group) []metrics.Group {
	left := maxScrapeOffsets
	for _, g := range m.groups {
		one := metrics.Group{Name: g.id, State: g.state.String(), Members: len(g.members)}
		for topic, partitions := range g.offsets {
			for p, o := range partitions {
				if left == 0 {
					break
				}
				left--
				one.Offsets = append(one.Offsets,
					metrics.GroupOffset{Topic: topic, Partition: p, Committed: o.offset, End: -1})
			}
		}
		list = append(list, one)
	}
	return list
}

// newUUID is a random identity as Java's UUID prints it.
func newUUID() string {
	var id [16]byte
	rand.Read(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
