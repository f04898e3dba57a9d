package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// compare measures builds of Barnabas against each other, and the limit where it is named, in slices of a second that take
// turns for as long as asked: a machine that others use changes slower than that. All run all the time, but only one is under load.
//
//	go run ./bench -compare old/barnabas,new/barnabas,limit -case small -slices 20
func compare(programs string, c string, slicesEach int) error {
	if c == "idle3" {
		return compareIdle(programs, slicesEach)
	}
	load, known := comparisons[c]
	if !known {
		return fmt.Errorf("%q can't be compared; small, produce1k, produce100, fetch, groups and idle3 can", c)
	}
	var all []*compared
	defer func() {
		for _, one := range all {
			one.close()
		}
	}()
	for program := range strings.SplitSeq(programs, ",") {
		one := &compared{name: filepath.Base(program)}
		var s system = barnabas{binary: program}
		if program == nameLimit {
			s = limit{}
		}
		n, err := ready(s, streamPartitions)
		if err != nil {
			return err
		}
		one.node = n
		all = append(all, one)
		if one.slice, err = load(n); err != nil {
			return err
		}
		if _, err := one.slice(); err != nil { // warm
			return err
		}
	}
	for range slicesEach {
		for _, one := range all {
			cost, err := one.slice()
			if err != nil {
				return err
			}
			one.costs = append(one.costs, cost)
		}
	}
	for _, one := range all {
		slices.Sort(one.costs)
		least, quarter, middle := one.costs[0], one.costs[len(one.costs)/4], median(one.costs)
		fmt.Printf("%-16s least %-8s quarter %-8s median %-8s to the first: %.3f\n", one.name, short(least), short(quarter), short(middle),
			quarter/all[0].costs[len(all[0].costs)/4])
	}
	return nil
}

type compared struct {
	*node
	name  string
	slice func() (cost float64, err error)
	costs []float64
}

const sliceFor = time.Second

// comparisons ready a load, and return what puts a slice of it on the node and tells the processor time of the broker for
// a million requests, or for a GB.
var comparisons = map[string]func(*node) (func() (float64, error), error){
	"small": func(n *node) (func() (float64, error), error) {
		return func() (float64, error) { return n.smallSlice() }, nil
	},
	"produce1k":  func(n *node) (func() (float64, error), error) { return n.streamSlice(1024), nil },
	"produce100": func(n *node) (func() (float64, error), error) { return n.streamSlice(100), nil },
	"groups": func(n *node) (func() (float64, error), error) { // of two builds with -scale 0.9: each connection takes two descriptors
		l, err := n.joinGroups()
		if err != nil {
			return nil, err
		}
		return l.slice, nil
	},
	"fetch": func(n *node) (func() (float64, error), error) {
		load := newStream(loadTopic, fetchValue)
		if err := load.run(n.oneAddress, scaled(storedBytes)/2/len(load.frames[0])); err != nil {
			return nil, err
		}
		return func() (float64, error) {
			used, bytes, err := n.fetchSlice(load)
			return used.broker.Seconds() / bytes * 1e9, err
		}, nil
	},
}

func (n *node) smallSlice() (float64, error) {
	var acked atomic.Int64
	p, err := newPoller(&acked)
	if err != nil {
		return 0, err
	}
	defer p.close()
	for i := range smallConnections {
		frame := produceFrame(loadTopic, int32(i%smallPartitions), make([]byte, smallValue), 1)
		if err := p.add(n.address(), frame, len(loadTopic)); err != nil {
			return 0, err
		}
	}
	stop, ended := make(chan struct{}), make(chan error, 1)
	g, err := startGauge(n.pid())
	if err != nil {
		return 0, err
	}
	go func() { ended <- p.run(stop) }()
	time.Sleep(sliceFor)
	used, err := g.stop()
	done := float64(acked.Load())
	close(stop)
	if failed := <-ended; failed != nil {
		err = failed
	}
	return used.broker.Seconds() / done * 1e6, err
}

// streamSliceBytes is about a third of a second's work on a quiet machine.
const streamSliceBytes = 512 << 20

func (n *node) streamSlice(value int) func() (float64, error) {
	load := newStream(loadTopic, value)
	return func() (float64, error) {
		if err := touchCache(n.dir, streamSliceBytes); err != nil {
			return 0, err
		}
		load.sent = 0
		used, err := load.measure(n.oneAddress, streamSliceBytes, n.pid())
		_, bytes := load.volume()
		return used.broker.Seconds() / bytes * 1e9, err
	}
}

func (n *node) fetchSlice(load *stream) (spent, float64, error) {
	r := &reading{node: n, load: load, perPartition: load.sent / streamPartitions}
	g, err := startGauge(n.pid())
	if err != nil {
		return spent{}, 0, err
	}
	read, err := r.run(2 << 30)
	if err != nil {
		return spent{}, 0, err
	}
	used, err := g.stop()
	return used, float64(read), err
}
