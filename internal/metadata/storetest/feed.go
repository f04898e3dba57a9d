package storetest

import (
	"fmt"
	"log/slog"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

func startFeed(t *testing.T, s metadata.Store) *metadata.Feed {
	t.Helper()
	feed, err := metadata.StartFeed(bounded(t), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(feed.Stop)
	return feed
}

// addTopic writes a topic with one partition.
func addTopic(t *testing.T, s metadata.Store, name string) metadata.Revision {
	t.Helper()
	id := ident.NewTopicID()
	p := &metadata.Partition{Replicas: []ident.BrokerID{1}, Leader: 1}
	return do(t, s, metadata.Txn{Then: []metadata.Op{
		metadata.Put(metadata.PartitionKey(id, 0), metadata.EncodePartition(p)),
		metadata.Put(metadata.TopicKey(id), metadata.EncodeTopic(name, 1)),
	}})
}

func feedFollows(t *testing.T, b Backend) {
	s := b.Open(t)
	addTopic(t, s, "before")
	feed := startFeed(t, b.Open(t))
	if feed.Current().Topic("before") == nil {
		t.Error("a topic of before the start is missing")
	}
	rev := addTopic(t, s, "after")
	if err := feed.Await(bounded(t), rev); err != nil {
		t.Fatal(err)
	}
	if p := feed.Current().Partition(ident.TopicPartition{Topic: "after"}); p == nil || p.Leader != 1 || p.Modified != rev {
		t.Errorf("partition is %+v", p)
	}
}

func feedSurvivesCompaction(t *testing.T, b Backend) {
	s := b.Open(t)
	feed := startFeed(t, b.Open(t))
	var rev metadata.Revision
	for i := range 50 {
		rev = addTopic(t, s, fmt.Sprintf("t%d", i))
		b.Compact(t, rev)
	}
	if err := feed.Await(bounded(t), rev); err != nil {
		t.Fatal(err)
	}
	if n := feed.Current().NumTopics(); n != 50 {
		t.Errorf("%d topics, want 50", n)
	}
}
