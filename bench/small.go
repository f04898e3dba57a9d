package main

import (
	"os"
	"sync/atomic"
	"time"
)

const (
	loadTopic        = "load"
	smallConnections = 64
	smallPartitions  = 12
	smallValue       = 100
	smallWarmUp      = 15 * time.Second // a JVM compiles its hot code meanwhile
	smallFor         = 10 * time.Second
)

// measureSmall drives the broker with 64 connections that each send one record, wait, and send the next.
func measureSmall(s system) (figures, error) {
	n, err := ready(s, smallPartitions)
	if err != nil {
		return nil, err
	}
	defer n.close()
	var acked atomic.Int64
	p, err := newPoller(&acked)
	if err != nil {
		return nil, err
	}
	defer p.close()
	if err := n.lead(smallPartitions); err != nil {
		return nil, err
	}
	for i := range smallConnections {
		frame := produceFrame(loadTopic, int32(i%smallPartitions), make([]byte, smallValue))
		if err := p.add(n.address(), frame, len(loadTopic)); err != nil {
			return nil, err
		}
	}
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- p.run(stop) }()
	time.Sleep(smallWarmUp)
	count := acked.Load()
	cpu, err := cpuTime(n.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	own, err := cpuTime(os.Getpid())
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	time.Sleep(smallFor)
	done := acked.Load() - count
	took := time.Since(begun)
	after, err := cpuTime(n.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	ownAfter, err := cpuTime(os.Getpid())
	if err != nil {
		return nil, err
	}
	close(stop)
	if err := <-ended; err != nil {
		return nil, err
	}
	resident, err := residentMiB(n.cmd.Process.Pid)
	return figures{
		"requests/s":                   float64(done) / took.Seconds(),
		"broker CPU-s per million":     (after - cpu).Seconds() / float64(done) * 1e6,
		"generator CPU-s per million":  (ownAfter - own).Seconds() / float64(done) * 1e6,
		"resident after the load, MiB": resident,
	}, err
}

// lead waits until every partition of the case takes records.
func (n *node) lead(partitions int32) error {
	c, err := dial(n.address())
	if err != nil {
		return err
	}
	defer c.close()
	for partition := range partitions {
		if err := c.produceWithin(time.Now().Add(startDeadline), loadTopic, partition); err != nil {
			return err
		}
	}
	return nil
}
