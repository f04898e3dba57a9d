package controller_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"barnabas/internal/controller"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
)

// narrow is a store with a quota, which tells a second late how much it holds.
type narrow struct {
	metadata.Store
	bytes, quota atomic.Int64
}

func (n *narrow) Usage(context.Context) (metadata.Usage, error) {
	return metadata.Usage{Bytes: n.bytes.Load(), Quota: n.quota.Load()}, nil
}

// Txn implements metadata.Store.
func (n *narrow) Txn(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
	size := int64(0)
	for _, op := range txn.Then {
		size += int64(len(op.Key) + len(op.Value) + 256)
	}
	time.AfterFunc(time.Second, func() { n.bytes.Add(size) })
	return n.Store.Txn(ctx, txn)
}

// Topics and partitions are made until four fifths of the quota are taken, no earlier and no later, however fast they come and
// however late the store counts them; all else is written as ever.
func TestRoomForElections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &narrow{Store: memstore.New().Open(memstore.Faults{})}
		defer store.Close()
		m := join(t, store, 1, ident.NewStoreID())
		m.elected(t)
		time.Sleep(3 * time.Second)
		const quota = 200 << 10
		store.quota.Store(quota)
		made, refusal := 0, error(nil)
		for ; refusal == nil; made++ {
			refusal = m.create(t, fmt.Sprint("topic-", made), 1)
		}
		time.Sleep(2 * time.Second)
		if got := store.bytes.Load(); got > quota/100*80 || got < quota/100*78 {
			t.Errorf("%d topics take %d of %d bytes", made-1, got, quota)
		}
		if !errors.Is(refusal, controller.ErrPolicyViolation) || !strings.Contains(refusal.Error(), "ZOO_QUOTA_BYTES") {
			t.Errorf("refused by %v", refusal)
		}
		more, err := m.candidate.CreatePartitions(bounded(t), []controller.MorePartitions{{Topic: "topic-0", Count: 2}}, false)
		if err != nil || !errors.Is(more[0], controller.ErrPolicyViolation) {
			t.Errorf("partitions: %v, %v", more, err)
		}
		deleted, err := m.candidate.DeleteTopics(bounded(t), []controller.TopicRef{{Name: "topic-1"}})
		if err != nil || deleted[0].Err != nil {
			t.Errorf("deleting: %v, %v", deleted, err)
		}
		store.bytes.Add(-quota / 10) // history goes
		if err := m.create(t, "once-there-is-room", 1); err != nil {
			t.Error(err)
		}
	})
}
