package zookeeper

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"

	"barnabas/internal/metadata/memstore"
	"barnabas/internal/zookeeper/jute"
)

func connectRequest(timeoutMs int32) jute.ConnectRequest {
	return jute.ConnectRequest{TimeoutMs: timeoutMs, Password: make([]byte, 16), HasReadOnly: true}
}

func createRequest(path string, flags int32) jute.Request {
	return jute.Request{Op: jute.OpCreate, Path: path, ACL: jute.OpenACL, Flags: flags, TTL: -1}
}

// written is a log that a test reads.
type written struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(b)
}

func (w *written) has(s string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(w.buf.String(), s)
}

func TestWhatIsNotZooKeeperIsNamed(t *testing.T) {
	log := &written{}
	k := startKeeper(t, memstore.New(), func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
	huge := dial(t, k)
	if _, err := huge.net.Write(binary.BigEndian.AppendUint32(nil, math.MaxInt32)); err != nil {
		t.Fatal(err)
	}
	if !huge.closed() || !log.has("2147483647 bytes, of at most 1048575") {
		t.Error("a packet of 2 GiB is not refused with a clear line")
	}
	kafka := dial(t, k)
	kafka.send([]byte{0, 18, 0, 3, 0, 0, 0, 1, 0, 1, 'x', 0, 1, 'a', 1, 'b', 0})
	if !kafka.closed() || !log.has("Kafka's is spoken at a broker's port") {
		t.Error("Kafka's bytes are not refused with a clear line")
	}
	late := dial(t, k)
	late.connect(connectRequest(10000))
	if _, err := late.net.Write(binary.BigEndian.AppendUint32(nil, 1<<30)); err != nil {
		t.Fatal(err)
	}
	if !late.closed() || !log.has("1073741824 bytes") {
		t.Error("a packet of 1 GiB within a session is not refused with a clear line")
	}
}

func TestSessionsAreNegotiated(t *testing.T) {
	k := startKeeper(t, memstore.New(), nil)
	first := dial(t, k)
	id, timeout, password := first.connect(connectRequest(1))
	if id == 0 || timeout != 4000 || len(password) != 16 {
		t.Fatalf("session %x, %d ms, %d bytes of password", id, timeout, len(password))
	}
	// A client from before the read-only byte, which takes the session over: the old connection ends.
	again := dial(t, k)
	got, timeout, _ := again.connect(jute.ConnectRequest{TimeoutMs: 1000000, SessionID: id, Password: password})
	if got != id || timeout != 40000 {
		t.Errorf("session %x, %d ms", got, timeout)
	}
	if !first.closed() {
		t.Error("the old connection lives on")
	}
	wrong := dial(t, k)
	if got, timeout, _ := wrong.connect(jute.ConnectRequest{TimeoutMs: 10000, SessionID: id, Password: make([]byte, 16)}); got != 0 || timeout != 0 {
		t.Errorf("with a wrong password: session %x, %d ms", got, timeout)
	}
	if !wrong.closed() {
		t.Error("a client without a session is kept")
	}
	if xid, _, code, _ := again.ask(7, jute.Request{Op: jute.OpCloseSession}); xid != 7 || code != jute.OK || !again.closed() {
		t.Errorf("close: xid %d, %v", xid, code)
	}
	over := dial(t, k)
	if got, _, _ := over.connect(jute.ConnectRequest{TimeoutMs: 10000, SessionID: id, Password: password}); got != 0 {
		t.Error("a session that was closed is there")
	}
}

func TestRequestsOfEveryKind(t *testing.T) {
	k := startKeeper(t, memstore.New(), nil)
	c := dial(t, k)
	id, _, _ := c.connect(connectRequest(10000))
	xid := int32(0)
	ask := func(want jute.Code, req jute.Request) *jute.Reader {
		t.Helper()
		xid++
		got, zxid, code, body := c.ask(xid, req)
		if got != xid || code != want || zxid <= 0 {
			t.Fatalf("%+v: xid %d, zxid %d, %v; want %v", req, got, zxid, code, want)
		}
		return body
	}
	ask(jute.OK, createRequest("/a", jute.FlagPersistent))
	body := ask(jute.OK, jute.Request{Op: jute.OpCreate2, Path: "/a/e", ACL: jute.OpenACL, Flags: jute.FlagEphemeral})
	if path, stat := body.String(), body.Stat(); path != "/a/e" || stat.EphemeralOwner != id || body.Left() != 0 {
		t.Errorf("create2: %q, %+v", path, stat)
	}
	ask(jute.OK, jute.Request{Op: jute.OpCreateContainer, Path: "/c", ACL: jute.OpenACL, Flags: jute.FlagContainer})
	ask(jute.OK, jute.Request{Op: jute.OpCreateTTL, Path: "/t", ACL: jute.OpenACL, Flags: jute.FlagPersistentTTL, TTL: 5000})
	if body := ask(jute.OK, jute.Request{Op: jute.OpGetAllChildrenNumber, Path: "/"}); body.Int() != 7 {
		t.Error("the nodes below / are not counted")
	}
	if body := ask(jute.OK, jute.Request{Op: jute.OpGetEphemerals, Path: "/"}); fmt.Sprint(body.Strings()) != "[/a/e]" {
		t.Error("the ephemeral nodes are not told")
	}
	if body := ask(jute.OK, jute.Request{Op: jute.OpSync, Path: "/a"}); body.String() != "/a" {
		t.Error("sync does not name the path")
	}
	body = ask(jute.OK, jute.Request{Op: jute.OpMultiRead, Parts: []jute.Request{
		{Op: jute.OpGetData, Path: "/a"}, {Op: jute.OpGetChildren, Path: "/nowhere"}, {Op: jute.OpGetChildren, Path: "/a"},
	}})
	if h := body.MultiHeader(); h.Op != jute.OpGetData || body.Buffer() != nil || body.Stat().NumChildren != 1 {
		t.Errorf("multiRead: %+v", h)
	}
	if h := body.MultiHeader(); h.Op != jute.OpError || h.Code != jute.NoNode || jute.Code(body.Int()) != jute.NoNode {
		t.Errorf("multiRead: %+v", h)
	}
	if h := body.MultiHeader(); h.Op != jute.OpGetChildren || fmt.Sprint(body.Strings()) != "[e]" || !body.MultiHeader().Done {
		t.Errorf("multiRead: %+v", h)
	}
	ask(jute.OK, jute.Request{Op: jute.OpSetACL, Path: "/a", ACL: jute.OpenACL, Version: 0})
	if body := ask(jute.OK, jute.Request{Op: jute.OpGetACL, Path: "/a"}); len(body.ACLs()) != 1 || body.Stat().Aversion != 1 {
		t.Error("getACL")
	}
	ask(jute.OK, jute.Request{Op: jute.OpAddWatch, Path: "/a", Kind: 1})
	ask(jute.OK, jute.Request{Op: jute.OpCheckWatches, Path: "/a", Kind: jute.WatcherPersistentRecursive})
	ask(jute.OK, jute.Request{Op: jute.OpRemoveWatches, Path: "/a", Kind: jute.WatcherAny})
	ask(jute.NoWatcher, jute.Request{Op: jute.OpRemoveWatches, Path: "/a", Kind: jute.WatcherAny})
	ask(jute.ReconfigDisabled, jute.Request{Op: jute.OpReconfig})
	xid = jute.XidPing - 1
	ask(jute.OK, jute.Request{Op: jute.OpPing})
	xid = 100
	if _, _, code, _ := c.ask(jute.XidAuth, jute.Request{Op: jute.OpAuth, Scheme: "digest", Data: []byte("ann:x")}); code != jute.OK {
		t.Error(code)
	}
	body = ask(jute.OK, jute.Request{Op: jute.OpWhoAmI})
	if n := body.Int(); n != 2 || body.String()+body.String() != "ip127.0.0.1" || body.String()+body.String() != "digestann" {
		t.Errorf("whoAmI tells %d identities", n)
	}
	ask(jute.OK, jute.Request{Op: jute.OpDelete, Path: "/a/e", Version: 0})
	// A cut request, then one that nobody knows: the latter ends the connection.
	c.send(append(jute.AppendInt(jute.AppendInt(nil, 5), int32(jute.OpGetData)), 0, 0))
	if r := c.receive(); r.Int() != 5 || r.Long() < 0 || jute.Code(r.Int()) != jute.MarshallingError {
		t.Error("a cut request")
	}
	c.send(jute.AppendString(jute.AppendInt(jute.AppendInt(nil, 6), 77), "/"))
	if r := c.receive(); r.Int() != 6 || r.Long() < 0 || jute.Code(r.Int()) != jute.Unimplemented || !c.closed() {
		t.Error("an unknown request")
	}
}

func TestAuthenticationThatIsNotKnownEndsTheConnection(t *testing.T) {
	c := dial(t, startKeeper(t, memstore.New(), nil))
	c.connect(connectRequest(10000))
	if _, _, code, _ := c.ask(jute.XidAuth, jute.Request{Op: jute.OpAuth, Scheme: "sasl"}); code != jute.AuthFailed || !c.closed() {
		t.Error(code)
	}
}

// TestAnswersAndEventsComeInOrder: of many writes sent at once by one client, with a watch of its own on them, each
// event comes before the answer that shows its change, and answers come in the order of the requests.
func TestAnswersAndEventsComeInOrder(t *testing.T) {
	c := dial(t, startKeeper(t, memstore.New(), nil))
	c.connect(connectRequest(10000))
	c.ask(1, jute.Request{Op: jute.OpAddWatch, Path: "/", Kind: 1})
	const many = 200
	for i := range int32(many) {
		req := createRequest(fmt.Sprintf("/n%d", i), 0)
		c.send(req.Append(jute.AppendInt(jute.AppendInt(nil, 2*i), int32(req.Op))))
		read := jute.Request{Op: jute.OpGetData, Path: req.Path}
		c.send(read.Append(jute.AppendInt(jute.AppendInt(nil, 2*i+1), int32(read.Op))))
	}
	last := int64(0)
	for i := range int32(many) {
		if r := c.receive(); r.Int() != jute.XidNotification || r.Long() != -1 {
			t.Fatalf("before answer %d comes no event", i)
		}
		for xid := 2 * i; xid <= 2*i+1; xid++ {
			r := c.receive()
			got, zxid, code := r.Int(), r.Long(), r.Int()
			if got != xid || zxid < last || code != 0 {
				t.Fatalf("answer %d: xid %d at %d after %d, %d", xid, got, zxid, last, code)
			}
			last = zxid
		}
	}
}

func TestFourLetterWords(t *testing.T) {
	k := startKeeper(t, memstore.New(), func(o *Options) { o.Port = 2181 })
	c := dial(t, k)
	id, _, _ := c.connect(connectRequest(10000))
	c.ask(1, createRequest("/e", jute.FlagEphemeral))
	c.ask(2, jute.Request{Op: jute.OpExists, Path: "/e", Watch: true})
	say := func(k *keeper, word string) string {
		r := dial(t, k)
		if _, err := io.WriteString(r.net, word); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(r.in)
		if err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	for word, want := range map[string]string{
		"ruok": "imok", "isro": "rw", "srvr": "Mode: standalone\nNode count: 5\n", "stat": "Clients:\n", "conf": "clientPort=2181\n",
		"mntr": "zk_znode_count\t5\n", "cons": fmt.Sprintf("sid=0x%x,lop=EXIS", id), "envi": "Environment:\n", "wchs": "Total watches:1\n",
		"dump": fmt.Sprintf("0x%x:\n\t/e\n", id), "wchp": "/e\n\t0x", "wchc": "\n\t/e\n", "dirs": "datadir_size", "crst": "reset", "srst": "reset",
	} {
		if got := say(k, word); !strings.Contains(got, want) {
			t.Errorf("%s says %q, without %q", word, got, want)
		}
	}
	few := startKeeper(t, memstore.New(), func(o *Options) { o.Words = nil })
	if got := say(few, "ruok"); got != "ruok is not executed because it is not in the whitelist.\n" {
		t.Errorf("ruok says %q", got)
	}
	if got := say(few, "srvr"); !strings.Contains(got, "Zookeeper version: 3.") {
		t.Errorf("srvr says %q", got)
	}
}
