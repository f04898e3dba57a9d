package traffic

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/sim/check"
)

// shape is a kind of topic.
type shape struct {
	partitions int32
	promise    check.Promise
	configs    map[string]string
}

// shapes are the kinds that the administrator makes. Small segments make much happen within a short log.
var shapes = []shape{
	{2, check.Promise{}, map[string]string{"internal.segment.bytes": "4000"}},
	{1, check.Promise{Synced: true}, map[string]string{"flush.messages": "1", "internal.segment.bytes": "3000"}},
	{1, check.Promise{Compacted: true}, map[string]string{
		"cleanup.policy": "compact", "internal.segment.bytes": "2000", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "4000"}},
	{1, check.Promise{Expires: true}, map[string]string{"internal.segment.bytes": "2000", "retention.ms": "20000"}},
	{2, check.Promise{}, map[string]string{"flush.ms": "1000"}},
	{2, check.Promise{Synced: true, Outlasts: true}, map[string]string{"fsync.on.ack": "true", "internal.segment.bytes": "3000"}},
}

// shapes are those that there are in this run.
func (e *Env) shapes() []shape {
	if e.Outlasting {
		return shapes
	}
	return shapes[:len(shapes)-1]
}

// admin creates and deletes topics, changes settings and deletes records.
type admin struct {
	*client
	made int
}

// Administer runs an administrator until ctx ends. Topics of the first kinds are there from the start.
func (e *Env) Administer(ctx context.Context) {
	a := &admin{client: e.client("admin", 300)}
	defer a.close()
	for a.rest(ctx, 2*time.Second) {
		topic := a.Topics.any(a.rng)
		if len(a.Directories) > 0 && topic != nil && a.chance(2) {
			a.move(topic)
			continue
		}
		if a.Reassigning && topic != nil && a.chance(4) {
			a.reassign(topic)
			continue
		}
		switch n := a.rng.IntN(12); {
		case n < 2 && len(a.Topics.All()) < 6 || topic == nil:
			a.create(ctx, a.rng.IntN(len(a.shapes())))
		case n == 2 && len(a.Topics.All()) > 3:
			a.delete(topic)
		case n < 6:
			a.deleteRecords(topic)
		case n < 8:
			a.configure(topic)
		case n == 8 && len(a.Addresses) > 1:
			a.elect()
		}
	}
}

// Prepare makes a topic of each kind, and one for groups to commit offsets of, which it returns. False when ctx
// ended first.
func (e *Env) Prepare(ctx context.Context) (*Topic, bool) {
	a := &admin{client: e.client("prepare", 301), made: 100}
	defer a.close()
	for kind := range a.shapes() {
		if a.create(ctx, kind) == nil {
			return nil, false
		}
	}
	for !a.locate("any") {
		if !a.rest(ctx, 100*time.Millisecond) {
			return nil, false
		}
	}
	if !a.set("__consumer_offsets", "internal.segment.bytes", "20000") { // much rolls and is compacted
		return nil, false
	}
	offsets := a.createNamed(ctx, "offsets", shape{partitions: GroupPartitions})
	return offsets, offsets != nil
}

// create makes a topic of a kind, trying until it is known to be there.
func (a *admin) create(ctx context.Context, kind int) *Topic {
	a.made++
	topic := a.createNamed(ctx, fmt.Sprintf("topic-%d-%d", a.made, kind), shapes[kind])
	if topic != nil {
		a.History.Promise(topic.Name, topic.Promise)
		a.Topics.add(topic)
	}
	return topic
}

func (a *admin) createNamed(ctx context.Context, name string, s shape) *Topic {
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Version, request.TimeoutMillis = 7, 3000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, s.partitions, 1
	if a.Replicas != nil {
		factor, minISR := a.Replicas(a.rng)
		topic.ReplicationFactor = factor
		c, value := kmsg.NewCreateTopicsRequestTopicConfig(), fmt.Sprint(minISR)
		c.Name, c.Value = "min.insync.replicas", &value
		topic.Configs = append(topic.Configs, c)
	}
	for name, value := range s.configs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = name, &value
		topic.Configs = append(topic.Configs, c)
	}
	request.Topics = append(request.Topics, topic)
	for ctx.Err() == nil {
		answer, err := ask[*kmsg.CreateTopicsResponse](a.client, a.anywhere(), request)
		if err == nil && answer.Topics[0].ErrorCode == 0 {
			return &Topic{Name: name, ID: answer.Topics[0].TopicID, Partitions: s.partitions, Promise: s.promise, Replicas: request.Topics[0].ReplicationFactor}
		}
		if id, ok := a.lookUp(name); ok {
			return &Topic{Name: name, ID: id, Partitions: s.partitions, Promise: s.promise, Replicas: request.Topics[0].ReplicationFactor}
		}
		a.rest(ctx, 200*time.Millisecond)
	}
	return nil
}

// lookUp finds a topic by name.
func (a *admin) lookUp(name string) (id [16]byte, found bool) {
	request := kmsg.NewPtrMetadataRequest()
	request.Version, request.AllowAutoTopicCreation = 12, false
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &name
	request.Topics = append(request.Topics, topic)
	answer, err := ask[*kmsg.MetadataResponse](a.client, a.anywhere(), request)
	if err != nil || len(answer.Topics) != 1 || answer.Topics[0].ErrorCode != 0 {
		return id, false
	}
	return answer.Topics[0].TopicID, true
}

func (a *admin) delete(t *Topic) {
	a.Topics.remove(t)
	request := kmsg.NewPtrDeleteTopicsRequest()
	request.Version, request.TimeoutMillis = 6, 3000
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.TopicID = t.ID
	request.Topics = append(request.Topics, topic)
	a.call(a.anywhere(), request)
}

// deleteRecords deletes some of what is there.
func (a *admin) deleteRecords(t *Topic) {
	if t.Promise.Compacted {
		return // refused: POLICY_VIOLATION
	}
	number := a.rng.Int32N(t.Partitions)
	got, err := a.fetch(t, number, a.startOf(t, number), 0)
	if err != nil || got.ErrorCode != 0 || got.HighWatermark <= got.LogStartOffset {
		return
	}
	cut := &check.Cut{
		Partition: t.Partition(number),
		Before:    got.LogStartOffset + 1 + a.rng.Int64N((got.HighWatermark-got.LogStartOffset+1)/2),
	}
	cut.Before = min(cut.Before, got.HighWatermark)
	request := kmsg.NewPtrDeleteRecordsRequest()
	request.Version, request.TimeoutMillis = 2, 3000
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = t.Name
	partition := kmsg.NewDeleteRecordsRequestTopicPartition()
	partition.Partition, partition.Offset = number, cut.Before
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	a.History.BeginCut(cut)
	answer, err := askLeader[*kmsg.DeleteRecordsResponse](a.client, t, number, request)
	outcome := check.Unknown
	if err == nil && answer.Topics[0].Partitions[0].ErrorCode == 0 {
		outcome = check.Done
	}
	a.History.EndCut(cut, outcome)
}

// move has a replica of a partition, or what replicas of it there are on a broker, moved to a log directory.
func (a *admin) move(t *Topic) {
	request := kmsg.NewPtrAlterReplicaLogDirsRequest()
	request.Version = 2
	topic := kmsg.NewAlterReplicaLogDirsRequestDirTopic()
	topic.Topic, topic.Partitions = t.Name, []int32{a.rng.Int32N(t.Partitions)}
	dir := kmsg.NewAlterReplicaLogDirsRequestDir()
	dir.Dir, dir.Topics = a.Directories[a.rng.IntN(len(a.Directories))], append(dir.Topics, topic)
	request.Dirs = append(request.Dirs, dir)
	for _, address := range a.Addresses {
		if a.chance(2) {
			a.call(address, request)
		}
	}
}

// reassign moves the only replica of a partition to some broker, or all those of one broker elsewhere, as a drain does, or calls a
// move off.
func (a *admin) reassign(t *Topic) {
	request := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	request.Version, request.TimeoutMillis = 0, 3000
	to := func() []int32 { return []int32{1 + a.rng.Int32N(int32(len(a.Addresses)))} }
	drained := ""
	if a.chance(3) {
		drained = a.anywhere()
	}
	for _, topic := range a.Topics.All() {
		if topic.Replicas != 1 || drained == "" && topic != t {
			continue
		}
		asked := kmsg.NewAlterPartitionAssignmentsRequestTopic()
		asked.Topic = topic.Name
		for number := range topic.Partitions {
			one := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
			one.Partition = number
			switch at := to(); {
			case drained != "" && (a.leader(topic, number) != drained || a.At(at[0]) == drained):
				continue
			case drained != "" || !a.chance(3):
				one.Replicas = at
			}
			asked.Partitions = append(asked.Partitions, one)
		}
		request.Topics = append(request.Topics, asked)
	}
	if len(request.Topics) > 0 {
		a.call(a.anywhere(), request)
	}
}

// elect has leaderships go back to the first replicas.
func (a *admin) elect() {
	request := kmsg.NewPtrElectLeadersRequest()
	request.Version, request.TimeoutMillis = 2, 3000
	a.call(a.anywhere(), request)
}

// configure changes a setting that takes nothing from what the topic promises.
func (a *admin) configure(t *Topic) {
	if len(a.Addresses) > 1 && a.chance(3) {
		a.set(t.Name, "min.insync.replicas", fmt.Sprint(1+a.rng.IntN(2)))
		return
	}
	if a.chance(3) {
		a.set(t.Name, "segment.ms", fmt.Sprint(2000+a.rng.IntN(20000)))
		return
	}
	a.set(t.Name, "internal.segment.bytes", fmt.Sprint(1500+a.rng.IntN(4000)))
}

// set changes one setting of a topic. False when that is not known to have happened.
func (a *admin) set(topic, name, value string) bool {
	request := kmsg.NewPtrIncrementalAlterConfigsRequest()
	request.Version = 1
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	change := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	change.Name, change.Value = name, &value
	resource.Configs = append(resource.Configs, change)
	request.Resources = append(request.Resources, resource)
	answer, err := ask[*kmsg.IncrementalAlterConfigsResponse](a.client, a.anywhere(), request)
	return err == nil && answer.Resources[0].ErrorCode == 0
}
