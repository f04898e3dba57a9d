package api

import (
	"slices"
	"testing"
	"time"

	"barnabas/internal/ident"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// partitionsOf are the partitions that a response tells of.
func partitionsOf(response *kmsg.FetchResponse) []int32 {
	var out []int32
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			out = append(out, p.Partition)
		}
	}
	return out
}

func TestFetchSession(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "orders", 3, nil)
	for _, version := range []int16{7, 12, 13, 18} {
		request := fetchFrom("orders", id, 0, 0)
		request.MinBytes = 0
		for n := int32(1); n < 3; n++ {
			p := request.Topics[0].Partitions[0]
			p.Partition = n
			request.Topics[0].Partitions = append(request.Topics[0].Partitions, p)
		}
		request.SessionEpoch = initialEpoch
		full := ask[*kmsg.FetchResponse](t, b, version, request)
		if got := partitionsOf(full); full.SessionID == 0 || !slices.Equal(got, []int32{0, 1, 2}) {
			t.Fatalf("v%d: session %d, partitions %v", version, full.SessionID, got)
		}

		next := kmsg.NewPtrFetchRequest()
		next.MaxBytes, next.SessionID, next.SessionEpoch = 1<<20, full.SessionID, 1
		if got := partitionsOf(ask[*kmsg.FetchResponse](t, b, version, next)); len(got) != 0 {
			t.Fatalf("v%d: without news %v", version, got)
		}

		b.produce(t, "orders", 1, "news")
		next.SessionEpoch++
		told := ask[*kmsg.FetchResponse](t, b, version, next)
		if got := partitionsOf(told); !slices.Equal(got, []int32{1}) || told.SessionID != full.SessionID {
			t.Fatalf("v%d: after a record %v", version, got)
		}

		b.produce(t, "orders", 0, "news")
		next.SessionEpoch++ // partition 1 was read before: it stands behind now
		if got := partitionsOf(ask[*kmsg.FetchResponse](t, b, version, next)); !slices.Equal(got, []int32{0, 1}) {
			t.Fatalf("v%d: order %v", version, got)
		}

		forget := kmsg.NewFetchRequestForgottenTopic()
		forget.Topic, forget.TopicID, forget.Partitions = "orders", id, []int32{0, 1}
		next.ForgottenTopics = append(next.ForgottenTopics, forget)
		next.SessionEpoch++
		if got := partitionsOf(ask[*kmsg.FetchResponse](t, b, version, next)); len(got) != 0 {
			t.Fatalf("v%d: after forgetting %v", version, got)
		}

		next.ForgottenTopics = nil
		wrong := ask[*kmsg.FetchResponse](t, b, version, next) // the epoch again
		if wrong.ErrorCode != kerr.InvalidFetchSessionEpoch.Code || wrong.SessionID != 0 {
			t.Fatalf("v%d: epoch again: %+v", version, wrong)
		}

		next.SessionEpoch = finalEpoch
		if closed := ask[*kmsg.FetchResponse](t, b, version, next); closed.SessionID != 0 {
			t.Fatalf("v%d: closed session has id %d", version, closed.SessionID)
		}
		next.SessionEpoch = 6
		gone := ask[*kmsg.FetchResponse](t, b, version, next)
		if gone.ErrorCode != kerr.FetchSessionIDNotFound.Code {
			t.Fatalf("v%d: closed session: code %d", version, gone.ErrorCode)
		}
		drop := kmsg.NewPtrDeleteRecordsRequest() // all versions begin with the same partitions
		topic := kmsg.NewDeleteRecordsRequestTopic()
		topic.Topic = "orders"
		for n := range int32(3) {
			topic.Partitions = append(topic.Partitions, kmsg.DeleteRecordsRequestTopicPartition{Partition: n, Offset: -1})
		}
		drop.Topics = append(drop.Topics, topic)
		ask[*kmsg.DeleteRecordsResponse](t, b, 2, drop)
		b.createTopicAgain(t, "orders", 3, &id)
	}
}

// createTopicAgain deletes a topic and makes it anew.
func (b *memoryBroker) createTopicAgain(t testing.TB, name string, partitions int32, id *ident.TopicID) {
	t.Helper()
	drop := kmsg.NewPtrDeleteTopicsRequest()
	drop.TopicNames, drop.TimeoutMillis = []string{name}, 5000
	if got := ask[*kmsg.DeleteTopicsResponse](t, b, 5, drop); got.Topics[0].ErrorCode != 0 {
		t.Fatalf("%+v", got.Topics[0])
	}
	*id = b.createTopic(t, name, partitions, nil)
}

func TestFetchSessionOfOtherNames(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "orders", 1, nil)
	request := fetchFrom("orders", id, 0, 0)
	request.MinBytes, request.SessionEpoch = 0, initialEpoch
	session := ask[*kmsg.FetchResponse](t, b, 12, request).SessionID
	request.SessionID, request.SessionEpoch = session, 1
	if got := ask[*kmsg.FetchResponse](t, b, 13, request); got.ErrorCode != kerr.FetchSessionTopicIDError.Code {
		t.Fatalf("code %d", got.ErrorCode)
	}
}

func TestSessionCacheIsBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	c := newSessionCache(2, func() time.Time { return now })
	open := func() *fetchSession {
		request := fetchMessage{sessionEpoch: initialEpoch, asks: []fetchAsk{{sessionKey: sessionKey{topic: "orders"}}}}
		s, _, code := c.open(&request, 12, newSession())
		if code != 0 {
			t.Fatalf("code %d", code)
		}
		c.keep(s)
		return s
	}
	first := open()
	now = now.Add(time.Second)
	second := open()
	if third := open(); third.id != noSession {
		t.Fatal("a third session in a cache of two")
	}
	now = now.Add(sessionRest)
	if third := open(); third.id == noSession {
		t.Fatal("a session that rests makes no room")
	}
	if c.find(first.id) != nil || c.find(second.id) == nil || c.count() != 2 {
		t.Fatal("not the oldest was evicted")
	}
}
