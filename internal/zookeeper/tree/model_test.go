package tree

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"barnabas/internal/zookeeper/jute"
)

var (
	somePaths = []string{"/a", "/b", "/a/x", "/a/y", "/b/x", "/a/x/deep", "/zookeeper/mine", "/bad/", ""}
	someOps   = []jute.Op{
		jute.OpCreate, jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpDelete, jute.OpSetData, jute.OpSetACL, jute.OpCheck,
	}
)

func drawRequest(t *rapid.T) jute.Request {
	req := jute.Request{
		Op: rapid.SampledFrom(someOps).Draw(t, "op"), Path: rapid.SampledFrom(somePaths).Draw(t, "path"),
		Version: rapid.SampledFrom([]int32{-1, -1, 0, 1}).Draw(t, "version"), TTL: -1, ACL: jute.OpenACL,
		Data: rapid.SampledFrom([][]byte{nil, {}, []byte("data")}).Draw(t, "data"),
	}
	switch req.Op {
	case jute.OpCreate, jute.OpCreate2:
		req.Flags = rapid.SampledFrom([]int32{0, 0, 1, 2, 3}).Draw(t, "flags")
	case jute.OpCreateContainer:
		req.Flags = jute.FlagContainer
	}
	return req
}

// step is something that happens to a tree: a request, or the beginning or end of a session.
type step struct {
	session int64
	open    bool
	close   bool
	req     jute.Request
}

func drawStep(t *rapid.T) step {
	s := step{session: rapid.Int64Range(1, 3).Draw(t, "session")}
	switch rapid.IntRange(0, 12).Draw(t, "kind") {
	case 0:
		s.open = true
	case 1:
		s.close = true
	case 2, 3:
		s.req.Op = jute.OpMulti
		for range rapid.IntRange(0, 4).Draw(t, "parts") {
			part := drawRequest(t)
			if part.Op == jute.OpSetACL {
				part.Op = jute.OpCheck
			}
			s.req.Parts = append(s.req.Parts, part)
		}
	default:
		s.req = drawRequest(t)
	}
	return s
}

func (s step) on(d *Draft) Result {
	switch {
	case s.open:
		return d.OpenSession(s.session, Session{Keeper: "k"})
	case s.close:
		return d.CloseSession(s.session, "")
	}
	return d.Do(Caller{Session: s.session, Keeper: "k"}, &s.req)
}

// TestDraftsOfAnyLengthComeToTheSame: many requests in one step leave what they leave one by one, and are answered alike.
func TestDraftsOfAnyLengthComeToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, many := New(7), New(7)
		draft := many.Draft(0)
		var events, batched []Event
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			s := drawStep(t)
			single := one.Draft(0)
			want := s.on(single)
			delta := single.Delta()
			events = append(events, delta.Events...)
			one.Apply(delta)
			if got := s.on(draft); !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v: %+v in a longer draft, %+v alone", s, got, want)
			}
			if rapid.Bool().Draw(t, "apply") {
				delta := draft.Delta()
				batched = append(batched, delta.Events...)
				many.Apply(delta)
				draft = many.Draft(0)
			}
			checkTree(t, one)
		}
		delta := draft.Delta()
		many.Apply(delta)
		batched = append(batched, delta.Events...)
		if a, b := dump(one), dump(many); a != b {
			t.Fatalf("one by one:\n%s\nin drafts:\n%s", a, b)
		}
		if !slices.Equal(events, batched) {
			t.Fatalf("events %v, in drafts %v", events, batched)
		}
	})
}

// checkTree holds a tree against what must always be true of it.
func checkTree(t *rapid.T, tree *Tree) {
	size := 0
	for path, n := range tree.nodes {
		size += len(path) + len(n.own.Data)
		if parent, _ := parentOf(path); path != root {
			if up := tree.nodes[parent]; up == nil || Ephemeral(up.own.Owner) {
				t.Fatalf("%s has no parent, or an ephemeral one", path)
			} else if _, known := up.children[nameOf(path)]; !known {
				t.Fatalf("%s is not a child of its parent", path)
			}
		}
		for name := range n.children {
			if tree.nodes[strings.TrimSuffix(path, "/")+"/"+name] == nil {
				t.Fatalf("%s has a child %s that is not there", path, name)
			}
		}
		if owner := n.own.Owner; Ephemeral(owner) {
			if _, listed := tree.ephemerals[owner][path]; !listed || tree.sessions[owner] == nil {
				t.Fatalf("%s is ephemeral of session %d, which does not know", path, owner)
			}
		}
		if n.own.Mzxid > tree.zxid || n.kids.Pzxid > tree.zxid || n.own.Mzxid < n.own.Czxid || n.kids.Pzxid < n.own.Czxid {
			t.Fatalf("%s has been changed at %+v %+v, the tree is at %d", path, n.own, n.kids, tree.zxid)
		}
	}
	if int64(size) != tree.dataSize {
		t.Fatalf("the data size is %d and not %d", size, tree.dataSize)
	}
	for _, paths := range tree.ephemerals {
		for path := range paths {
			if tree.nodes[path] == nil {
				t.Fatalf("the ephemeral %s is not there", path)
			}
		}
	}
}

func dump(tree *Tree) string {
	var lines []string
	for path, n := range tree.nodes {
		lines = append(lines, fmt.Sprintf("%s %+v %+v %d", path, *n.own, n.kids, len(n.children)))
	}
	for id, s := range tree.sessions {
		lines = append(lines, fmt.Sprintf("session %d %+v", id, *s))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d\n%s", tree.zxid, strings.Join(lines, "\n"))
}

// TestWatchesAreForgotten: however watches were left, none remains of a watcher that is gone.
func TestWatchesAreForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := NewWatches[int]()
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			who, path := rapid.IntRange(1, 3).Draw(t, "who"), rapid.SampledFrom(somePaths[:6]).Draw(t, "path")
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				mode := rapid.SampledFrom([]Mode{Once, Persistent, Recursive}).Draw(t, "mode")
				w.Add(rapid.SampledFrom([]Table{DataWatches, ChildWatches}).Draw(t, "table"), path, who, mode)
			case 1:
				w.Remove(path, who, rapid.Int32Range(1, 5).Draw(t, "watches"))
			default:
				event := jute.EventType(rapid.IntRange(1, 3).Draw(t, "event"))
				w.Fire(Event{Type: event, Path: path}, func(int, jute.EventType, string) {})
			}
		}
		for who := 1; who <= 3; who++ {
			w.Forget(who)
		}
		if a, b, c := w.Summary(); a+b+c+w.recursive != 0 {
			t.Fatalf("%d watchers, %d paths, %d watches, %d recursive are left", a, b, c, w.recursive)
		}
	})
}
