package main

import (
	"os"
	"time"
)

// gauge takes the clock and the processor times at the beginning of what is measured.
type gauge struct {
	pids        []int
	begun       time.Time
	broker, own time.Duration
}

func startGauge(pids ...int) (*gauge, error) {
	g := &gauge{pids: pids}
	var err error
	if g.broker, err = cpuTime(pids...); err != nil {
		return nil, err
	}
	if g.own, err = cpuTime(os.Getpid()); err != nil {
		return nil, err
	}
	g.begun = time.Now()
	return g, nil
}

// spent is what was used since the beginning.
type spent struct{ wall, broker, own time.Duration }

func (g *gauge) stop() (spent, error) {
	s := spent{wall: time.Since(g.begun)}
	broker, err := cpuTime(g.pids...)
	if err != nil {
		return s, err
	}
	own, err := cpuTime(os.Getpid())
	s.broker, s.own = broker-g.broker, own-g.own
	return s, err
}

// volume are the figures of so many records in so many bytes.
func (s spent) volume(records, bytes float64) figures {
	return figures{
		"records/s":                   records / s.wall.Seconds(),
		"MB/s":                        bytes / 1e6 / s.wall.Seconds(),
		"broker CPU-s per GB":         s.broker.Seconds() / bytes * 1e9,
		"broker CPU-s per million":    s.broker.Seconds() / records * 1e6,
		"generator CPU-s per GB":      s.own.Seconds() / bytes * 1e9,
		"broker's core, % of it busy": 100 * s.broker.Seconds() / s.wall.Seconds(),
	}
}
