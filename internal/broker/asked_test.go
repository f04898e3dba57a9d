package broker

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/vfs"
)

type silent struct{}

func (silent) Printf(string, ...any) {}

// withKeeper is a broker with its own keeper inside, and a ZooKeeper client of that.
func withKeeper(t *testing.T) (*Broker, *zk.Conn) {
	t.Helper()
	c, _, err := config.Load(config.Sources{Overrides: []string{
		"listeners=PLAINTEXT://127.0.0.1:0", "http.listener=127.0.0.1:0", "log.dirs=" + t.TempDir(), "broker.id=1",
		"keeper.listener=127.0.0.1:0",
	}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Start(t.Context(), Options{Config: c, FS: vfs.OS, Logger: slog.New(slog.DiscardHandler), Version: "test", Guest: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Stop(context.Background()) })
	client, _, err := zk.Connect([]string{b.meta.keeper.Addr()}, 30*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return b, client
}

// What Kafka's old tools do with topics, by a ZooKeeper client's hand.
func TestOldToolsThroughAKeeper(t *testing.T) {
	b, client := withKeeper(t)
	open := zk.WorldACL(zk.PermAll)
	exists := func(path string) bool {
		t.Helper()
		there, _, err := client.Exists(path)
		if err != nil {
			t.Fatal(err)
		}
		return there
	}
	data := func(path string) string {
		t.Helper()
		data, _, err := client.Get(path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return string(data)
	}
	for deadline := time.Now().Add(30 * time.Second); !exists("/controller"); pause(t.Context(), 10*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("there is no controller")
		}
	}
	if !exists("/brokers/ids/1") || !strings.Contains(data("/controller"), `"brokerid":1`) {
		t.Fatal("the broker is not there")
	}
	_, _, topics, err := client.ChildrenW("/brokers/topics")
	if err != nil {
		t.Fatal(err)
	}
	// A topic's settings are written before it is made.
	if _, err := client.Set("/config/topics/t", []byte(`{"version":1,"config":{"retention.ms":"60000"}}`), -1); !errors.Is(err, zk.ErrNoNode) {
		t.Fatalf("settings of no topic are set: %v", err)
	}
	if _, err := client.Create("/config/topics/t", []byte(`{"version":1,"config":{"retention.ms":"60000"}}`), 0, open); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Create("/brokers/topics/t", []byte(`{"version":2,"partitions":{"0":[1],"1":[1]}}`), 0, open); err != nil {
		t.Fatal(err)
	}
	if state := data("/brokers/topics/t/partitions/1/state"); !strings.Contains(state, `"leader":1,`) {
		t.Errorf("the topic is made, and a partition's state is %s", state)
	}
	select {
	case e := <-topics:
		if e.Type != zk.EventNodeChildrenChanged {
			t.Errorf("who watches the topics hears %v", e)
		}
	case <-time.After(30 * time.Second):
		t.Error("who watches the topics hears nothing")
	}
	name := metadata.Resource{Type: metadata.TopicResource, Name: "t"}
	await(t, "the topic's retention", func() bool { return b.feed.Current().Config(name)["retention.ms"] == "60000" })
	if _, err := client.Create("/brokers/topics/t", []byte(`{"partitions":{"0":[1]}}`), 0, open); !errors.Is(err, zk.ErrNodeExists) {
		t.Errorf("made again: %v", err)
	}
	if _, err := client.Create("/brokers/topics/u", []byte(`{"partitions":{"0":[9]}}`), 0, open); !errors.Is(err, zk.ErrBadArguments) {
		t.Errorf("made on a broker that is not there: %v", err)
	}
	if _, err := client.Set("/brokers/topics/t", []byte(`{"partitions":{"0":[1],"1":[1],"2":[1]}}`), -1); err != nil {
		t.Error(err)
	}
	if !exists("/brokers/topics/t/partitions/2/state") {
		t.Error("the third partition is not there")
	}
	if _, err := client.Set("/config/topics/t", []byte(`{"version":1,"config":{"cleanup.policy":"compact"}}`), -1); err != nil {
		t.Error(err)
	}
	if got := data("/config/topics/t"); got != `{"version":1,"config":{"cleanup.policy":"compact"}}` {
		t.Errorf("the settings are %s", got)
	}
	if path, err := client.Create("/config/changes/config_change_", nil, zk.FlagSequence, open); err != nil || !strings.HasPrefix(path, "/config/changes/config_change_0") {
		t.Errorf("a notification is made as %q: %v", path, err)
	}
	if _, err := client.Set("/config/topics/t", []byte(`{"config":{"nonsense":"1"}}`), -1); !errors.Is(err, zk.ErrBadArguments) {
		t.Errorf("nonsense is set: %v", err)
	}
	for path, content := range map[string]string{
		"/admin/reassign_partitions":        `{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1]}]}`,
		"/admin/preferred_replica_election": `{"version":1,"partitions":[{"topic":"t","partition":0}]}`,
	} {
		if _, err := client.Create(path, []byte(content), 0, open); err != nil || exists(path) {
			t.Errorf("%s: %v, and it is still there: %v", path, err, exists(path))
		}
	}
	if _, err := client.Create("/admin/delete_topics/t", nil, 0, open); err != nil {
		t.Error(err)
	}
	if exists("/brokers/topics/t") || exists("/config/topics/t") || exists("/admin/delete_topics/t") || b.feed.Current().Topic("t") != nil {
		t.Error("the topic is still there")
	}
	for _, path := range []string{"/controller", "/controller_epoch", "/cluster/id", "/brokers/ids/1"} {
		if _, err := client.Set(path, []byte("{}"), -1); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("%s is set: %v", path, err)
		}
	}
	if _, err := client.Multi(&zk.CheckVersionRequest{Path: "/controller_epoch", Version: -1}, &zk.CreateRequest{Path: "/x", Acl: open}); err == nil {
		t.Error("what shows the cluster is a part of a multi")
	}
	// Old consumers have their own place.
	if _, err := client.Create("/consumers/g", nil, 0, open); err != nil || !exists("/consumers/g") {
		t.Errorf("a group of old consumers: %v", err)
	}
	if names, _, err := client.Children("/"); err != nil || strings.Count(strings.Join(names, " "), "consumers") != 1 {
		t.Errorf("the root has %v: %v", names, err)
	}
	if got := b.feed.Current().Brokers(); len(got) != 1 || got[0].ID != ident.BrokerID(1) {
		t.Errorf("the brokers are %v", got)
	}
}

// kafka-configs of old writes any broker's settings; the controller, which carries that out, is another one.
func TestSettingsOfAnotherBrokerThroughAKeeper(t *testing.T) {
	b, client := withKeeper(t)
	_, err := b.meta.store.Txn(t.Context(), metadata.Txn{Then: []metadata.Op{metadata.Put(metadata.BrokerKey(2), metadata.EncodeBroker(&metadata.Broker{}))}})
	if err != nil {
		t.Fatal(err)
	}
	settings := []byte(`{"version":1,"config":{"leader.replication.throttled.rate":"99999999"}}`)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); pause(t.Context(), 10*time.Millisecond) {
		if _, err = client.Create("/config/brokers/2", settings, 0, zk.WorldACL(zk.PermAll)); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := b.feed.Current().Config(metadata.Resource{Type: metadata.BrokerResource, Name: "2"})["leader.replication.throttled.rate"]; got != "99999999" {
		t.Errorf("the setting is %q", got)
	}
}
