package numbers

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Verdict is what reading a topic from its beginning to its end has shown.
type Verdict struct {
	Acked, Read int
	// Lost were acknowledged and are not there. Duplicated are there more than once. Reordered come after a number
	// of the same partition that was sent later. Displaced are at another offset than their producer was told.
	Lost, Duplicated, Reordered, Displaced int
	// Examples name the first few, and what could not be read.
	Examples []string
}

// Clean tells that nothing is wrong.
func (v *Verdict) Clean() bool {
	return v.Lost == 0 && v.Duplicated == 0 && v.Reordered == 0 && v.Displaced == 0
}

// quiet is how long a read waits for more of a partition whose last offsets may hold nothing.
const quiet = 10 * time.Second

// Verify reads the whole topic and compares it with what was sent. What can't be read until ctx ends is lost.
func Verify(ctx context.Context, target Target, topic string, sent *Sent) (*Verdict, error) {
	c := newChecker(sent)
	client, err := target.Client()
	if err != nil {
		return nil, err
	}
	bounds, err := findBounds(ctx, kadm.NewClient(client), topic, sent.ends())
	client.Close()
	if err != nil {
		return c.verdict(), fmt.Errorf("ends of topic %s: %w", topic, err)
	}
	from := map[int32]kgo.Offset{}
	for partition, b := range bounds {
		if b.start < b.end {
			from[partition] = kgo.NewOffset().At(b.start)
		}
	}
	if len(from) == 0 {
		return c.verdict(), nil
	}
	reader, err := target.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	for len(from) > 0 {
		within, cancel := context.WithTimeout(ctx, quiet)
		fetches := reader.PollFetches(within)
		cancel()
		fetches.EachRecord(func(r *kgo.Record) {
			c.see(r.Partition, r.Offset, r.Value)
			if r.Offset+1 >= bounds[r.Partition].end {
				delete(from, r.Partition)
			}
		})
		if fetches.NumRecords() == 0 {
			for partition := range from {
				c.say("partition %d: nothing more came before its end at %d", partition, bounds[partition].end)
			}
			break
		}
	}
	return c.verdict(), ctx.Err()
}

type bound struct{ start, end int64 }

// believed is for how long an answer is not believed that is less than what was acknowledged. A broker that led and was
// away says what it knew, for a moment, until it has heard that others lead; Kafka's do so too.
const believed = 10 * time.Second

// findBounds asks for the first and last offsets until every partition has told them, and they are not less than what
// was acknowledged, or said again and again.
func findBounds(ctx context.Context, admin *kadm.Client, topic string, acked map[int32]int64) (map[int32]bound, error) {
	for began := time.Now(); ; {
		bounds, err := askBounds(ctx, admin, topic)
		if err == nil && (covers(bounds, acked) || time.Since(began) > believed) {
			return bounds, nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				return bounds, nil
			}
			return nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// covers tells whether all that was acknowledged lies within the bounds.
func covers(bounds map[int32]bound, acked map[int32]int64) bool {
	for partition, end := range acked {
		if bounds[partition].end < end {
			return false
		}
	}
	return true
}

// ends are the offsets after the last ones that were acknowledged.
func (s *Sent) ends() map[int32]int64 {
	ends := map[int32]int64{}
	for _, place := range s.Places {
		if place.Offset >= 0 {
			ends[place.Partition] = max(ends[place.Partition], place.Offset+1)
		}
	}
	return ends
}

func askBounds(ctx context.Context, admin *kadm.Client, topic string) (map[int32]bound, error) {
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, err
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	bounds := map[int32]bound{}
	ends.Each(func(o kadm.ListedOffset) {
		start, _ := starts.Lookup(topic, o.Partition)
		bounds[o.Partition] = bound{start.Offset, o.Offset}
	})
	if len(bounds) == 0 {
		return nil, fmt.Errorf("no partition of topic %s is known", topic)
	}
	return bounds, nil
}

// checker compares records, in the order in which they are read, with what was sent.
type checker struct {
	sent   *Sent
	seen   []uint8
	newest map[int32]int
	out    Verdict
}

func newChecker(sent *Sent) *checker {
	return &checker{sent: sent, seen: make([]uint8, len(sent.Places)), newest: map[int32]int{}, out: Verdict{Acked: sent.Acked}}
}

// see takes one record of a partition.
func (c *checker) see(partition int32, offset int64, value []byte) {
	c.out.Read++
	n := -1
	if len(value) >= 8 {
		n = int(binary.BigEndian.Uint64(value))
	}
	if n < 0 || n >= len(c.seen) {
		c.out.Displaced++
		c.say("partition %d, offset %d: no record of this load", partition, offset)
		return
	}
	place := c.sent.Places[n]
	switch newest, known := c.newest[partition]; {
	case c.seen[n] > 0:
		c.out.Duplicated++
		c.say("number %d is there again at %d-%d", n, partition, offset)
	case known && n < newest:
		c.out.Reordered++
		c.say("number %d comes after %d in partition %d", n, newest, partition)
	case place.Offset >= 0 && (place.Offset != offset || place.Partition != partition):
		c.out.Displaced++
		c.say("number %d is at %d-%d, its producer was told %d-%d", n, partition, offset, place.Partition, place.Offset)
	}
	c.newest[partition] = max(c.newest[partition], n)
	if c.seen[n] < 2 {
		c.seen[n]++
	}
}

func (c *checker) verdict() *Verdict {
	for n, place := range c.sent.Places {
		if place.Offset >= 0 && c.seen[n] == 0 {
			c.out.Lost++
			c.say("number %d is lost; it was acknowledged at %d-%d", n, place.Partition, place.Offset)
		}
	}
	return &c.out
}

// maxExamples bounds what a verdict tells by name.
const maxExamples = 8

func (c *checker) say(format string, args ...any) {
	if len(c.out.Examples) < maxExamples {
		c.out.Examples = append(c.out.Examples, fmt.Sprintf(format, args...))
	}
}
