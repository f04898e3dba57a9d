package main

import (
	"sync"
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
	stop := make(chan struct{})
	failed := make(chan error, smallConnections)
	var group sync.WaitGroup
	for i := range smallConnections {
		group.Go(func() {
			if err := sendSmall(n.address(), int32(i%smallPartitions), &acked, stop); err != nil {
				failed <- err
			}
		})
	}
	time.Sleep(smallWarmUp)
	count := acked.Load()
	cpu, err := cpuTime(n.cmd.Process.Pid)
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
	close(stop)
	group.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
	}
	resident, err := residentMiB(n.cmd.Process.Pid)
	return figures{
		"requests/s":                   float64(done) / took.Seconds(),
		"broker CPU-s per million":     (after - cpu).Seconds() / float64(done) * 1e6,
		"resident after the load, MiB": resident,
	}, err
}

func sendSmall(address string, partition int32, acked *atomic.Int64, stop <-chan struct{}) error {
	c, err := dial(address)
	if err != nil {
		return err
	}
	defer c.close()
	frame := produceFrame(loadTopic, partition, make([]byte, smallValue))
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := c.roundTrip(frame, len(loadTopic)); err != nil {
			return err
		}
		acked.Add(1)
	}
}
