package main

import (
	"fmt"
	"sync"
	"time"
)

const (
	streamPartitions  = 12
	streamConnections = 4
	streamWindow      = 3       // requests of a connection that are under way
	batchBytes        = 1 << 20 // of a batch, at most
	warmValue         = 100
)

// producedBytes is what a round writes. It fits in the page cache several times over, and is a few seconds' work.
const producedBytes = 2 << 30

// measureProduce sends prepared frames as fast as they are acknowledged.
func measureProduce(valueSize int) func(system) (figures, error) {
	return func(s system) (figures, error) {
		n, err := ready(s, streamPartitions)
		if err != nil {
			return nil, err
		}
		defer n.close()
		return n.produceAll(valueSize)
	}
}

// produceAll warms up, and measures a round's volume.
func (n *node) produceAll(valueSize int) (figures, error) {
	warm := newStream(loadTopic, warmValue)
	if err := warm.run(n.oneAddress, scaled(n.system.warmUp())/warm.records); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	if err := touchCache(n.dir, scaled(producedBytes)); err != nil {
		return nil, err
	}
	load := newStream(loadTopic, valueSize)
	used, err := load.measure(n.oneAddress, scaled(producedBytes), n.pid())
	if err != nil {
		return nil, err
	}
	f := used.volume(load.volume())
	f["resident after the load, MiB"], err = residentMiB(n.pid())
	return f, err
}

func (n *node) oneAddress(int32) string { return n.address() }

// stream is a load of prepared frames, a batch in each.
type stream struct {
	topic   string
	records int      // in a batch
	batch   int      // a batch's bytes
	frames  [][]byte // one for each partition
	sent    int      // of them, in all
}

func newStream(topic string, valueSize int) *stream {
	s := &stream{topic: topic, records: recordsIn(batchBytes, valueSize)}
	value := make([]byte, valueSize)
	for i := range value {
		value[i] = byte('a' + i%26)
	}
	s.batch = len(batch(value, s.records))
	for partition := range int32(streamPartitions) {
		s.frames = append(s.frames, produceFrame(topic, partition, value, s.records))
	}
	return s
}

// volume is how many records and how many bytes of frames were sent in all.
func (s *stream) volume() (records, bytes float64) {
	return float64(s.sent) * float64(s.records), float64(s.sent) * float64(len(s.frames[0]))
}

// measure sends so many bytes, and takes the processes' time for it.
func (s *stream) measure(leader func(int32) string, bytes int, pids ...int) (spent, error) {
	g, err := startGauge(pids...)
	if err != nil {
		return spent{}, err
	}
	if err := s.run(leader, bytes/len(s.frames[0])); err != nil {
		return spent{}, err
	}
	return g.stop()
}

// run sends so many frames, as many to each partition, over a few connections, each with its own partitions and a window of requests under way.
// leader tells where a partition is led; a connection goes to one place, so its partitions are led by one broker.
func (s *stream) run(leader func(int32) string, frames int) error {
	lanes := s.lanes(leader)
	each := max(1, (frames+len(s.frames)-1)/len(s.frames)) // of every partition
	errs := make(chan error, len(lanes))
	for _, l := range lanes {
		go func() { errs <- l.run(each*len(l.frames), s.topic) }()
	}
	var first error
	for range lanes {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	s.sent += each * len(s.frames)
	return first
}

// lane is what one connection sends.
type lane struct {
	address string
	frames  [][]byte
}

// lanes deals the partitions of each leader to its connections, in turn.
func (s *stream) lanes(leader func(int32) string) []*lane {
	dealt := map[string]int{} // so many partitions of a leader
	lanes := map[string][]*lane{}
	var all []*lane
	for partition, frame := range s.frames {
		at := leader(int32(partition))
		if dealt[at] < streamConnections {
			l := &lane{address: at}
			lanes[at], all = append(lanes[at], l), append(all, l)
		}
		l := lanes[at][dealt[at]%streamConnections]
		l.frames = append(l.frames, frame)
		dealt[at]++
	}
	return all
}

// run sends so many frames, in turn, and waits for the last answer.
func (l *lane) run(count int, topic string) error {
	c, err := dial(l.address)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.SetDeadline(time.Now().Add(streamDeadline)); err != nil {
		return err
	}
	window := make(chan struct{}, streamWindow)
	var failed error
	var reading sync.WaitGroup
	reading.Go(func() {
		for range count {
			body, err := c.reply()
			if err == nil && len(body) > sizeBytes { // the limit acknowledges with eight bytes
				err = produceError(body, len(topic))
			}
			if err != nil {
				failed = err
				c.close()
			}
			<-window
			if err != nil {
				return
			}
		}
	})
	for i := range count {
		window <- struct{}{}
		if _, err = c.Write(l.frames[i%len(l.frames)]); err != nil {
			break
		}
	}
	reading.Wait()
	if failed != nil {
		return failed
	}
	return err
}

// streamDeadline bounds a round.
const streamDeadline = 4 * time.Minute
