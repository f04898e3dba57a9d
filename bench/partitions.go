package main

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	manyTopics  = 10
	recordsEach = 200 // partitions in one Produce request
	// restFor is how long a broker is left alone before what it holds is read: some seconds after a burst it gives back what only
	// that has needed (footprint.Rest).
	restFor = 10 * time.Second
)

// measurePartitions is what many partitions take, in memory and in time: to create and lead them, to write a record to
// each, and to start again with them.
func measurePartitions(total int) func(system) (figures, error) {
	return func(s system) (figures, error) {
		n, err := ready(s, 1)
		if err != nil {
			return nil, err
		}
		defer n.closeAndLeave()
		m := many{n, scaled(total) / manyTopics}
		time.Sleep(restFor)
		empty, err := residentMiB(n.pid())
		if err != nil {
			return nil, err
		}
		f := figures{}
		if err := m.time(f, "create and lead", m.create); err != nil {
			return nil, err
		}
		if err := m.time(f, "one record to each", m.writeAll); err != nil {
			return nil, err
		}
		time.Sleep(restFor)
		if f["resident, MiB"], err = residentMiB(n.pid()); err != nil {
			return nil, err
		}
		f["memory for each, KiB"] = (f["resident, MiB"] - empty) * 1024 / float64(m.partitions*manyTopics)
		return f, m.restarts(f)
	}
}

// many are topics with many partitions.
type many struct {
	*node
	partitions int // of each topic
}

func (m many) topic(i int) string { return fmt.Sprintf("many-%d", i) }

// time notes how long the work took, and the processor time that the broker spent on it.
func (m many) time(f figures, what string, work func() error) error {
	g, err := startGauge(m.pid())
	if err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	used, err := g.stop()
	f[what+", s"], f[what+", broker CPU-s"] = used.wall.Seconds(), used.broker.Seconds()
	return err
}

// create makes the topics one after another, and waits until every partition is led.
func (m many) create() error {
	c, err := dial(m.address())
	if err != nil {
		return err
	}
	defer c.close()
	for i := range manyTopics {
		if err := c.createTopic(m.topic(i), int32(m.partitions)); err != nil {
			return err
		}
	}
	for i := range manyTopics {
		if err := c.awaitLed(m.topic(i), m.partitions); err != nil {
			return err
		}
	}
	return nil
}

// awaitLed asks for metadata until every partition has a leader, as a client does.
func (c *conn) awaitLed(topic string, partitions int) error {
	request := kmsg.NewPtrMetadataRequest()
	request.Version = 8
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	request.Topics = append(request.Topics, t)
	asked := frame(request)
	for deadline := time.Now().Add(streamDeadline); time.Now().Before(deadline); time.Sleep(askAgain) {
		if _, err := c.Write(asked); err != nil {
			return err
		}
		body, err := c.longReply()
		if err != nil {
			return err
		}
		response := kmsg.NewPtrMetadataResponse()
		response.Version = request.Version
		if err := response.ReadFrom(body[4:]); err != nil {
			return err
		}
		led := 0
		for _, p := range response.Topics[0].Partitions {
			if p.ErrorCode == 0 && p.Leader >= 0 {
				led++
			}
		}
		if led == partitions {
			return nil
		}
	}
	return fmt.Errorf("not all partitions of %s are led after %s", topic, streamDeadline)
}

// writeAll sends one record to each partition, many partitions in a request, until all are acknowledged.
func (m many) writeAll() error {
	c, err := dial(m.address())
	if err != nil {
		return err
	}
	defer c.close()
	deadline := time.Now().Add(startDeadline)
	for i := range manyTopics {
		for first := 0; first < m.partitions; first += recordsEach {
			if err := c.writeEach(m.topic(i), first, min(first+recordsEach, m.partitions), deadline); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeEach sends a record to each partition from first to end, and those that were refused again.
func (c *conn) writeEach(topic string, first, end int, deadline time.Time) error {
	value := make([]byte, smallValue)
	left := make([]int32, 0, end-first)
	for partition := first; partition < end; partition++ {
		left = append(left, int32(partition))
	}
	for len(left) > 0 {
		request := kmsg.NewPtrProduceRequest()
		request.Version, request.Acks, request.TimeoutMillis = produceVersion, -1, ackTimeoutMs
		t := kmsg.NewProduceRequestTopic()
		t.Topic = topic
		for _, partition := range left {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition, p.Records = partition, batch(value, 1)
			t.Partitions = append(t.Partitions, p)
		}
		request.Topics = append(request.Topics, t)
		if _, err := c.Write(frame(request)); err != nil {
			return err
		}
		body, err := c.longReply()
		if err != nil {
			return err
		}
		response := kmsg.NewPtrProduceResponse()
		response.Version = produceVersion
		if err := response.ReadFrom(body[4:]); err != nil {
			return err
		}
		left = left[:0]
		var refused int16
		for _, p := range response.Topics[0].Partitions {
			if p.ErrorCode != 0 {
				left, refused = append(left, p.Partition), p.ErrorCode
			}
		}
		if len(left) > 0 && time.Now().After(deadline) {
			return fmt.Errorf("%d of the partitions from %d of %s take no record: %w", len(left), first, topic, kafkaError(refused))
		}
	}
	return nil
}

// restarts takes the times from exec to an acknowledged record in the last partition, after SIGTERM and after kill -9. A
// record was written to every partition before each.
func (m many) restarts(f figures) error {
	if err := m.timeStop(f, "stop"); err != nil {
		return err
	}
	if err := m.restart(f, "restart, clean"); err != nil {
		return err
	}
	if err := m.writeAll(); err != nil {
		return err
	}
	m.kill()
	if err := m.restart(f, "restart after kill -9"); err != nil {
		return err
	}
	return m.timeStop(f, "stop soon after that")
}

// timeStop stops the broker and notes what that took.
func (m many) timeStop(f figures, what string) error {
	before, err := cpuTime(m.pid())
	if err != nil {
		return err
	}
	stopped, err := m.stop()
	f[what+", s"] = stopped.Seconds()
	f[what+", broker CPU-s"] = (m.cmd.ProcessState.UserTime() + m.cmd.ProcessState.SystemTime() - before).Seconds()
	return err
}

// restart starts the broker, waits until it acknowledges a record and notes what that took.
func (m many) restart(f figures, what string) error {
	begun := time.Now()
	if err := m.exec(); err != nil {
		return err
	}
	if err := m.ackLast(begun.Add(2 * startDeadline)); err != nil {
		return err
	}
	f[what+", s"] = time.Since(begun).Seconds()
	used, err := cpuTime(m.pid())
	f[what+", broker CPU-s"] = used.Seconds()
	return err
}

// ackLast tries until a record in the last partition is acknowledged.
func (m many) ackLast(deadline time.Time) error {
	for {
		c, err := dial(m.address())
		if err == nil {
			err = c.produceWithin(deadline, m.topic(manyTopics-1), int32(m.partitions-1))
		}
		c.close()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(askAgain)
	}
}

// longReply reads a frame of any size.
func (c *conn) longReply() ([]byte, error) {
	var head [sizeBytes]byte
	if err := c.readFull(head[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	return body, c.readFull(body)
}
