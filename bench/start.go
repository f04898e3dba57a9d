package main

import (
	"fmt"
	"time"
)

const (
	benchTopic = "bench"
	idleFor    = 20 * time.Second
	settleFor  = 5 * time.Second
	askAgain   = 2 * time.Millisecond
)

// measureStart times exec to the first acknowledged record, on an empty directory and again after kill -9 on its own.
func measureStart(s system) (figures, error) {
	n, err := launch(s)
	if err != nil {
		return nil, err
	}
	defer n.close()
	begun := time.Now()
	if err := n.firstAck(); err != nil {
		return nil, err
	}
	empty := time.Since(begun)
	n.kill()
	begun = time.Now()
	if err := n.exec(); err != nil {
		return nil, err
	}
	if err := n.firstAck(); err != nil {
		return nil, err
	}
	return figures{"empty directory, s": empty.Seconds(), "after kill -9, s": time.Since(begun).Seconds()}, nil
}

// firstAck tries until one record is acknowledged. It asks again every few milliseconds, so that a client's back-off
// does not stand in for the broker's start.
func (n *node) firstAck() error {
	deadline := time.Now().Add(startDeadline)
	for time.Now().Before(deadline) {
		conn, err := dial(n.address())
		if err == nil {
			err = conn.createTopic(benchTopic, 1)
		}
		if err == nil {
			err = conn.produceWithin(deadline, benchTopic, 0)
		}
		conn.close()
		if err == nil {
			return nil
		}
		time.Sleep(askAgain)
	}
	return fmt.Errorf("no record was acknowledged within %s; the log is %s", startDeadline, n.log.Name())
}

// produceWithin tries as long as the partition has no leader yet.
func (c *conn) produceWithin(deadline time.Time, topic string, partition int32) error {
	for {
		err := c.produce(topic, partition, []byte("first"))
		if _, refused := err.(kafkaError); !refused || time.Now().After(deadline) {
			return err
		}
		time.Sleep(askAgain)
	}
}

// ready starts the system with settings, waits for it and creates the topic of the case.
func ready(s system, partitions int32, settings ...string) (*node, error) {
	n, err := launch(s, settings...)
	if err != nil {
		return nil, err
	}
	if _, kafkas := s.(clustered); !kafkas {
		return n, n.awaitPort()
	}
	if err := n.firstAck(); err != nil {
		n.close()
		return nil, err
	}
	c, err := dial(n.address())
	if err == nil {
		err = c.createTopic(loadTopic, partitions)
	}
	c.close()
	if err == nil {
		err = n.lead(loadTopic, partitions)
	}
	if err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// awaitPort waits until a server that does not speak the protocol takes connections.
func (n *node) awaitPort() error {
	deadline := time.Now().Add(startDeadline)
	for time.Now().Before(deadline) {
		if c, err := dial(n.address()); err == nil {
			return c.Close()
		}
		time.Sleep(askAgain)
	}
	return fmt.Errorf("nobody listens on %s after %s; the log is %s", n.address(), startDeadline, n.log.Name())
}

// lead waits until every partition of the topic takes records.
func (n *node) lead(topic string, partitions int32) error {
	c, err := dial(n.address())
	if err != nil {
		return err
	}
	defer c.close()
	deadline := time.Now().Add(startDeadline)
	for partition := range partitions {
		if err := c.produceWithin(deadline, topic, partition); err != nil {
			return fmt.Errorf("partition %d: %w", partition, err)
		}
	}
	return nil
}
