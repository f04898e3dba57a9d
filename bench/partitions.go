package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
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
	client, err := kgo.NewClient(kgo.SeedBrokers(n.address()))
	if err != nil {
		return err
	}
	defer client.Close()
	name := ""
	for i := range manyTopics {
		name = fmt.Sprintf("many-%d", i)
		request := kmsg.NewPtrCreateTopicsRequest()
		request.TimeoutMillis = int32(startDeadline.Milliseconds())
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, manyPartitions, 1
		request.Topics = append(request.Topics, topic)
		if _, err := request.RequestWith(context.Background(), client); err != nil {
			return err
		}
	}
	c, err := dial(n.address())
	if err != nil {
		return err
	}
	defer c.close()
	return c.produceWithin(time.Now().Add(startDeadline), name, manyPartitions-1)
}
