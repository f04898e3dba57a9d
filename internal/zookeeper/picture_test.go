package zookeeper

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/wire"
	"barnabas/internal/zookeeper/jute"
)

// cluster writes the metadata of one at a chroot.
type cluster struct {
	t     testing.TB
	store *memstore.Store
	root  string
}

func foundCluster(t testing.TB, memory *memstore.Memory, chroot string) *cluster {
	t.Helper()
	c := &cluster{t, memory.Open(memstore.Faults{}), chroot + clusterRoot}
	t.Cleanup(func() { c.store.Close() })
	c.do(metadata.Put(metadata.ClusterKey(), metadata.EncodeCluster(metadata.Cluster{ID: ident.NewClusterID(), BornMs: 1})))
	return c
}

func (c *cluster) do(ops ...metadata.Op) {
	c.t.Helper()
	for i := range ops {
		ops[i].Key = c.root + ops[i].Key
	}
	if result, err := c.store.Txn(c.t.Context(), metadata.Txn{Then: ops}); err != nil || !result.OK {
		c.t.Fatal(result, err)
	}
}

func (c *cluster) broker(id ident.BrokerID) {
	c.do(metadata.Put(metadata.BrokerKey(id), metadata.EncodeBroker(&metadata.Broker{Stores: []ident.StoreID{ident.NewStoreID()}})))
}

func (c *cluster) topic(name string) {
	id := ident.NewTopicID()
	c.do(metadata.Put(metadata.TopicKey(id), metadata.EncodeTopic(name, 1)), metadata.Put(metadata.PartitionKey(id, 0), metadata.EncodePartition(
		&metadata.Partition{Replicas: []ident.BrokerID{1}, Leader: 1, ISR: []metadata.Member{{Broker: 1}}})))
}

// control stands in for the controller: it answers every request in the way that it is told to.
func (c *cluster) control(answer func(kmsg.Request) kmsg.Response) {
	changes := c.store.Watch(c.t.Context(), c.root+metadata.AskedPrefix(), 1)
	go func() {
		for change := range changes {
			for _, e := range change.Events {
				asked, err := metadata.DecodeAsked(e.Value)
				if e.Deleted || err != nil || asked.Answered {
					continue
				}
				header, body, err := wire.ParseHeader(asked.Frame)
				if err != nil {
					c.t.Error(err)
					return
				}
				request, err := wire.Decode(header, body)
				if err != nil {
					c.t.Error(err)
					return
				}
				response := answer(request)
				response.SetVersion(header.Version)
				var frame bytes.Buffer
				reply := wire.NewReply(header, response)
				if err := reply.SendTo(&frame); err != nil {
					c.t.Error(err)
					return
				}
				done := metadata.Asked{Answered: true, Lease: asked.Lease, Frame: frame.Bytes()[4:]}
				_, err = c.store.Txn(c.t.Context(), metadata.Txn{
					If:   []metadata.Compare{metadata.CreatedAt(e.Key, e.Created)},
					Then: []metadata.Op{metadata.PutLeased(e.Key, metadata.EncodeAsked(done), asked.Lease)},
				})
				if err != nil && c.t.Context().Err() == nil {
					c.t.Error(err)
				}
			}
		}
	}()
}

func names(t testing.TB, c *zk.Conn, path string) []string {
	t.Helper()
	list, _, err := c.Children(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	slices.Sort(list)
	return list
}

// The picture and the ordinary tree are one to a client.
func TestPictureAmongOtherNodes(t *testing.T) {
	memory := memstore.New()
	k := startKeeper(t, memory, nil)
	c, _ := client(t, longSession, k)
	if got := fmt.Sprint(names(t, c, "/")); got != "[zookeeper]" {
		t.Errorf("before there is a cluster the root has %s", got)
	}
	_, _, root, err := c.ChildrenW("/")
	if err != nil {
		t.Fatal(err)
	}
	inside := foundCluster(t, memory, "/kafka")
	inside.topic("in")
	plain := foundCluster(t, memory, "")
	plain.broker(1)
	plain.topic("t")
	if e := <-root; e.Type != zk.EventNodeChildrenChanged {
		t.Errorf("the root's watch hears %v", e)
	}
	must[string](t)(c.Sync("/"))
	const tops = "admin brokers cluster config consumers controller_epoch feature isr_change_notification log_dir_event_notification"
	if got, want := fmt.Sprint(names(t, c, "/")), "["+strings.Replace(tops, " log_", " kafka log_", 1)+" zookeeper]"; got != want {
		t.Errorf("the root has %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(names(t, c, "/kafka")), "["+tops+"]"; got != want {
		t.Errorf("the chroot has %s, want %s", got, want)
	}
	if got := fmt.Sprint(names(t, c, "/kafka/brokers/topics"), names(t, c, "/brokers/topics"), names(t, c, "/brokers/ids")); got != "[in] [t] [1]" {
		t.Errorf("topics and brokers are %s", got)
	}
	_, stat, err := c.Get("/")
	if err != nil || int(stat.NumChildren) != len(names(t, c, "/")) {
		t.Errorf("the root's stat is %+v: %v", stat, err)
	}
	// Old consumers, and whoever has a chroot, write beside the picture.
	for _, path := range []string{"/consumers/g", "/consumers/g/ids", "/kafka/consumers/h", "/kafka/mine"} {
		must[string](t)(c.Create(path, []byte("x"), 0, openACL))
	}
	must[*zk.Stat](t)(c.Set("/kafka", []byte("y"), -1))
	if got, want := fmt.Sprint(names(t, c, "/kafka")), "["+tops+" mine]"; got != want {
		t.Errorf("the chroot has %s, want %s", got, want)
	}
	if got := fmt.Sprint(names(t, c, "/consumers"), names(t, c, "/kafka/consumers")); got != "[g] [h]" {
		t.Errorf("consumers are %s", got)
	}
	if data, _, err := c.Get("/kafka"); err != nil || string(data) != "y" {
		t.Errorf("the chroot holds %q: %v", data, err)
	}
	acl, _, err := c.GetACL("/controller_epoch")
	if err != nil || len(acl) != 1 || acl[0].Perms != zk.PermRead {
		t.Errorf("the ACL of what nobody may write is %v: %v", acl, err)
	}
	if there, _, err := c.Exists("/brokers/topics/none"); there || err != nil {
		t.Errorf("a topic that is not: %v, %v", there, err)
	}
}

func TestWritesAreBroughtToTheController(t *testing.T) {
	memory := memstore.New()
	log := &written{}
	k := startKeeper(t, memory, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
	world := foundCluster(t, memory, "/kafka")
	var settings string
	world.control(func(request kmsg.Request) kmsg.Response {
		create := request.(*kmsg.CreateTopicsRequest)
		response := kmsg.NewPtrCreateTopicsResponse()
		made := kmsg.NewCreateTopicsResponseTopic()
		made.Topic = create.Topics[0].Topic
		for _, config := range create.Topics[0].Configs {
			settings += config.Name + "=" + *config.Value
		}
		if made.Topic == "refused" {
			made.ErrorCode, made.ErrorMessage = 44, kmsg.StringPtr("the policy says no")
		} else {
			world.topic(made.Topic)
		}
		response.Topics = append(response.Topics, made)
		return response
	})
	c, _ := client(t, longSession, k)
	must[string](t)(c.Sync("/"))
	must[string](t)(c.Create("/kafka/config/topics/t", []byte(`{"version":1,"config":{"a":"1"}}`), 0, openACL))
	if data, _, err := c.Get("/kafka/config/topics/t"); err != nil || string(data) != `{"version":1,"config":{"a":"1"}}` {
		t.Errorf("settings that wait for their topic are %s: %v", data, err)
	}
	if path, err := c.Create("/kafka/brokers/topics/t", []byte(`{"partitions":{"0":[1]}}`), 0, openACL); err != nil || path != "/kafka/brokers/topics/t" {
		t.Errorf("made as %q: %v", path, err)
	}
	// What the controller has done is there with the answer.
	if data, _, err := c.Get("/kafka/brokers/topics/t/partitions/0/state"); err != nil || !bytes.Contains(data, []byte(`"leader":1`)) {
		t.Errorf("the state is %s: %v", data, err)
	}
	if data, _, err := c.Get("/kafka/config/topics/t"); err != nil || string(data) != `{"version":1,"config":{}}` || settings != "a=1" {
		t.Errorf("the settings are %s (%v), the controller got %q", data, err, settings)
	}
	if _, err := c.Create("/kafka/brokers/topics/refused", []byte(`{"partitions":{"0":[1]}}`), 0, openACL); !errors.Is(err, zk.ErrBadArguments) || !log.has("the policy says no") {
		t.Errorf("refused by the controller: %v", err)
	}
	if _, err := c.Set("/kafka/controller_epoch", []byte("7"), -1); !errors.Is(err, zk.ErrNoAuth) || !log.has("path=/kafka/controller_epoch") {
		t.Errorf("the epoch is set: %v", err)
	}
	if _, err := c.Create("/kafka/kafka-acl", nil, 0, openACL); !errors.Is(err, zk.ErrNoAuth) && !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("ACLs that nobody heeds: %v", err)
	}
	eventually(t, "nothing that was asked is left in the store", func() bool {
		page, err := world.store.Range(t.Context(), metadata.RangeRequest{Prefix: world.root + metadata.AskedPrefix()})
		return err == nil && len(page.KVs) == 0
	})
}

// While the store does not answer, as in an election of the keepers', what is asked waits.
func TestStoreIsAwayWhileTheControllerIsAsked(t *testing.T) {
	memory := memstore.New()
	var away, hidden atomic.Int32
	store := memory.Open(memstore.Faults{
		Before: func(call memstore.Call) error {
			if call == memstore.CallTxn && away.Add(-1) >= 0 {
				return metadata.ErrUnavailable
			}
			return nil
		},
		After: func(call memstore.Call) error {
			if call == memstore.CallTxn && hidden.Add(-1) >= 0 {
				return metadata.ErrUnavailable
			}
			return nil
		},
	})
	k := startOn(t, store, nil)
	world := foundCluster(t, memory, "")
	asked := 0
	world.control(func(request kmsg.Request) kmsg.Response {
		asked++
		response := kmsg.NewPtrCreateTopicsResponse()
		made := kmsg.NewCreateTopicsResponseTopic()
		made.Topic = request.(*kmsg.CreateTopicsRequest).Topics[0].Topic
		world.topic(made.Topic)
		response.Topics = append(response.Topics, made)
		return response
	})
	c, _ := client(t, longSession, k)
	must[string](t)(c.Sync("/"))
	for i, faults := range []*atomic.Int32{&away, &hidden} {
		faults.Store(2)
		path := fmt.Sprintf("/brokers/topics/t%d", i)
		if _, err := c.Create(path, []byte(`{"partitions":{"0":[1]}}`), 0, openACL); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if there, _, err := c.Exists(path); !there || err != nil || asked != i+1 {
			t.Errorf("%s is there: %v, %v, and the controller was asked %d times", path, there, err, asked)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	memory := memstore.New()
	log := &written{}
	k := startKeeper(t, memory, func(o *Options) {
		o.Log, o.AskWithin = slog.New(slog.NewTextHandler(log, nil)), 50*time.Millisecond
	})
	world := foundCluster(t, memory, "")
	c, _ := client(t, longSession, k)
	must[string](t)(c.Sync("/"))
	if _, err := c.Create("/brokers/topics/t", []byte(`{"partitions":{"0":[1]}}`), 0, openACL); err == nil || !log.has("the cluster may have no controller") {
		t.Errorf("made without a controller: %v", err)
	}
	eventually(t, "nothing that was asked is left in the store", func() bool {
		page, err := world.store.Range(t.Context(), metadata.RangeRequest{Prefix: world.root + metadata.AskedPrefix()})
		return err == nil && len(page.KVs) == 0
	})
	if _, err := c.Create("/still", nil, 0, openACL); err != nil {
		t.Errorf("the session is of no use any more: %v", err)
	}
}

func TestUnreadableClusterIsNotTheTreesEnd(t *testing.T) {
	memory := memstore.New()
	log := &written{}
	world := foundCluster(t, memory, "")
	world.do(metadata.Put(metadata.FormatKey(), []byte("99")))
	k := startKeeper(t, memory, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
	c, _ := client(t, longSession, k)
	must[string](t)(c.Create("/a", nil, 0, openACL))
	if there, _, err := c.Exists("/brokers"); there || err != nil || !log.has("its picture is empty") {
		t.Errorf("the picture of a cluster of a later release: %v, %v", there, err)
	}
	foundCluster(t, memory, "/other").do(metadata.Put(metadata.FormatKey(), []byte("99")))
	must[string](t)(c.Create("/b", nil, 0, openACL))
}

// Watches on a picture go along to another keeper, and hear what went meanwhile.
func TestWatchesOnThePictureGoAlong(t *testing.T) {
	memory := memstore.New()
	world := foundCluster(t, memory, "")
	world.broker(1)
	world.broker(2)
	world.topic("t")
	a, b := startKeeper(t, memory, nil), startKeeper(t, memory, nil)
	c := dial(t, a)
	request := connectRequest(30000)
	id, _, password := c.connect(request)
	_, seen, code, _ := c.ask(1, jute.Request{Op: jute.OpGetChildren, Path: "/brokers/ids", Watch: true})
	if code != jute.OK {
		t.Fatal(code)
	}
	other := dial(t, b)
	other.connect(connectRequest(30000)) // b has its copy before anything changes
	a.stop()
	world.do(metadata.Delete(metadata.BrokerKey(2)))
	request.SessionID, request.Password, request.LastZxidSeen = id, password, seen
	again := dial(t, b)
	if got, _, _ := again.connect(request); got != id {
		t.Fatalf("the session was %x and is %x", id, got)
	}
	if _, _, code, _ := again.ask(2, jute.Request{Op: jute.OpSync, Path: "/"}); code != jute.OK {
		t.Fatal(code)
	}
	set := jute.Request{Op: jute.OpSetWatches, Watches: &jute.Watches{
		RelativeZxid: seen, Child: []string{"/brokers/ids", "/brokers/topics"}, Data: []string{"/brokers/topics/t", "/brokers/topics/gone"},
		Exist: []string{"/controller"},
	}}
	again.send(set.Append(jute.AppendInt(jute.AppendInt(nil, jute.XidSetWatches), int32(set.Op))))
	told := func() string {
		r := again.receive()
		if xid, _, _ := r.Int(), r.Long(), r.Int(); xid != jute.XidNotification {
			return fmt.Sprint(xid)
		}
		event, _ := jute.EventType(r.Int()), r.Int()
		return event.String() + " " + r.String()
	}
	for _, want := range []string{"NodeDeleted /brokers/topics/gone", "NodeChildrenChanged /brokers/ids", "-8"} {
		if got := told(); got != want {
			t.Fatalf("told %q and not %q", got, want)
		}
	}
	world.topic("u")
	world.do(metadata.Put(metadata.ControllerKey(), metadata.EncodeElection(1)))
	for _, want := range []string{"NodeChildrenChanged /brokers/topics", "NodeCreated /controller"} {
		if got := told(); got != want {
			t.Fatalf("told %q and not %q", got, want)
		}
	}
}

// Every keeper tells the same stat of a node, whether it saw the change or began later, and whether the change fitted
// into one transaction or not.
func TestZxidsAreTheSameOnEveryKeeper(t *testing.T) {
	memory := memstore.New()
	a, b := startKeeper(t, memory, nil), startKeeper(t, memory, nil)
	ca, _ := client(t, longSession, a)
	cb, _ := client(t, longSession, b)
	must[string](t)(ca.Create("/one", nil, 0, openACL))
	foundCluster(t, memory, "") // a revision of somebody else's
	var many []any
	for n := range 200 {
		many = append(many, &zk.CreateRequest{Path: fmt.Sprintf("/one/%d", n), Acl: openACL})
	}
	must[[]zk.MultiResponse](t)(ca.Multi(many...))
	paths := []string{"/one", "/one/0", "/one/199", "/brokers", "/cluster/id", "/two"}
	told := func(c *zk.Conn) (stats []zk.Stat) {
		t.Helper()
		must[string](t)(c.Sync("/"))
		for _, path := range paths[:len(paths)-1] {
			there, stat, err := c.Exists(path)
			if !there || err != nil {
				t.Fatalf("%s: %v, %v", path, there, err)
			}
			stats = append(stats, *stat)
		}
		return stats
	}
	want := told(ca)
	if got := told(cb); !slices.Equal(got, want) {
		t.Errorf("the second keeper tells\n%+v, the first\n%+v", got, want)
	}
	late, _ := client(t, longSession, startKeeper(t, memory, nil))
	if got := told(late); !slices.Equal(got, want) {
		t.Errorf("one that began before everything was carried out tells\n%+v, the first\n%+v", got, want)
	}
	must[string](t)(cb.Create("/two", nil, 0, openACL)) // carries out the rest
	later, _ := client(t, longSession, startKeeper(t, memory, nil))
	if got := told(later); !slices.Equal(got, want) {
		t.Errorf("one that began after it tells\n%+v, the first\n%+v", got, want)
	}
	paths = append(paths, "")
	all := [][]zk.Stat{told(ca), told(cb), told(late), told(later)}
	last := all[0][len(all[0])-1]
	for _, got := range all[1:] {
		if !slices.Equal(got, all[0]) {
			t.Errorf("keepers tell\n%+v and\n%+v", got, all[0])
		}
	}
	if last.Czxid <= want[2].Czxid || last.Czxid != last.Mzxid {
		t.Errorf("the newest node is of %d, the one before of %d", last.Czxid, want[2].Czxid)
	}
}
