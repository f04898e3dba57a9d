package controller_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
)

// farStore is a store to which each transaction takes a while, and which remembers those that made partitions.
type farStore struct {
	metadata.Store
	t testing.TB
}

const farAway = 10 * time.Millisecond

// Txn looks whether what a topic announces is there already.
func (s farStore) Txn(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
	<-time.After(farAway)
	isTopic := func(op metadata.Op) bool { return strings.HasPrefix(op.Key, "topics/") }
	if slices.ContainsFunc(txn.Then, isTopic) {
		page, err := s.Range(ctx, metadata.RangeRequest{Prefix: "partitions/", Limit: 10 * metadata.MaxOps})
		if there := len(page.KVs) + len(txn.Then) - 1; err != nil || there != farPartitions {
			s.t.Errorf("the topic is announced with %d partitions: %v", there, err)
		}
	}
	return s.Store.Txn(ctx, txn)
}

const farPartitions = 1000

// TestPartsOfATopicAreWrittenTogether makes a topic that takes eight transactions in the time of two: those of its
// partitions, and the one that announces it when all of them are there.
func TestPartsOfATopicAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := join(t, farStore{memstore.New().Open(memstore.Faults{}), t}, 1, ident.NewStoreID())
		m.elected(t)
		synctest.Wait()
		began := time.Now()
		if err := m.create(t, "wide", farPartitions); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 2*farAway {
			t.Errorf("it took %s, want %s", took, 2*farAway)
		}
		if n := m.feed.Current().Topic("wide").NumPartitions(); n != farPartitions {
			t.Errorf("%d partitions", n)
		}
	})
}
