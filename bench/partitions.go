package main

import (
	"fmt"
	"time"
)

const (
	manyTopics     = 10
	manyPartitions = 1000 // of each topic
)

// measurePartitions is what 10,000 idle partitions take, in memory and in time.
func measurePartitions(s system) (figures, error) {
	n, err := ready(s, 1)
	if err != nil {
		return nil, err
	}
	defer n.close()
	time.Sleep(settleFor)
	empty, err := residentMiB(n.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := n.createMany(); err != nil {
		return nil, err
	}
	created := time.Since(begun)
	time.Sleep(settleFor)
	full, err := residentMiB(n.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	n.kill()
	begun = time.Now()
	if err := n.exec(); err != nil {
		return nil, err
	}
	err = n.firstAck()
	return figures{
		"memory for each, KiB":        (full - empty) * 1024 / (manyTopics * manyPartitions),
		"to create them, s":           created.Seconds(),
		"to restart after kill -9, s": time.Since(begun).Seconds(),
	}, err
}

// createMany makes the topics one after another, and waits until the last one takes records.
func (n *node) createMany() error {
	c, err := dial(n.address())
	if err != nil {
		return err
	}
	defer c.close()
	name := ""
	for i := range manyTopics {
		name = fmt.Sprintf("many-%d", i)
		if err := c.createTopic(name, manyPartitions); err != nil {
			return err
		}
	}
	return c.produceWithin(time.Now().Add(startDeadline), name, manyPartitions-1)
}
