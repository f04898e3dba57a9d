package main

import (
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
	return n.small(warmFor(s, smallWarmUp), scaledTime(smallFor))
}

// warmFor is how long a load runs before it is measured: a JVM has code to compile, others have caches to fill.
func warmFor(s system, jvm time.Duration) time.Duration {
	if s.warmUp() < warmJIT {
		jvm /= 5
	}
	return scaledTime(jvm)
}

func (n *node) small(warmUp, length time.Duration) (figures, error) {
	var acked atomic.Int64
	p, err := newPoller(&acked)
	if err != nil {
		return nil, err
	}
	defer p.close()
	for i := range smallConnections {
		frame := produceFrame(loadTopic, int32(i%smallPartitions), make([]byte, smallValue), 1)
		if err := p.add(n.address(), frame, len(loadTopic)); err != nil {
			return nil, err
		}
	}
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- p.run(stop) }()
	time.Sleep(warmUp)
	count := acked.Load()
	g, err := startGauge(n.pid())
	if err != nil {
		return nil, err
	}
	time.Sleep(length)
	done := float64(acked.Load() - count)
	used, err := g.stop()
	if err != nil {
		return nil, err
	}
	close(stop)
	if err := <-ended; err != nil {
		return nil, err
	}
	resident, err := residentMiB(n.pid())
	return figures{
		"requests/s":                   done / used.wall.Seconds(),
		"broker CPU-s per million":     used.broker.Seconds() / done * 1e6,
		"generator CPU-s per million":  used.own.Seconds() / done * 1e6,
		"broker's core, % of it busy":  100 * used.broker.Seconds() / used.wall.Seconds(),
		"resident after the load, MiB": resident,
	}, err
}
