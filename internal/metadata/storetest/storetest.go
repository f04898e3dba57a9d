// Package storetest says by tests what a metadata.Store is. Every Store runs Run.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"barnabas/internal/metadata"
)

// Backend is an engine under test.
type Backend struct {
	// Open returns another Store on the same keys, for a process of its own.
	Open func(t *testing.T) metadata.Store
	// Compact forgets the history before a revision.
	Compact func(t *testing.T, at metadata.Revision)
}

// patience bounds every wait: a Store that needs longer has failed.
const patience = time.Minute

// Run runs the whole suite; fresh returns an engine without keys.
func Run(t *testing.T, fresh func(t *testing.T) Backend) {
	for name, test := range map[string]func(*testing.T, Backend){
		"GetOfNothing":              getOfNothing,
		"PutThenGet":                putThenGet,
		"RevisionsTell":             revisionsTell,
		"CompareDecides":            compareDecides,
		"TxnIsAllOrNothing":         txnIsAllOrNothing,
		"TxnIsBounded":              txnIsBounded,
		"DeletePrefix":              deletePrefix,
		"RangePages":                rangePages,
		"RangeReadsThePast":         rangeReadsThePast,
		"WatchFromThePast":          watchFromThePast,
		"WatchDoesNotTearRevisions": watchDoesNotTearRevisions,
		"WatchOfAPrefix":            watchOfAPrefix,
		"WatchAfterCompaction":      watchAfterCompaction,
		"WatchEndsWithContext":      watchEndsWithContext,
		"LeaseHoldsKeys":            leaseHoldsKeys,
		"LeaseRunsOut":              leaseRunsOut,
		"PutOnDeadLease":            putOnDeadLease,
		"CloseEndsWatches":          closeEndsWatches,
		"FeedFollows":               feedFollows,
		"FeedSurvivesCompaction":    feedSurvivesCompaction,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func put(t *testing.T, s metadata.Store, key, value string) metadata.Revision {
	t.Helper()
	return do(t, s, metadata.Txn{Then: []metadata.Op{metadata.Put(key, []byte(value))}})
}

// do runs a transaction that must succeed.
func do(t *testing.T, s metadata.Store, txn metadata.Txn) metadata.Revision {
	t.Helper()
	result, err := s.Txn(bounded(t), txn)
	if err != nil || !result.OK {
		t.Fatalf("transaction: ok %v, error %v", result.OK, err)
	}
	return result.Revision
}

func get(t *testing.T, s metadata.Store, key string) (metadata.KV, bool) {
	t.Helper()
	kv, found, err := s.Get(bounded(t), key)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	return kv, found
}

func getOfNothing(t *testing.T, b Backend) {
	if kv, found := get(t, b.Open(t), "nothing"); found {
		t.Errorf("found %+v", kv)
	}
}

func putThenGet(t *testing.T, b Backend) {
	s := b.Open(t)
	rev := put(t, s, "a/b", "one")
	kv, found := get(t, b.Open(t), "a/b")
	want := metadata.KV{Key: "a/b", Value: []byte("one"), Created: rev, Modified: rev}
	if !found || kv.Key != want.Key || string(kv.Value) != "one" || kv.Created != rev || kv.Modified != rev || kv.Lease != 0 {
		t.Errorf("got %+v, want %+v", kv, want)
	}
}

func revisionsTell(t *testing.T, b Backend) {
	s := b.Open(t)
	first := put(t, s, "k", "1")
	second := put(t, s, "k", "2")
	if second <= first {
		t.Errorf("revision %d after %d", second, first)
	}
	if kv, _ := get(t, s, "k"); kv.Created != first || kv.Modified != second {
		t.Errorf("created %d, modified %d; want %d and %d", kv.Created, kv.Modified, first, second)
	}
	do(t, s, metadata.Txn{Then: []metadata.Op{metadata.Delete("k")}})
	third := put(t, s, "k", "3")
	if kv, _ := get(t, s, "k"); kv.Created != third {
		t.Errorf("created anew at %d, want %d", kv.Created, third)
	}
}

func compareDecides(t *testing.T, b Backend) {
	s := b.Open(t)
	created := put(t, s, "k", "1")
	modified := put(t, s, "k", "2")
	cases := []struct {
		compare metadata.Compare
		holds   bool
	}{
		{metadata.Absent("k"), false},
		{metadata.Absent("other"), true},
		{metadata.CreatedAt("k", created), true},
		{metadata.CreatedAt("k", modified), false},
		{metadata.CreatedAt("other", 0), true},
		{metadata.ModifiedAt("k", modified), true},
		{metadata.ModifiedAt("k", created), false},
		{metadata.ModifiedAt("other", 0), true},
		{metadata.ValueIs("k", []byte("2")), true},
		{metadata.ValueIs("k", []byte("1")), false},
		{metadata.ValueIs("other", []byte("")), false},
	}
	for i, c := range cases {
		key := fmt.Sprintf("did/%d", i)
		result, err := s.Txn(bounded(t), metadata.Txn{
			If: []metadata.Compare{c.compare}, Then: []metadata.Op{metadata.Put(key, nil)},
		})
		if err != nil || result.OK != c.holds {
			t.Errorf("%+v: ok %v, error %v; want %v", c.compare, result.OK, err, c.holds)
		}
		if _, did := get(t, s, key); did != c.holds {
			t.Errorf("%+v: effect %v, want %v", c.compare, did, c.holds)
		}
	}
}

func txnIsAllOrNothing(t *testing.T, b Backend) {
	s := b.Open(t)
	put(t, s, "taken", "")
	result, err := s.Txn(bounded(t), metadata.Txn{
		If:   []metadata.Compare{metadata.Absent("free"), metadata.Absent("taken")},
		Then: []metadata.Op{metadata.Put("a", nil), metadata.Put("b", nil)},
	})
	if err != nil || result.OK {
		t.Errorf("ok %v, error %v", result.OK, err)
	}
	rev := do(t, s, metadata.Txn{Then: []metadata.Op{metadata.Put("a", nil), metadata.Delete("taken"), metadata.Put("b", nil)}})
	for _, key := range []string{"a", "b"} {
		if kv, found := get(t, s, key); !found || kv.Modified != rev {
			t.Errorf("%s: %+v, want revision %d", key, kv, rev)
		}
	}
}

func txnIsBounded(t *testing.T, b Backend) {
	s := b.Open(t)
	var txn metadata.Txn
	for i := range metadata.MaxOps {
		key := fmt.Sprintf("k%d", i)
		txn.If = append(txn.If, metadata.Absent(key))
		txn.Then = append(txn.Then, metadata.Put(key, nil))
	}
	do(t, s, txn)
	txn.If = nil
	txn.Then = append(txn.Then, metadata.Put("one too many", nil))
	if _, err := s.Txn(bounded(t), txn); !errors.Is(err, metadata.ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", err)
	}
}

func deletePrefix(t *testing.T, b Backend) {
	s := b.Open(t)
	for _, key := range []string{"p/1", "p/2", "p", "q"} {
		put(t, s, key, "")
	}
	do(t, s, metadata.Txn{Then: []metadata.Op{metadata.DeletePrefix("p/"), metadata.Put("r", nil)}})
	if got := keys(t, s, ""); !slices.Equal(got, []string{"p", "q", "r"}) {
		t.Errorf("left are %v", got)
	}
}

// keys reads all keys with a prefix, three at a time.
func keys(t *testing.T, s metadata.Store, prefix string) (found []string) {
	t.Helper()
	req := metadata.RangeRequest{Prefix: prefix, Limit: 3}
	for {
		page, err := s.Range(bounded(t), req)
		if err != nil {
			t.Fatalf("range: %v", err)
		}
		for _, kv := range page.KVs {
			found = append(found, kv.Key)
		}
		if !page.More {
			return found
		}
		req.After = page.KVs[len(page.KVs)-1].Key
	}
}

func rangePages(t *testing.T, b Backend) {
	s := b.Open(t)
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprintf("k/%02d", i))
		put(t, s, want[i], "")
	}
	put(t, s, "l", "")
	put(t, s, "k", "")
	if got := keys(t, s, "k/"); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if got := keys(t, s, ""); len(got) != 12 {
		t.Errorf("all keys are %v", got)
	}
}

func rangeReadsThePast(t *testing.T, b Backend) {
	s := b.Open(t)
	rev := put(t, s, "k", "old")
	last := put(t, s, "k", "new")
	page, err := s.Range(bounded(t), metadata.RangeRequest{Prefix: "k", At: rev})
	if err != nil || len(page.KVs) != 1 || string(page.KVs[0].Value) != "old" {
		t.Fatalf("got %+v, error %v", page, err)
	}
	b.Compact(t, last)
	if _, err := s.Range(bounded(t), metadata.RangeRequest{Prefix: "k", At: rev}); !errors.Is(err, metadata.ErrCompacted) {
		t.Errorf("error %v, want ErrCompacted", err)
	}
}
