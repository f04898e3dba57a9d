package registry

import (
	"slices"
	"strconv"
	"strings"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/zookeeper/jute"
)

// The paths of the picture, relative to the chroot.
const (
	brokersPath         = "/brokers"
	idsPath             = "/brokers/ids"
	topicsPath          = "/brokers/topics"
	seqidPath           = "/brokers/seqid"
	controllerPath      = "/controller"
	controllerEpochPath = "/controller_epoch"
	clusterIDPath       = "/cluster/id"
	configPath          = "/config"
	topicConfigsPath    = "/config/topics"
	brokerConfigsPath   = "/config/brokers"
	changesPath         = "/config/changes"
	deletePath          = "/admin/delete_topics"
	reassignPath        = "/admin/reassign_partitions"
	electionPath        = "/admin/preferred_replica_election"
	featurePath         = "/feature"
	// ConsumersPath is where consumers of before Kafka 0.9 keep what they do, by themselves: it is only made for them.
	ConsumersPath = "/consumers"

	partitionsName = "/partitions"
	stateName      = "/state"
)

// always are the nodes that every cluster has, parents first.
var always = []string{
	brokersPath, idsPath, topicsPath, seqidPath, controllerEpochPath, "/cluster", clusterIDPath,
	configPath, topicConfigsPath, brokerConfigsPath, "/config/clients", "/config/users", "/config/ips", changesPath,
	"/admin", deletePath, "/isr_change_notification", "/log_dir_event_notification", featurePath, ConsumersPath,
}

// tops are the names right below the chroot that are the picture's, whether they are there now or not. ACLs, delegation
// tokens and blocks of producer ids are not shown; nobody else may write there either, for nothing would heed it.
var tops = map[string]bool{
	"brokers": true, "controller": true, "controller_epoch": true, "cluster": true, "config": true, "admin": true,
	"isr_change_notification": true, "log_dir_event_notification": true, "feature": true,
	"latest_producer_id_block": true, "delegation_token": true, "migration": true,
	"kafka-acl": true, "kafka-acl-changes": true, "kafka-acl-extended": true, "kafka-acl-extended-changes": true,
}

// Owns tells whether a path is one of the picture's. /consumers is not: what is there its writers own.
func Owns(path string) bool {
	if len(path) < 2 {
		return false
	}
	top, _, _ := strings.Cut(path[1:], "/")
	return tops[top]
}

// Tops are the nodes right below the chroot that are there now.
func (p *Picture) Tops() []string {
	if !p.Exists() {
		return nil
	}
	names := make([]string, 0, 12)
	for _, path := range always {
		if strings.LastIndexByte(path, '/') == 0 {
			names = append(names, path[1:])
		}
	}
	if p.image.ControllerID() != ident.NoBroker {
		names = append(names, controllerPath[1:])
	}
	return names
}

// Node is a node as a client sees it.
type Node struct {
	Data []byte
	Stat jute.Stat
	// Open says that clients may write here, or make children.
	Open bool
}

// Born is the node of a directory that is there because the cluster is: its chroot, for one.
func (p *Picture) Born() Node {
	return Node{Stat: jute.Stat{
		Czxid: p.zxidOf(p.born), Mzxid: p.zxidOf(p.born), Pzxid: p.zxidOf(p.born), Ctime: p.bornMs(), Mtime: p.bornMs(),
	}}
}

func (p *Picture) bornMs() int64 { return p.image.Cluster().BornMs }

// Node finds a node; ok is false where there is none.
func (p *Picture) Node(path string) (n Node, ok bool) {
	if !p.Exists() {
		return Node{}, false
	}
	n = p.Born()
	switch {
	case strings.HasPrefix(path, topicsPath+"/"):
		ok = p.topicNode(&n, path[len(topicsPath)+1:])
	case strings.HasPrefix(path, idsPath+"/"):
		ok = p.brokerNode(&n, path[len(idsPath)+1:])
	case strings.HasPrefix(path, topicConfigsPath+"/"):
		ok = p.topicConfigNode(&n, path[len(topicConfigsPath)+1:])
	case strings.HasPrefix(path, brokerConfigsPath+"/"):
		ok = p.brokerConfigNode(&n, path[len(brokerConfigsPath)+1:])
	default:
		ok = p.fixedNode(&n, path)
	}
	n.Stat.DataLength = int32(len(n.Data))
	return n, ok
}

// fixedNode are the nodes of one of a kind.
func (p *Picture) fixedNode(n *Node, path string) bool {
	switch path {
	case controllerPath:
		broker := p.image.Broker(p.image.ControllerID())
		if p.image.ControllerID() == ident.NoBroker {
			return false
		}
		n.Data = controllerData(p.image.ControllerID(), p.bornMs())
		n.at(p.zxidOf(p.elected))
		if n.Stat.EphemeralOwner = int64(p.elected); broker != nil {
			n.Stat.EphemeralOwner = int64(broker.Epoch)
			n.Data = controllerData(broker.ID, max(p.bornMs(), broker.StartedMs))
		}
		return true
	case reassignPath:
		if len(p.moved) == 0 {
			return false
		}
		n.at(p.zxidOf(p.movingFrom))
		n.Stat.Mzxid, n.Stat.Version = p.zxidOf(p.moving), count(int64(p.moving-p.movingFrom))
		n.Data, n.Open = p.reassignData(), true
		return true
	}
	if !slices.Contains(always, path) {
		return false
	}
	n.Open = path == topicConfigsPath || path == brokerConfigsPath || path == topicsPath || strings.HasPrefix(path, "/admin") ||
		path == changesPath || path == ConsumersPath
	changed := p.born
	switch path {
	case clusterIDPath:
		n.Data = clusterData(p.image.ClusterID())
	case controllerEpochPath:
		n.Data = strconv.AppendInt(nil, int64(p.controllerEpoch()), 10)
		n.Stat.Mzxid = max(n.Stat.Mzxid, p.zxidOf(p.elected))
		n.Stat.Version = p.controllerEpoch()
	case featurePath:
		n.Data = featureData()
	case idsPath:
		changed = p.ids
		n.Stat.NumChildren = int32(p.image.NumBrokers())
	case topicsPath, topicConfigsPath:
		changed = p.topics
		n.Stat.NumChildren = int32(p.image.NumTopics())
	case brokerConfigsPath:
		changed = p.brokerConfigs
		n.Stat.NumChildren = int32(len(p.children(path)))
	default:
		n.Stat.NumChildren = int32(len(p.children(path)))
		n.Stat.Cversion = n.Stat.NumChildren
		if path == "/admin" {
			n.Stat.Pzxid = max(n.Stat.Pzxid, p.zxidOf(p.moving))
		}
		return true
	}
	if changed > p.born {
		n.Stat.Pzxid, n.Stat.Cversion = p.zxidOf(changed), count(int64(changed-p.born))
	}
	return true
}

// at is a node that was made at a zxid and has not changed since.
func (n *Node) at(zxid int64) { n.Stat.Czxid, n.Stat.Mzxid, n.Stat.Pzxid = zxid, zxid, zxid }

// count is a number that only grows as a version.
func count(n int64) int32 { return int32(max(0, n) & 0x7fffffff) }

// controllerEpoch is the number of the election as Kafka's tools can read it: its lower 31 bits.
func (p *Picture) controllerEpoch() int32 { return count(int64(p.elected)) }

func (p *Picture) brokerNode(n *Node, name string) bool {
	id, ok := number(name)
	broker := p.image.Broker(ident.BrokerID(id))
	if !ok || broker == nil {
		return false
	}
	n.Data = brokerData(broker, p.bornMs())
	n.at(p.zxidOf(broker.Epoch))
	n.Stat.Mzxid, n.Stat.Version = p.zxidOf(broker.Modified), count(int64(broker.Modified-broker.Epoch))
	n.Stat.EphemeralOwner = int64(broker.Epoch)
	if broker.StartedMs > 0 {
		n.Stat.Ctime, n.Stat.Mtime = broker.StartedMs, broker.StartedMs
	}
	return true
}

// topicNode are a topic's node and those below.
func (p *Picture) topicNode(n *Node, rest string) bool {
	name, below, deeper := strings.Cut(rest, "/")
	topic := p.image.Topic(name)
	if topic == nil {
		return false
	}
	created := p.zxidOf(p.created[topic.ID])
	n.at(created)
	if !deeper {
		n.Data, n.Open, n.Stat.NumChildren, n.Stat.Cversion = topicData(topic), true, 1, 1
		var epochs int64
		for _, part := range topic.Partitions() {
			n.Stat.Mzxid = max(n.Stat.Mzxid, p.zxidOf(part.Modified))
			epochs += int64(part.Epoch)
		}
		n.Stat.Mzxid = max(n.Stat.Mzxid, p.zxidOf(topic.Modified))
		n.Stat.Version = count(epochs + int64(topic.NumPartitions()) - 1)
		return true
	}
	if below == partitionsName[1:] {
		n.Stat.NumChildren, n.Stat.Cversion = topic.NumPartitions(), topic.NumPartitions()
		n.Stat.Pzxid = max(created, p.zxidOf(topic.Modified))
		return true
	}
	below, ok := strings.CutPrefix(below, partitionsName[1:]+"/")
	index, tail, deeper := strings.Cut(below, "/")
	i, isNumber := number(index)
	part := topic.Partition(i)
	if !ok || !isNumber || part == nil || deeper && tail != stateName[1:] {
		return false
	}
	if !deeper {
		n.Stat.NumChildren, n.Stat.Cversion = 1, 1
		return true
	}
	n.Data = stateData(part, p.controllerEpoch())
	n.Stat.Mzxid, n.Stat.Version = max(created, p.zxidOf(part.Modified)), part.Epoch
	return true
}

func (p *Picture) topicConfigNode(n *Node, name string) bool {
	topic := p.image.Topic(name)
	if topic == nil {
		return false
	}
	n.at(p.zxidOf(p.created[topic.ID]))
	p.configNode(n, metadata.Resource{Type: metadata.TopicResource, Name: name})
	return true
}

func (p *Picture) brokerConfigNode(n *Node, entity string) bool {
	r, ok := brokerResource(entity)
	if !ok || p.image.Config(r) == nil {
		return false
	}
	p.configNode(n, r)
	return true
}

func (p *Picture) configNode(n *Node, r metadata.Resource) {
	n.Data, n.Open = configData(shown(r, p.image.Config(r))), true
	if at := p.zxidOf(p.configured[r]); at > n.Stat.Czxid {
		n.Stat.Version = count((at - n.Stat.Czxid) / (p.zxidOf(1) - p.zxidOf(0)))
		n.Stat.Mzxid = at
	}
}

// number reads a decimal number as Kafka writes it in a node's name.
func number(name string) (int32, bool) {
	n, err := strconv.ParseInt(name, 10, 32)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != name {
		return 0, false
	}
	return int32(n), true
}

// Children are the names below a node that is there.
func (p *Picture) Children(path string) []string {
	if !p.Exists() {
		return nil
	}
	return p.children(path)
}

func (p *Picture) children(path string) (names []string) {
	switch path {
	case idsPath:
		for _, b := range p.image.Brokers() {
			names = append(names, strconv.Itoa(int(b.ID)))
		}
		return names
	case topicsPath, topicConfigsPath:
		names = make([]string, 0, p.image.NumTopics())
		for t := range p.image.Topics() {
			names = append(names, t.Name)
		}
		return names
	case brokerConfigsPath:
		for name := range p.image.Configs(metadata.BrokerResource) {
			names = append(names, entityOf(metadata.Resource{Type: metadata.BrokerResource, Name: name}))
		}
		return names
	}
	if rest, ok := strings.CutPrefix(path, topicsPath+"/"); ok {
		return p.topicChildren(rest)
	}
	for _, other := range always {
		if slash := strings.LastIndexByte(other, '/'); slash > 0 && other[:slash] == path {
			names = append(names, other[slash+1:])
		}
	}
	if path == "/admin" && len(p.moved) > 0 {
		names = append(names, reassignPath[len("/admin/"):])
	}
	return names
}

func (p *Picture) topicChildren(rest string) (names []string) {
	name, below, deeper := strings.Cut(rest, "/")
	topic := p.image.Topic(name)
	switch {
	case topic == nil:
	case !deeper:
		names = []string{partitionsName[1:]}
	case below == partitionsName[1:]:
		for n := range topic.NumPartitions() {
			names = append(names, strconv.Itoa(int(n)))
		}
	case strings.Count(below, "/") == 1:
		names = []string{stateName[1:]}
	}
	return names
}
