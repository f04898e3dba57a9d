package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/zookeeper/jute"
)

// Order is what a write into the picture comes to.
type Order struct {
	// Request is for the controller; nil where nothing is to be done.
	Request kmsg.Request
	// Path is the one that a create answers with.
	Path string
	// Staged is the path of a node of the ordinary tree that the request has used up.
	Staged string
}

// Refusal is why a write into the picture is not carried out.
type Refusal struct {
	Code jute.Code
	Why  string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Why }

func refuse(code jute.Code, format string, args ...any) *Refusal {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}

var (
	errExists  = &Refusal{jute.NodeExists, "there is such a node"}
	errMissing = &Refusal{jute.NoNode, "there is no such node"}
)

// StagedParent is where nodes of the ordinary tree may stand among those of a picture.
const StagedParent = topicConfigsPath

// timeoutMs is what the controller has for a request.
const timeoutMs = 15000

// Stages tells whether a write is of a node that waits in the ordinary tree for the topic that it is for: tools write a
// topic's settings before they make the topic.
func (p *Picture) Stages(req *jute.Request) bool {
	name, ok := strings.CutPrefix(req.Path, topicConfigsPath+"/")
	if !ok || !p.Exists() || p.image.Topic(name) != nil || !validTopic(name) {
		return false
	}
	switch req.Op {
	case jute.OpCreate, jute.OpCreate2:
		_, err := readConfig(req.Data)
		return err == nil && req.Flags == jute.FlagPersistent
	case jute.OpSetData:
		_, err := readConfig(req.Data)
		return err == nil
	}
	return req.Op == jute.OpDelete
}

// validTopic says whether a topic may have that name.
func validTopic(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return false
	}
	return !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
	})
}

// StagedConfig is where the settings of a topic wait that a write is about to make; empty for other writes.
func StagedConfig(req *jute.Request) string {
	if name, ok := strings.CutPrefix(req.Path, topicsPath+"/"); ok && isCreate(req) && validTopic(name) {
		return topicConfigsPath + "/" + name
	}
	return ""
}

func isCreate(req *jute.Request) bool { return req.Op == jute.OpCreate || req.Op == jute.OpCreate2 }

// Translate turns a write into the picture into what the controller is asked for. Staged is the data of the node that
// StagedConfig names, nil if there is none.
func (p *Picture) Translate(req *jute.Request, staged []byte) (Order, error) {
	if !p.Exists() {
		return Order{}, refuse(jute.NoAuth, "the path is kept for a cluster, and there is none yet")
	}
	order, err := p.translate(req, staged)
	if err != nil {
		return Order{}, err
	}
	if order.Path == "" {
		order.Path = req.Path
	}
	return order, nil
}

func (p *Picture) translate(req *jute.Request, staged []byte) (Order, error) {
	slash := strings.LastIndexByte(req.Path, '/')
	dir, name := req.Path[:slash], req.Path[slash+1:]
	node, there := p.Node(req.Path)
	switch {
	case isCreate(req) && dir == changesPath && req.Flags == jute.FlagSequential && strings.HasPrefix(name, "config_change_"):
		// A notification that settings have changed, as they have.
		return Order{Path: fmt.Sprintf("%s%010d", req.Path, p.image.Revision()%1e10)}, nil
	case isCreate(req) && there:
		return Order{}, errExists
	case isCreate(req) && req.Flags != jute.FlagPersistent:
		return Order{}, refuse(jute.NoAuth, "only lasting nodes may be made here")
	case isCreate(req):
		return p.create(req, dir, name, staged)
	case req.Op != jute.OpSetData && req.Op != jute.OpDelete:
		return Order{}, refuse(jute.NoAuth, "this part of the tree shows the cluster, and can't be changed so")
	case !there:
		return Order{}, errMissing
	case req.Version != -1 && req.Version != node.Stat.Version:
		return Order{}, refuse(jute.BadVersion, "the node is at version %d", node.Stat.Version)
	case req.Op == jute.OpSetData:
		return p.set(req, dir, name)
	}
	return Order{}, refuse(jute.NoAuth, "this part of the tree shows the cluster; a topic is deleted by a node in %s", deletePath)
}

func (p *Picture) create(req *jute.Request, dir, name string, staged []byte) (Order, error) {
	switch {
	case dir == topicsPath:
		return p.createTopic(req, name, staged)
	case dir == deletePath:
		return p.deleteTopic(name), nil
	case dir == brokerConfigsPath:
		return p.alterBroker(req, name)
	case dir == topicConfigsPath:
		return Order{}, refuse(jute.BadArguments, "not the settings of a topic")
	case req.Path == reassignPath:
		return p.reassign(req)
	case req.Path == electionPath:
		return p.elect(req)
	}
	if _, ok := p.Node(dir); !ok {
		return Order{}, errMissing
	}
	return Order{}, refuse(jute.NoAuth, "this part of the tree shows the cluster, and can't be changed so")
}

func (p *Picture) set(req *jute.Request, dir, name string) (Order, error) {
	switch {
	case dir == topicsPath:
		return p.growTopic(req, name)
	case dir == topicConfigsPath:
		return p.alter(req, metadata.Resource{Type: metadata.TopicResource, Name: name})
	case dir == brokerConfigsPath:
		return p.alterBroker(req, name)
	case req.Path == reassignPath:
		return p.reassign(req)
	}
	return Order{}, refuse(jute.NoAuth, "this part of the tree shows the cluster, and can't be changed so")
}

func (p *Picture) createTopic(req *jute.Request, name string, staged []byte) (Order, error) {
	replicas, err := readAssignment(req.Data)
	if err != nil {
		return Order{}, refuse(jute.BadArguments, "%v", err)
	}
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	for n, brokers := range replicas {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = int32(n), numbers(brokers)
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, a)
	}
	order := Order{}
	if staged != nil {
		values, err := readConfig(staged)
		if err != nil {
			return Order{}, refuse(jute.BadArguments, "its settings: %v", err)
		}
		for _, key := range slices.Sorted(maps.Keys(values)) {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = key, kmsg.StringPtr(values[key])
			topic.Configs = append(topic.Configs, c)
		}
		order.Staged = topicConfigsPath + "/" + name
	}
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Version, request.TimeoutMillis = 7, timeoutMs
	request.Topics = append(request.Topics, topic)
	order.Request = request
	return order, nil
}

func numbers(ids []ident.BrokerID) []int32 {
	list := make([]int32, len(ids))
	for i, id := range ids {
		list[i] = int32(id)
	}
	return list
}

// deleteTopic deletes a topic; a node for one that is not there is taken away at once, as Kafka's controller did.
func (p *Picture) deleteTopic(name string) Order {
	if p.image.Topic(name) == nil {
		return Order{}
	}
	request := kmsg.NewPtrDeleteTopicsRequest()
	request.Version, request.TimeoutMillis, request.TopicNames = 5, timeoutMs, []string{name}
	return Order{Request: request}
}

func (p *Picture) growTopic(req *jute.Request, name string) (Order, error) {
	replicas, err := readAssignment(req.Data)
	if err != nil {
		return Order{}, refuse(jute.BadArguments, "%v", err)
	}
	topic := p.image.Topic(name)
	have := int(topic.NumPartitions())
	if len(replicas) < have {
		return Order{}, refuse(jute.BadArguments, "topic %s has %d partitions, and partitions are not taken away", name, have)
	}
	for n, part := range topic.Partitions() {
		if !slices.Equal(part.Replicas, replicas[n]) {
			return Order{}, refuse(jute.BadArguments, "replicas of partition %d are moved by a node %s", n, reassignPath)
		}
	}
	if len(replicas) == have {
		return Order{}, nil
	}
	more := kmsg.NewCreatePartitionsRequestTopic()
	more.Topic, more.Count = name, int32(len(replicas))
	for _, brokers := range replicas[have:] {
		a := kmsg.NewCreatePartitionsRequestTopicAssignment()
		a.Replicas = numbers(brokers)
		more.Assignment = append(more.Assignment, a)
	}
	request := kmsg.NewPtrCreatePartitionsRequest()
	request.Version, request.TimeoutMillis = 3, timeoutMs
	request.Topics = append(request.Topics, more)
	return Order{Request: request}, nil
}

func (p *Picture) alterBroker(req *jute.Request, entity string) (Order, error) {
	r, ok := brokerResource(entity)
	if !ok {
		return Order{}, refuse(jute.BadArguments, "%q is no broker", entity)
	}
	return p.alter(req, r)
}

// The numbers of resource types and of operations in IncrementalAlterConfigs.
const (
	setConfig    kmsg.IncrementalAlterConfigOp = 0
	deleteConfig kmsg.IncrementalAlterConfigOp = 1
)

// alter makes a resource's settings those that were written: what is not among them is taken away, but for secrets,
// which nobody was shown.
func (p *Picture) alter(req *jute.Request, r metadata.Resource) (Order, error) {
	values, err := readConfig(req.Data)
	if err != nil {
		return Order{}, refuse(jute.BadArguments, "%v", err)
	}
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceName, resource.ResourceType = r.Name, kmsg.ConfigResourceTypeTopic
	if r.Type == metadata.BrokerResource {
		resource.ResourceType = kmsg.ConfigResourceTypeBroker
	}
	before := p.image.Config(r)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if was, ok := before[key]; !ok || was != values[key] {
			resource.Configs = append(resource.Configs, configChange(key, setConfig, kmsg.StringPtr(values[key])))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, kept := values[key]; !kept && (r.Type != metadata.BrokerResource || !config.Secret(key)) {
			resource.Configs = append(resource.Configs, configChange(key, deleteConfig, nil))
		}
	}
	if len(resource.Configs) == 0 {
		return Order{}, nil
	}
	request := kmsg.NewPtrIncrementalAlterConfigsRequest()
	request.Version = 1
	request.Resources = append(request.Resources, resource)
	return Order{Request: request}, nil
}

func configChange(key string, op kmsg.IncrementalAlterConfigOp, value *string) kmsg.IncrementalAlterConfigsRequestResourceConfig {
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Op, c.Value = key, op, value
	return c
}

func (p *Picture) reassign(req *jute.Request) (Order, error) {
	moves, err := readPartitions(req.Data, true)
	if err != nil {
		return Order{}, refuse(jute.BadArguments, "%v", err)
	}
	request := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	request.TimeoutMillis = timeoutMs
	at := make(map[string]int)
	for _, m := range moves {
		part := p.image.Partition(ident.TopicPartition{Topic: m.Topic, Partition: m.Partition})
		if part == nil || slices.Equal(part.Replicas, m.Replicas) && !part.Reassigning() {
			continue // Kafka's controller dropped what is not there, and what is where it should be
		}
		i, known := at[m.Topic]
		if !known {
			i = len(request.Topics)
			at[m.Topic] = i
			topic := kmsg.NewAlterPartitionAssignmentsRequestTopic()
			topic.Topic = m.Topic
			request.Topics = append(request.Topics, topic)
		}
		one := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		one.Partition, one.Replicas = m.Partition, numbers(m.Replicas)
		request.Topics[i].Partitions = append(request.Topics[i].Partitions, one)
	}
	if len(request.Topics) == 0 {
		return Order{}, nil
	}
	return Order{Request: request}, nil
}

func (p *Picture) elect(req *jute.Request) (Order, error) {
	wanted, err := readPartitions(req.Data, false)
	if err != nil {
		return Order{}, refuse(jute.BadArguments, "%v", err)
	}
	request := kmsg.NewPtrElectLeadersRequest()
	request.Version, request.TimeoutMillis = 2, timeoutMs
	at := make(map[string]int)
	for _, w := range wanted {
		if p.image.Partition(ident.TopicPartition{Topic: w.Topic, Partition: w.Partition}) == nil {
			continue
		}
		i, known := at[w.Topic]
		if !known {
			i = len(request.Topics)
			at[w.Topic] = i
			topic := kmsg.NewElectLeadersRequestTopic()
			topic.Topic = w.Topic
			request.Topics = append(request.Topics, topic)
		}
		request.Topics[i].Partitions = append(request.Topics[i].Partitions, w.Partition)
	}
	if len(request.Topics) == 0 {
		return Order{}, nil
	}
	return Order{Request: request}, nil
}
