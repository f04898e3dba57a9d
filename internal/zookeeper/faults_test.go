package zookeeper

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/tree"
)

// TestEveryWriteTakesPlaceOnce: calls of the store fail before they have an effect, and after, so that the writer can't
// know; two keepers are in each other's way. Each sequential node is made once, and the number that a client was told is its own.
func TestEveryWriteTakesPlaceOnce(t *testing.T) {
	t.Parallel()
	memory := memstore.New()
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	sometimes := func(call memstore.Call) error {
		mu.Lock()
		defer mu.Unlock()
		if call == memstore.CallTxn && random.IntN(8) == 0 {
			return metadata.ErrUnavailable
		}
		return nil
	}
	var keepers []*keeper
	for range 2 {
		keepers = append(keepers, startOn(t, memory.Open(memstore.Faults{Before: sometimes, After: sometimes}), nil))
	}
	first, _ := client(t, longSession, keepers[0])
	must[string](t)(first.Create("/seq", nil, 0, openACL))
	const clients, each = 6, 15
	var (
		wg   sync.WaitGroup
		told []string
	)
	for i := range clients {
		c, _ := client(t, longSession, keepers[i%2])
		wg.Go(func() {
			if _, err := c.Sync("/seq"); err != nil {
				t.Error(err)
			}
			for range each {
				path, err := c.Create("/seq/n-", nil, zk.FlagSequence, openACL)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				told = append(told, path)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(told)
	for i, path := range told {
		if want := fmt.Sprintf("/seq/n-%010d", i); path != want {
			t.Fatalf("the clients were told %q where %q was to be", path, want)
		}
	}
	must[string](t)(first.Sync("/seq"))
	if names, _, err := first.Children("/seq"); err != nil || len(names) != clients*each {
		t.Errorf("%d nodes of %d, %v", len(names), clients*each, err)
	}
}

// TestACopyThatIsMadeAnewKeepsItsSessions: a keeper that was cut off for so long that it has to read everything again sends
// its clients away, and still ends the sessions of those that don't come back.
func TestACopyThatIsMadeAnewKeepsItsSessions(t *testing.T) {
	memory := memstore.New()
	a, b := startKeeper(t, memory, nil), startKeeper(t, memory, nil)
	c := dial(t, a)
	id, _, _ := c.connect(connectRequest(40000))
	if _, _, code, _ := c.ask(1, createRequest("/e", jute.FlagEphemeral)); code != jute.OK {
		t.Fatal(code)
	}
	a.store.Cut()
	other, _ := client(t, longSession, b)
	must[string](t)(other.Create("/meanwhile", nil, 0, openACL))
	memory.Compact(memory.Revision())
	_, _, gone, err := other.ExistsW("/e")
	if err != nil {
		t.Fatal(err)
	}
	a.store.Mend()
	if !c.closed() {
		t.Error("a client whose watches are lost is kept")
	}
	eventually(t, "the session is this keeper's again", func() bool {
		r := a.server.replica
		r.mu.RLock()
		defer r.mu.RUnlock()
		l := a.server.sessions[id]
		if r.tree == nil || l == nil || l.conn != nil {
			return false
		}
		l.heard.Add(-int64(time.Hour))
		return true
	})
	if e := next(t, gone); e.Type != zk.EventNodeDeleted {
		t.Errorf("%+v", e)
	}
}

// FuzzValues: what is read from the store may be anything, and is refused in order.
func FuzzValues(f *testing.F) {
	h := head{zxid: 8193, keeper: "k", batch: 1, events: []tree.Event{{Zxid: 8193, Type: 1, Path: "/a"}}, spill: []metadata.Op{metadata.Delete("n/a")}}
	f.Add(h.encode(8192))
	f.Add(encodeNode(&tree.Own{Data: []byte("x"), Czxid: 7000, Mzxid: 8193}, 8192))
	f.Add(encodeKids(tree.Kids{Created: 1, Pzxid: 8193}, 8192))
	f.Add(encodeSession(&tree.Session{TimeoutMs: 1, Password: []byte("p"), Keeper: "k"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		const at = 9
		if h, err := decodeHead(b, at); err == nil {
			if again, err := decodeHead(h.encode(math.MaxInt64), at+1); err != nil || again.zxid != h.zxid || len(again.spill) != len(h.spill) {
				t.Fatalf("%+v became %+v: %v", h, again, err)
			}
		}
		_, _ = decodeNode(b, at)
		_, _ = decodeKids(b, at)
		_, _ = decodeSession(b)
		for _, key := range []string{nodePrefix + "/a", kidsPrefix + "/a"} {
			if op, err := settled(metadata.Put(key, b), at); err == nil {
				if again, err := settled(op, at+1); err != nil || !bytes.Equal(again.Value, op.Value) {
					t.Fatalf("%s settles as %x, then as %x: %v", key, op.Value, again.Value, err)
				}
			}
		}
	})
}
