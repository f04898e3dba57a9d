package zookeeper

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"barnabas/internal/metadata/memstore"
	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/tree"
)

const longSession = 30 * time.Second

func TestNodesThroughAClient(t *testing.T) {
	c, _ := client(t, longSession, startKeeper(t, memstore.New(), nil))
	if path := must[string](t)(c.Create("/a", []byte("one"), 0, openACL)); path != "/a" {
		t.Errorf("created %q", path)
	}
	if _, err := c.Create("/a", nil, 0, openACL); !errors.Is(err, zk.ErrNodeExists) {
		t.Errorf("created twice: %v", err)
	}
	if _, err := c.Create("/x/y", nil, 0, openACL); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("created below nothing: %v", err)
	}
	stat, err := c.Set("/a", []byte("two"), 0)
	if err != nil || stat.Version != 1 || stat.Mzxid <= stat.Czxid {
		t.Errorf("set: %+v, %v", stat, err)
	}
	if _, err := c.Set("/a", nil, 0); !errors.Is(err, zk.ErrBadVersion) {
		t.Errorf("set an old version: %v", err)
	}
	data, stat, err := c.Get("/a")
	if err != nil || string(data) != "two" || stat.DataLength != 3 {
		t.Errorf("got %q, %+v, %v", data, stat, err)
	}
	for range 3 {
		must[string](t)(c.Create("/a/n-", nil, zk.FlagSequence, openACL))
	}
	names, stat, err := c.Children("/a")
	slices.Sort(names)
	if err != nil || !slices.Equal(names, []string{"n-0000000000", "n-0000000001", "n-0000000002"}) || stat.NumChildren != 3 {
		t.Errorf("children %v, %+v, %v", names, stat, err)
	}
	if err := c.Delete("/a", -1); !errors.Is(err, zk.ErrNotEmpty) {
		t.Errorf("deleted with children: %v", err)
	}
	if err := c.Delete("/a/n-0000000001", 0); err != nil {
		t.Error(err)
	}
	there, _, err := c.Exists("/a/n-0000000001")
	if there || err != nil {
		t.Errorf("it is still there: %v, %v", there, err)
	}
	if _, err := c.Sync("/a"); err != nil {
		t.Error(err)
	}
}

func TestMultiThroughAClient(t *testing.T) {
	c, _ := client(t, longSession, startKeeper(t, memstore.New(), nil))
	results, err := c.Multi(
		&zk.CreateRequest{Path: "/m", Data: []byte("a"), Acl: openACL},
		&zk.CreateRequest{Path: "/m/n", Acl: openACL},
		&zk.SetDataRequest{Path: "/m", Data: []byte("b"), Version: 0},
		&zk.CheckVersionRequest{Path: "/m", Version: 1},
	)
	if err != nil || len(results) != 4 || results[1].String != "/m/n" || results[2].Stat.Version != 1 {
		t.Fatalf("%+v, %v", results, err)
	}
	results, err = c.Multi(
		&zk.SetDataRequest{Path: "/m", Data: []byte("c"), Version: -1},
		&zk.DeleteRequest{Path: "/nowhere", Version: -1},
	)
	if !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("%+v, %v", results, err)
	}
	if data, _, _ := c.Get("/m"); string(data) != "b" {
		t.Errorf("a multi that failed left %q", data)
	}
}

func TestAMultiLargerThanATransactionOfTheStore(t *testing.T) {
	memory := memstore.New()
	k := startKeeper(t, memory, nil)
	c, _ := client(t, longSession, k)
	const many = 1000
	ops := []any{&zk.CreateRequest{Path: "/many", Acl: openACL}}
	for i := range many {
		ops = append(ops, &zk.CreateRequest{Path: fmt.Sprintf("/many/%d", i), Data: []byte("x"), Acl: openACL})
	}
	if _, err := c.Multi(ops...); err != nil {
		t.Fatal(err)
	}
	names, stat, err := c.Children("/many")
	if err != nil || len(names) != many || stat.NumChildren != many {
		t.Fatalf("%d children, %+v, %v", len(names), stat, err)
	}
	// Another keeper reads what did not fit from the head, and it survives the next change.
	other, _ := client(t, longSession, startKeeper(t, memory, nil))
	if names, _, _ := other.Children("/many"); len(names) != many {
		t.Fatalf("another keeper sees %d children", len(names))
	}
	if err := other.Delete("/many/7", 0); err != nil {
		t.Fatal(err)
	}
	third, _ := client(t, longSession, startKeeper(t, memory, nil))
	if names, _, _ := third.Children("/many"); len(names) != many-1 {
		t.Fatalf("a third keeper sees %d children", len(names))
	}
}

func TestWatchesThroughAClient(t *testing.T) {
	k := startKeeper(t, memstore.New(), nil)
	c, _ := client(t, longSession, k)
	other, _ := client(t, longSession, k)
	_, _, born, err := c.ExistsW("/w")
	if err != nil {
		t.Fatal(err)
	}
	must[string](t)(other.Create("/w", nil, 0, openACL))
	if e := next(t, born); e.Type != zk.EventNodeCreated || e.Path != "/w" {
		t.Errorf("%+v", e)
	}
	_, _, data, _ := c.GetW("/w")
	_, _, kids, _ := c.ChildrenW("/w")
	must[string](t)(other.Create("/w/x", nil, 0, openACL))
	if e := next(t, kids); e.Type != zk.EventNodeChildrenChanged {
		t.Errorf("%+v", e)
	}
	must[*zk.Stat](t)(other.Set("/w", []byte("new"), -1))
	if e := next(t, data); e.Type != zk.EventNodeDataChanged {
		t.Errorf("%+v", e)
	}
}

func TestLocksThroughAClient(t *testing.T) {
	memory := memstore.New()
	a, b := startKeeper(t, memory, nil), startKeeper(t, memory, nil)
	const workers, rounds = 4, 5
	var (
		wg     sync.WaitGroup
		inside sync.Mutex
		count  int
	)
	for i := range workers {
		c, _ := client(t, longSession, []*keeper{a, b}[i%2])
		lock := zk.NewLock(c, "/lock", openACL)
		wg.Go(func() {
			for range rounds {
				if err := lock.Lock(); err != nil {
					t.Error(err)
					return
				}
				if !inside.TryLock() {
					t.Error("two hold the lock")
				} else {
					count++
					inside.Unlock()
				}
				if err := lock.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if count != workers*rounds {
		t.Errorf("the lock was held %d times", count)
	}
}

func TestEphemeralsGoWithTheirSession(t *testing.T) {
	memory := memstore.New()
	a, b := startKeeper(t, memory, nil), startKeeper(t, memory, nil)
	c, _ := client(t, longSession, a)
	other, _ := client(t, longSession, b)
	must[string](t)(c.Create("/e", nil, zk.FlagEphemeral, openACL))
	must[string](t)(other.Sync("/"))
	there, stat, gone, err := other.ExistsW("/e")
	if !there || err != nil || stat.EphemeralOwner != c.SessionID() {
		t.Fatalf("%v, %+v, %v", there, stat, err)
	}
	c.Close()
	if e := next(t, gone); e.Type != zk.EventNodeDeleted {
		t.Errorf("%+v", e)
	}
}

func TestASessionThatIsSilentExpires(t *testing.T) {
	k := startKeeper(t, memstore.New(), nil)
	other, _ := client(t, longSession, k)
	silent := dial(t, k)
	id, _, _ := silent.connect(connectRequest(30000))
	if _, _, code, _ := silent.ask(1, createRequest("/e", jute.FlagEphemeral)); code != jute.OK {
		t.Fatal(code)
	}
	_, _, gone, err := other.ExistsW("/e")
	if err != nil {
		t.Fatal(err)
	}
	k.server.replica.mu.RLock()
	k.server.sessions[id].heard.Add(-int64(time.Minute))
	k.server.replica.mu.RUnlock()
	if e := next(t, gone); e.Type != zk.EventNodeDeleted {
		t.Errorf("%+v", e)
	}
	if !silent.closed() {
		t.Error("the client without a session is still connected")
	}
}

func TestReconnectToAnotherKeeperWithTheSameSession(t *testing.T) {
	memory := memstore.New()
	a, b := startKeeper(t, memory, nil), startKeeper(t, memory, nil)
	c, events := client(t, longSession, a, b)
	must[string](t)(c.Create("/mine", []byte("1"), zk.FlagEphemeral, openACL))
	id := c.SessionID()
	a.stop()
	until(t, events, zk.StateHasSession)
	if c.SessionID() != id {
		t.Errorf("the session was %x and is %x", id, c.SessionID())
	}
	if there, stat, err := c.Exists("/mine"); !there || err != nil || stat.EphemeralOwner != id {
		t.Errorf("%v, %+v, %v", there, stat, err)
	}
	must[*zk.Stat](t)(c.Set("/mine", []byte("2"), 0))
}

// The lock's holder is at a keeper that goes; whoever waits for the lock is at another one, for go-zookeeper has a data race where it
// sets watches again.
func TestALockOutlivesItsKeeper(t *testing.T) {
	memory := memstore.New()
	a, b := startKeeper(t, memory, nil), startKeeper(t, memory, nil)
	holder, events := client(t, longSession, a, b)
	other, _ := client(t, longSession, b)
	held, wanted := zk.NewLock(holder, "/lock", openACL), zk.NewLock(other, "/lock", openACL)
	if err := held.Lock(); err != nil {
		t.Fatal(err)
	}
	had := make(chan error, 1)
	go func() { had <- wanted.Lock() }()
	eventually(t, "somebody waits for the lock", func() bool {
		_, stat, err := holder.Children("/lock")
		return err == nil && stat.NumChildren == 2
	})
	a.stop()
	until(t, events, zk.StateHasSession)
	if names, _, err := holder.Children("/lock"); err != nil || len(names) != 2 {
		t.Errorf("after the keeper is gone, two want the lock: %v, %v", names, err)
	}
	select {
	case err := <-had:
		t.Fatalf("two have the lock, or one has failed: %v", err)
	default:
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-had:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(enough):
		t.Fatal("nobody gets the lock that is let go")
	}
	if err := wanted.Unlock(); err != nil {
		t.Error(err)
	}
}

// TestWatchesGoAlongToAnotherKeeper is told in bytes: go-zookeeper has a data race where it sets watches again.
func TestWatchesGoAlongToAnotherKeeper(t *testing.T) {
	memory := memstore.New()
	a, b := startKeeper(t, memory, nil), startKeeper(t, memory, nil)
	c := dial(t, a)
	request := connectRequest(30000)
	id, _, password := c.connect(request)
	_, seen, _, _ := c.ask(1, createRequest("/seen", 0))
	a.stop()
	other, _ := client(t, longSession, b)
	must[string](t)(other.Create("/new", nil, 0, openACL))
	request.SessionID, request.Password, request.LastZxidSeen = id, password, seen
	again := dial(t, b)
	if got, _, _ := again.connect(request); got != id {
		t.Fatalf("the session was %x and is %x", id, got)
	}
	set := jute.Request{Op: jute.OpSetWatches2, Watches: &jute.Watches{
		RelativeZxid: seen, Data: []string{"/seen", "/gone"}, Exist: []string{"/new", "/later"}, Child: []string{"/"},
		Persistent: []string{"/p"}, PersistentRecursive: []string{"/r"},
	}}
	again.send(set.Append(jute.AppendInt(jute.AppendInt(nil, jute.XidSetWatches), int32(set.Op))))
	told := func() string {
		r := again.receive()
		xid, _, _ := r.Int(), r.Long(), r.Int()
		if xid != jute.XidNotification {
			return fmt.Sprint(xid)
		}
		event, _ := jute.EventType(r.Int()), r.Int()
		return event.String() + " " + r.String()
	}
	for _, want := range []string{"NodeDeleted /gone", "NodeCreated /new", "NodeChildrenChanged /", "-8"} {
		if got := told(); got != want {
			t.Fatalf("told %q and not %q", got, want)
		}
	}
	for _, path := range []string{"/later", "/p", "/r", "/r/x"} {
		must[string](t)(other.Create(path, nil, 0, openACL))
	}
	must[*zk.Stat](t)(other.Set("/seen", []byte("x"), 0))
	for _, want := range []string{"NodeCreated /later", "NodeCreated /p", "NodeCreated /r", "NodeCreated /r/x", "NodeDataChanged /seen"} {
		if got := told(); got != want {
			t.Fatalf("told %q and not %q", got, want)
		}
	}
}

func TestSessionsOfAKeeperThatIsGoneEndAfterTheirTimeout(t *testing.T) {
	t.Parallel()
	k := startKeeper(t, memstore.New(), nil)
	other, _ := client(t, longSession, k)
	const id = 42
	done := make(chan tree.Result, 1)
	err := k.server.submit(&write{
		try: func(d *tree.Draft) tree.Result {
			d.OpenSession(id, tree.Session{TimeoutMs: 1, Keeper: "gone"})
			req := createRequest("/e", jute.FlagEphemeral)
			return d.Do(tree.Caller{Session: id, Keeper: "gone"}, &req)
		},
		done: func(r tree.Result, _ error) { done <- r },
	})
	if r := <-done; err != nil || r.Code != jute.OK {
		t.Fatal(r, err)
	}
	eventually(t, "the node of a client whose keeper is gone is gone", func() bool {
		there, _, err := other.Exists("/e")
		return err == nil && !there
	})
}

func TestKeepersKnowWhichOfThemLive(t *testing.T) {
	t.Parallel()
	memory := memstore.New()
	a, b := startKeeper(t, memory, nil), startKeeper(t, memory, nil)
	knows := func(k *keeper, other *keeper) bool {
		k.server.replica.mu.RLock()
		defer k.server.replica.mu.RUnlock()
		return k.server.replica.keepers[other.server.id]
	}
	eventually(t, "they know each other", func() bool { return knows(a, b) && knows(b, a) })
	a.store.Cut() // as if its machine were gone: its lease runs out
	eventually(t, "the other knows that one is gone", func() bool { return !knows(b, a) })
	a.store.Mend()
	eventually(t, "one that comes back is known again", func() bool { return knows(a, b) && knows(b, a) })
}
