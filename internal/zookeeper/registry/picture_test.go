package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// world is a store of metadata, and a picture that follows it.
type world struct {
	t       *testing.T
	at      metadata.Revision
	kvs     map[string]metadata.KV
	picture *Picture
	topics  map[string]ident.TopicID
}

func zxidOf(r metadata.Revision) int64 { return int64(r) << 12 }

func newWorld(t *testing.T) *world {
	w := &world{t: t, at: 100, kvs: make(map[string]metadata.KV), picture: New(zxidOf), topics: make(map[string]ident.TopicID)}
	w.do(metadata.Put(metadata.ClusterKey(), metadata.EncodeCluster(metadata.Cluster{ID: ident.NewClusterID(), BornMs: 1600000000000})))
	return w
}

// do is one revision, and what clients are told of it.
func (w *world) do(ops ...metadata.Op) string {
	w.t.Helper()
	w.at++
	var events []metadata.Event
	for _, op := range ops {
		kv := metadata.KV{Key: op.Key, Value: op.Value, Created: w.at, Modified: w.at}
		if old, ok := w.kvs[op.Key]; ok {
			kv.Created = old.Created
		}
		e := metadata.Event{KV: kv}
		if w.kvs[op.Key] = kv; op.Kind == metadata.OpDelete {
			delete(w.kvs, op.Key)
			e = metadata.Event{KV: metadata.KV{Key: op.Key, Modified: w.at}, Deleted: true}
		}
		events = append(events, e)
	}
	told, err := w.picture.Apply(w.at, events)
	if err != nil {
		w.t.Fatal(err)
	}
	lines := make([]string, len(told))
	for i, e := range told {
		lines[i] = fmt.Sprint(e.Type, " ", e.Path)
	}
	return strings.Join(lines, "\n")
}

func (w *world) broker(id ident.BrokerID) string {
	return w.do(metadata.Put(metadata.BrokerKey(id), metadata.EncodeBroker(&metadata.Broker{
		Stores: []ident.StoreID{ident.NewStoreID()}, Rack: "r", StartedMs: 1700000000000,
		Endpoints: []metadata.Endpoint{{Listener: "INSIDE", Host: "10.0.0.1", Port: 9092, Protocol: "PLAINTEXT"}, {Listener: "OUT", Host: "::1", Port: 30901, Protocol: "SSL"}},
	})))
}

func (w *world) partition(name string, n int32, change func(*metadata.Partition)) metadata.Op {
	p := &metadata.Partition{
		Replicas: []ident.BrokerID{1, 2}, Leader: 1, ISR: []metadata.Member{{Broker: 1}, {Broker: 2}}, LeaderEpoch: 3, Epoch: 7,
	}
	if change != nil {
		change(p)
	}
	return metadata.Put(metadata.PartitionKey(w.topics[name], n), metadata.EncodePartition(p))
}

func (w *world) topic(name string, partitions int32) string {
	if _, ok := w.topics[name]; !ok {
		w.topics[name] = ident.NewTopicID()
	}
	ops := []metadata.Op{metadata.Put(metadata.TopicKey(w.topics[name]), metadata.EncodeTopic(name, partitions))}
	for n := range partitions {
		ops = append(ops, w.partition(name, n, nil))
	}
	return w.do(ops...)
}

func (w *world) want(path, data string) Node {
	w.t.Helper()
	n, ok := w.picture.Node(path)
	if !ok || string(n.Data) != data {
		w.t.Errorf("%s is %s (%v), want %s", path, n.Data, ok, data)
	}
	return n
}

func wantTold(t *testing.T, what, told string, want ...string) {
	t.Helper()
	if told != strings.Join(want, "\n") {
		t.Errorf("%s is told as\n%s\nwant\n%s", what, told, strings.Join(want, "\n"))
	}
}

func TestNodesAreWhatKafkaWrote(t *testing.T) {
	w := newWorld(t)
	wantTold(t, "a broker", w.broker(1), "NodeCreated /brokers/ids/1")
	w.do(metadata.Put(metadata.ControllerKey(), metadata.EncodeElection(1)))
	wantTold(t, "a topic", w.topic("t", 1), "NodeCreated /brokers/topics/t", "NodeCreated /brokers/topics/t/partitions",
		"NodeCreated /config/topics/t", "NodeCreated /brokers/topics/t/partitions/0", "NodeCreated /brokers/topics/t/partitions/0/state")
	born, id := w.want("/brokers/ids/1", `{"listener_security_protocol_map":{"INSIDE":"PLAINTEXT","OUT":"SSL"},`+
		`"endpoints":["INSIDE://10.0.0.1:9092","OUT://[::1]:30901"],"jmx_port":-1,"features":{},"host":"10.0.0.1",`+
		`"timestamp":"1700000000000","port":9092,"rack":"r","version":5}`), w.topics["t"]
	if s := born.Stat; s.EphemeralOwner == 0 || s.Czxid != zxidOf(102) || s.Ctime != 1700000000000 {
		t.Errorf("the broker's node is %+v", s)
	}
	w.want("/controller", `{"version":1,"brokerid":1,"timestamp":"1700000000000"}`)
	w.want("/controller_epoch", "103")
	w.want("/cluster/id", `{"version":"1","id":"`+w.picture.Image().ClusterID().String()+`"}`)
	w.want("/brokers/topics/t", `{"removing_replicas":{},"partitions":{"0":[1,2]},"topic_id":"`+id.String()+`","adding_replicas":{},"version":3}`)
	state := w.want("/brokers/topics/t/partitions/0/state", `{"controller_epoch":103,"leader":1,"version":1,"leader_epoch":3,"isr":[1,2]}`)
	if state.Stat.Version != 7 {
		t.Errorf("a partition's state is at version %d, its epoch is 7", state.Stat.Version)
	}
	w.want("/config/topics/t", `{"version":1,"config":{}}`)
	w.want("/brokers/seqid", "")
	w.want("/feature", `{"features":{},"version":1,"status":1}`)
	for _, path := range []string{"/brokers/ids/2", "/brokers/ids/01", "/brokers/topics/x", "/brokers/topics/t/partitions/1",
		"/brokers/topics/t/partitions/0/state/x", "/brokers/topics/t/other", "/config/brokers/1", "/admin/reassign_partitions", "/controller/x", "/"} {
		if _, ok := w.picture.Node(path); ok {
			t.Errorf("there is %s", path)
		}
	}
	for path, want := range map[string]string{
		"/brokers": "[ids seqid topics]", "/brokers/ids": "[1]", "/brokers/topics": "[t]", "/brokers/topics/t": "[partitions]",
		"/brokers/topics/t/partitions": "[0]", "/brokers/topics/t/partitions/0": "[state]", "/admin": "[delete_topics]",
		"/config": "[brokers changes clients ips topics users]", "/config/users": "[]", "/brokers/topics/t/partitions/0/state": "[]",
	} {
		names := w.picture.Children(path)
		slices.Sort(names)
		if n, ok := w.picture.Node(path); fmt.Sprint(names) != want || !ok || int(n.Stat.NumChildren) != len(names) {
			t.Errorf("below %s are %v (%d), want %s", path, names, n.Stat.NumChildren, want)
		}
	}
}

func TestChangesAreTold(t *testing.T) {
	w := newWorld(t)
	w.broker(1)
	w.topic("t", 2)
	epoch := func(p *metadata.Partition) { p.Epoch, p.ISR = 8, p.ISR[:1] }
	wantTold(t, "an in-sync set", w.do(w.partition("t", 1, epoch)), "NodeDataChanged /brokers/topics/t/partitions/1/state")
	wantTold(t, "a reassignment", w.do(w.partition("t", 0, func(p *metadata.Partition) {
		p.Replicas, p.Adding, p.Removing = []ident.BrokerID{3, 1, 2}, []ident.BrokerID{3}, []ident.BrokerID{2}
	})), "NodeDataChanged /brokers/topics/t/partitions/0/state", "NodeDataChanged /brokers/topics/t", "NodeCreated /admin/reassign_partitions")
	w.want("/admin/reassign_partitions", `{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[3,1]}]}`)
	wantTold(t, "its end", w.do(w.partition("t", 0, func(p *metadata.Partition) { p.Replicas = []ident.BrokerID{3, 1} })),
		"NodeDataChanged /brokers/topics/t/partitions/0/state", "NodeDataChanged /brokers/topics/t", "NodeDeleted /admin/reassign_partitions")
	topic := metadata.Resource{Type: metadata.TopicResource, Name: "t"}
	before, _ := w.picture.Node("/config/topics/t")
	wantTold(t, "a setting", w.do(metadata.Put(metadata.ConfigKey(topic), metadata.EncodeConfig(map[string]string{"retention.ms": "1"}))),
		"NodeDataChanged /config/topics/t")
	set := w.want("/config/topics/t", `{"version":1,"config":{"retention.ms":"1"}}`)
	wantTold(t, "settings taken away", w.do(metadata.Delete(metadata.ConfigKey(topic))), "NodeDataChanged /config/topics/t")
	after := w.want("/config/topics/t", `{"version":1,"config":{}}`)
	if !(before.Stat.Version < set.Stat.Version && set.Stat.Version < after.Stat.Version && set.Stat.Mzxid < after.Stat.Mzxid) {
		t.Errorf("the settings' node goes from %+v over %+v to %+v", before.Stat, set.Stat, after.Stat)
	}
	broker := metadata.Resource{Type: metadata.BrokerResource}
	wantTold(t, "settings of brokers", w.do(metadata.Put(metadata.ConfigKey(broker), metadata.EncodeConfig(map[string]string{
		"log.retention.ms": "1", "ssl.key.password": "secret",
	}))), "NodeCreated /config/brokers/<default>")
	w.want("/config/brokers/<default>", `{"version":1,"config":{"log.retention.ms":"1"}}`)
	wantTold(t, "their end", w.do(metadata.Delete(metadata.ConfigKey(broker))), "NodeDeleted /config/brokers/<default>")
	wantTold(t, "more partitions", w.topic("t", 3), "NodeDataChanged /brokers/topics/t",
		"NodeDataChanged /brokers/topics/t/partitions/0/state", "NodeDataChanged /brokers/topics/t/partitions/1/state",
		"NodeCreated /brokers/topics/t/partitions/2", "NodeCreated /brokers/topics/t/partitions/2/state")
	ids, _ := w.picture.Node("/brokers/ids")
	wantTold(t, "a broker's end", w.do(metadata.Delete(metadata.BrokerKey(1))), "NodeDeleted /brokers/ids/1")
	if now, _ := w.picture.Node("/brokers/ids"); now.Stat.Pzxid <= ids.Stat.Pzxid || now.Stat.NumChildren != 0 {
		t.Errorf("the list of brokers goes from %+v to %+v", ids.Stat, now.Stat)
	}
	var gone []metadata.Op
	for key := range w.kvs {
		if strings.Contains(key, w.topics["t"].String()) {
			gone = append(gone, metadata.Delete(key))
		}
	}
	told := w.do(gone...)
	for _, line := range []string{"NodeDeleted /brokers/topics/t", "NodeDeleted /config/topics/t", "NodeDeleted /brokers/topics/t/partitions/2/state"} {
		if !strings.Contains(told+"\n", line+"\n") {
			t.Errorf("a deleted topic is told as\n%s\nwithout %s", told, line)
		}
	}
	wantTold(t, "an election", w.do(metadata.Put(metadata.ControllerKey(), metadata.EncodeElection(1))),
		"NodeCreated /controller", "NodeDataChanged /controller_epoch")
	wantTold(t, "its end", w.do(metadata.Delete(metadata.ControllerKey())), "NodeDeleted /controller")
	w.want("/controller_epoch", fmt.Sprint(w.at-1))
}

// A keeper that begins later shows the same nodes with the same stats, but for when lists last changed.
func TestKeepersShowTheSame(t *testing.T) {
	w := newWorld(t)
	w.broker(1)
	w.broker(2)
	w.topic("a", 2)
	w.topic("b", 1)
	w.do(metadata.Put(metadata.ConfigKey(metadata.Resource{Type: metadata.TopicResource, Name: "a"}), metadata.EncodeConfig(map[string]string{"retention.ms": "5"})))
	w.do(metadata.Put(metadata.ControllerKey(), metadata.EncodeElection(2)))
	w.do(w.partition("a", 1, func(p *metadata.Partition) { p.Epoch = 9 }))
	w.do(metadata.Delete(metadata.BrokerKey(1)))
	late := New(zxidOf)
	var kvs []metadata.KV
	for _, kv := range w.kvs {
		kvs = append(kvs, kv)
	}
	if err := late.Load(w.at, kvs); err != nil {
		t.Fatal(err)
	}
	compared := 0
	var walk func(path string)
	walk = func(path string) {
		a, _ := w.picture.Node(path)
		b, ok := late.Node(path)
		if path == "/brokers/ids" || path == "/brokers/topics" || path == "/config/topics" || path == "/config/brokers" {
			if b.Stat.Pzxid < a.Stat.Pzxid {
				t.Errorf("%s has last changed at %d for the late one, and at %d in truth", path, b.Stat.Pzxid, a.Stat.Pzxid)
			}
			a.Stat.Pzxid, b.Stat.Pzxid, a.Stat.Cversion, b.Stat.Cversion = 0, 0, 0, 0
		}
		if !ok || a.Stat != b.Stat || string(a.Data) != string(b.Data) {
			t.Errorf("%s is %+v %s and, begun later, %+v %s", path, a.Stat, a.Data, b.Stat, b.Data)
		}
		compared++
		names := w.picture.Children(path)
		if other := late.Children(path); !slices.Equal(names, other) {
			t.Errorf("below %s are %v and, begun later, %v", path, names, other)
		}
		for _, name := range names {
			walk(path + "/" + name)
		}
	}
	for _, top := range w.picture.Tops() {
		walk("/" + top)
	}
	if compared < 30 {
		t.Errorf("only %d nodes", compared)
	}
}

func TestNoClusterIsNoPicture(t *testing.T) {
	p := New(zxidOf)
	if _, ok := p.Node("/brokers"); ok || p.Children("/brokers") != nil || p.Tops() != nil {
		t.Error("there is something")
	}
	for path, want := range map[string]bool{"/brokers": true, "/brokers/ids/1": true, "/brokersx": false, "/consumers/g": false, "/": false,
		"": false, "/kafka-acl/Topic": true, "/zookeeper": false, "/admin": true} {
		if Owns(path) != want {
			t.Errorf("%s is the picture's: %v", path, !want)
		}
	}
}
