package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/metadata"
	"barnabas/internal/zookeeper/jute"
)

func standing(t *testing.T) *world {
	w := newWorld(t)
	w.broker(1)
	w.broker(2)
	w.topic("t", 2)
	w.do(metadata.Put(metadata.ConfigKey(metadata.Resource{Type: metadata.TopicResource, Name: "t"}),
		metadata.EncodeConfig(map[string]string{"retention.ms": "5", "max.message.bytes": "9"})))
	w.do(metadata.Put(metadata.ConfigKey(metadata.Resource{Type: metadata.BrokerResource, Name: "1"}),
		metadata.EncodeConfig(map[string]string{"log.retention.ms": "5", "ssl.key.password": "s"})))
	w.do(metadata.Put(metadata.ControllerKey(), metadata.EncodeElection(1)))
	return w
}

// brief is a request in a line.
func brief(r kmsg.Request) string {
	switch r := r.(type) {
	case nil:
		return "nothing"
	case *kmsg.CreateTopicsRequest:
		s := "create " + r.Topics[0].Topic
		for _, a := range r.Topics[0].ReplicaAssignment {
			s += fmt.Sprintf(" %d=%v", a.Partition, a.Replicas)
		}
		for _, c := range r.Topics[0].Configs {
			s += fmt.Sprintf(" %s=%s", c.Name, *c.Value)
		}
		return s
	case *kmsg.DeleteTopicsRequest:
		return fmt.Sprint("delete ", r.TopicNames)
	case *kmsg.CreatePartitionsRequest:
		return fmt.Sprint("grow ", r.Topics[0].Topic, " to ", r.Topics[0].Count, " ", r.Topics[0].Assignment[0].Replicas)
	case *kmsg.IncrementalAlterConfigsRequest:
		s := fmt.Sprintf("alter %v %q", r.Resources[0].ResourceType, r.Resources[0].ResourceName)
		for _, c := range r.Resources[0].Configs {
			if c.Value == nil {
				s += " -" + c.Name
			} else {
				s += " " + c.Name + "=" + *c.Value
			}
		}
		return s
	case *kmsg.AlterPartitionAssignmentsRequest:
		s := "move"
		for _, topic := range r.Topics {
			for _, p := range topic.Partitions {
				s += fmt.Sprintf(" %s-%d=%v", topic.Topic, p.Partition, p.Replicas)
			}
		}
		return s
	case *kmsg.ElectLeadersRequest:
		return fmt.Sprint("elect ", r.Topics[0].Topic, " ", r.Topics[0].Partitions)
	}
	return fmt.Sprintf("%T", r)
}

func TestTranslate(t *testing.T) {
	const create, set, del = jute.OpCreate, jute.OpSetData, jute.OpDelete
	for _, c := range []struct {
		op           jute.Op
		path, data   string
		staged, want string
	}{
		{create, "/brokers/topics/new", `{"version":2,"partitions":{"1":[2,1],"0":[1,2]},"adding_replicas":{}}`, "", "create new 0=[1 2] 1=[2 1]"},
		{create, "/brokers/topics/new", `{"partitions":{"0":[1]}}`, `{"version":1,"config":{"retention.ms":"7"}}`, "create new 0=[1] retention.ms=7"},
		{create, "/brokers/topics/new", `{"partitions":{"0":[1]}}`, `{"config":7}`, "BADARGUMENTS"},
		{create, "/brokers/topics/new", `{"partitions":{"1":[1]}}`, "", "BADARGUMENTS"},
		{create, "/brokers/topics/new", `{"partitions":{"0":[1,1]}}`, "", "BADARGUMENTS"},
		{create, "/brokers/topics/new", `{"partitions":{"0":[]}}`, "", "BADARGUMENTS"},
		{create, "/brokers/topics/new", `{"partitions":{"0":[-1]}}`, "", "BADARGUMENTS"},
		{create, "/brokers/topics/new", `{"partitions":{}}`, "", "BADARGUMENTS"},
		{create, "/brokers/topics/new", `x`, "", "BADARGUMENTS"},
		{create, "/brokers/topics/t", `{"partitions":{"0":[1]}}`, "", "NODEEXISTS"},
		{create, "/brokers/topics/t/x", ``, "", "NOAUTH"},
		{create, "/brokers/topics/x/y", ``, "", "NONODE"},
		{create, "/brokers/topics", ``, "", "NODEEXISTS"},
		{create, "/brokers/ids/7", `{}`, "", "NOAUTH"},
		{create, "/controller", `{}`, "", "NODEEXISTS"},
		{set, "/brokers/topics/t", `{"partitions":{"0":[1,2],"1":[1,2],"2":[2]}}`, "", "grow t to 3 [2]"},
		{set, "/brokers/topics/t", `{"partitions":{"0":[1,2],"1":[1,2]}}`, "", "nothing"},
		{set, "/brokers/topics/t", `{"partitions":{"0":[1,2]}}`, "", "BADARGUMENTS"},
		{set, "/brokers/topics/t", `{"partitions":{"0":[2,1],"1":[1,2],"2":[1]}}`, "", "BADARGUMENTS"},
		{set, "/brokers/topics/none", `{}`, "", "NONODE"},
		{create, "/admin/delete_topics/t", ``, "", "delete [t]"},
		{create, "/admin/delete_topics/none", ``, "", "nothing"},
		{del, "/brokers/topics/t", ``, "", "NOAUTH"},
		{set, "/config/topics/t", `{"version":1,"config":{"retention.ms":"6"}}`, "", `alter TOPIC "t" retention.ms=6 -max.message.bytes`},
		{set, "/config/topics/t", `{"config":{"retention.ms":"5","max.message.bytes":"9"}}`, "", "nothing"},
		{set, "/config/topics/t", `[]`, "", "BADARGUMENTS"},
		{create, "/config/topics/new", `[]`, "", "BADARGUMENTS"},
		{create, "/config/topics/t", `{"config":{}}`, "", "NODEEXISTS"},
		{set, "/config/brokers/1", `{"config":{"leader.replication.throttled.rate":"1"}}`, "", `alter BROKER "1" leader.replication.throttled.rate=1 -log.retention.ms`},
		{set, "/config/brokers/2", `{"config":{}}`, "", "NONODE"},
		{create, "/config/brokers/2", `{"config":{"log.retention.ms":"1"}}`, "", `alter BROKER "2" log.retention.ms=1`},
		{create, "/config/brokers/<default>", `{"config":{"log.retention.ms":"1"}}`, "", `alter BROKER "" log.retention.ms=1`},
		{create, "/config/brokers/x", `{"config":{}}`, "", "BADARGUMENTS"},
		{create, "/config/users/u", `{"config":{}}`, "", "NOAUTH"},
		{create, "/config/clients/u", `{"config":{}}`, "", "NOAUTH"},
		{create, "/admin/reassign_partitions", `{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[2,1]},{"topic":"no","partition":0,"replicas":[1]},{"topic":"t","partition":1,"replicas":[1,2]}]}`, "", "move t-0=[2 1]"},
		{create, "/admin/reassign_partitions", `{"partitions":[{"topic":"t","partition":0,"replicas":[2,2]}]}`, "", "BADARGUMENTS"},
		{create, "/admin/reassign_partitions", `{"partitions":[{"topic":"t","partition":0,"replicas":[2]},{"topic":"t","partition":0,"replicas":[1]}]}`, "", "BADARGUMENTS"},
		{create, "/admin/preferred_replica_election", `{"version":1,"partitions":[{"topic":"t","partition":1},{"topic":"no","partition":0}]}`, "", "elect t [1]"},
		{create, "/admin/preferred_replica_election", `{"partitions":[{"partition":1}]}`, "", "BADARGUMENTS"},
		{set, "/controller", `{}`, "", "NOAUTH"},
		{del, "/controller", ``, "", "NOAUTH"},
		{set, "/brokers/topics/t/partitions/0/state", `{}`, "", "NOAUTH"},
		{jute.OpSetACL, "/brokers/topics", ``, "", "NOAUTH"},
		{create, "/kafka-acl/Topic/x", `{}`, "", "NONODE"},
		{create, "/kafka-acl", `{}`, "", "NONODE"},
	} {
		w := standing(t)
		var staged []byte
		if c.staged != "" {
			staged = []byte(c.staged)
		}
		order, err := w.picture.Translate(&jute.Request{Op: c.op, Path: c.path, Data: []byte(c.data), Version: -1, TTL: -1}, staged)
		got := ""
		var refusal *Refusal
		if errors.As(err, &refusal) {
			got = refusal.Code.String()
		} else {
			got = brief(order.Request)
		}
		if got != c.want {
			t.Errorf("%v %s %s: %s, want %s", c.op, c.path, c.data, got, c.want)
		}
	}
}

func TestNotificationsAndVersions(t *testing.T) {
	w := standing(t)
	order, err := w.picture.Translate(&jute.Request{
		Op: jute.OpCreate, Flags: jute.FlagSequential, Path: "/config/changes/config_change_", Data: []byte(`{"version":2,"entity_path":"topics/t"}`),
	}, nil)
	if err != nil || order.Request != nil || order.Path != fmt.Sprintf("/config/changes/config_change_%010d", w.at) {
		t.Errorf("a notification comes to %+v, %v", order, err)
	}
	n, _ := w.picture.Node("/config/topics/t")
	for version, want := range map[int32]bool{n.Stat.Version: true, n.Stat.Version - 1: false} {
		_, err := w.picture.Translate(&jute.Request{Op: jute.OpSetData, Path: "/config/topics/t", Version: version, Data: []byte(`{"config":{}}`)}, nil)
		if (err == nil) != want {
			t.Errorf("at version %d a write of version %d: %v", n.Stat.Version, version, err)
		}
	}
	for path, want := range map[string]bool{"/config/topics/new": true, "/config/topics/t": false, "/config/topics/..": false,
		"/config/topics/a/b": false, "/config/brokers/1": false} {
		if got := w.picture.Stages(&jute.Request{Op: jute.OpCreate, Path: path, Data: []byte(`{"config":{}}`)}); got != want {
			t.Errorf("%s waits for its topic: %v", path, got)
		}
	}
}

func TestOutcome(t *testing.T) {
	created := func(code int16) kmsg.Response {
		r := kmsg.NewPtrCreateTopicsResponse()
		r.Topics = []kmsg.CreateTopicsResponseTopic{{Topic: "t", ErrorCode: code, ErrorMessage: kmsg.StringPtr("why")}}
		return r
	}
	for code, want := range map[*kerr.Error]jute.Code{
		kerr.TopicAlreadyExists: jute.NodeExists, kerr.InvalidConfig: jute.BadArguments, kerr.NotController: jute.OperationTimeout,
		kerr.TopicAuthorizationFailed: jute.NoAuth, kerr.UnknownTopicOrPartition: jute.NoNode,
	} {
		var refusal *Refusal
		if err := Outcome(created(code.Code)); !errors.As(err, &refusal) || refusal.Code != want || !strings.Contains(refusal.Why, "why") {
			t.Errorf("%v means %v, want %v", code, err, want)
		}
	}
	if err := Outcome(created(0)); err != nil {
		t.Error(err)
	}
	moved := kmsg.NewPtrAlterPartitionAssignmentsResponse()
	moved.Topics = []kmsg.AlterPartitionAssignmentsResponseTopic{{Topic: "t", Partitions: []kmsg.AlterPartitionAssignmentsResponseTopicPartition{
		{Partition: 0}, {Partition: 1, ErrorCode: kerr.InvalidReplicaAssignment.Code},
	}}}
	var refusal *Refusal
	if err := Outcome(moved); err == nil || errors.As(err, &refusal) {
		t.Errorf("a part that went well makes %v", err)
	}
	moved.Topics[0].Partitions = moved.Topics[0].Partitions[1:]
	if err := Outcome(moved); !errors.As(err, &refusal) {
		t.Errorf("nothing that went well makes %v", err)
	}
	elected := kmsg.NewPtrElectLeadersResponse()
	elected.Topics = []kmsg.ElectLeadersResponseTopic{{Topic: "t", Partitions: []kmsg.ElectLeadersResponseTopicPartition{{ErrorCode: kerr.ElectionNotNeeded.Code}}}}
	if err := Outcome(elected); err != nil {
		t.Errorf("an election that is not needed makes %v", err)
	}
}

// FuzzTranslate holds what comes of any write against what Kafka's tools may write: no request for what is not there, and
// none that Kafka's protocol can't carry.
func FuzzTranslate(f *testing.F) {
	for _, data := range []string{
		`{"version":2,"partitions":{"0":[1,2],"1":[1,2],"2":[2,1]}}`, `{"version":1,"config":{"retention.ms":"6"}}`,
		`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[2,1]}]}`, `{"partitions":{"0":[1]},"partitions":{"1":null}}`, `null`, `[`,
	} {
		for path := range uint8(8) {
			f.Add(path, uint8(path)%3, []byte(data), []byte(`{"config":{"a":"b"}}`))
		}
	}
	var world *world
	f.Fuzz(func(t *testing.T, path, op uint8, data, staged []byte) {
		if world == nil {
			world = standing(t)
		}
		paths := []string{"/brokers/topics/new", "/brokers/topics/t", "/config/topics/t", "/config/brokers/1", "/config/brokers/<default>",
			"/admin/reassign_partitions", "/admin/preferred_replica_election", "/admin/delete_topics/t"}
		req := &jute.Request{Op: []jute.Op{jute.OpCreate, jute.OpSetData, jute.OpDelete}[op%3], Path: paths[int(path)%len(paths)], Data: data, Version: -1}
		order, err := world.picture.Translate(req, staged)
		if err != nil || order.Request == nil {
			return
		}
		if !json.Valid(data) && req.Path != "/admin/delete_topics/t" {
			t.Fatalf("%s %q became %s", req.Path, data, brief(order.Request))
		}
		body := order.Request.AppendTo(nil)
		again := kmsg.RequestForKey(order.Request.Key())
		again.SetVersion(order.Request.GetVersion())
		if err := again.ReadFrom(body); err != nil || !bytes.Equal(again.AppendTo(nil), body) {
			t.Fatalf("%s is not what is read again: %v", brief(order.Request), err)
		}
		_ = brief(order.Request)
	})
}
