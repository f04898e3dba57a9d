package api

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"barnabas/internal/group"
	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestProduceAndFetchEveryVersion: what one version writes every version reads, with names and with ids.
func TestProduceAndFetchEveryVersion(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "orders", 2, nil)
	var want []string
	for version := int16(3); version <= 13; version++ {
		for _, acks := range []int16{1, -1} {
			request := produceTo("orders", 0, acks, batchOf(t, "a", "b"))
			request.Topics[0].TopicID = id
			response := ask[*kmsg.ProduceResponse](t, b, version, request)
			p := response.Topics[0].Partitions[0]
			if p.ErrorCode != 0 || p.BaseOffset != int64(len(want)) || p.LogAppendTime != -1 {
				t.Fatalf("v%d: %+v", version, p)
			}
			want = append(want, "a", "b")
		}
	}
	for version := int16(4); version <= 18; version++ {
		response := ask[*kmsg.FetchResponse](t, b, version, fetchFrom("orders", id, 0, 0))
		p := response.Topics[0].Partitions[0]
		if got := values(t, p.RecordBatches); !slices.Equal(got, want) || p.HighWatermark != int64(len(want)) {
			t.Fatalf("v%d: %d records, high watermark %d", version, len(got), p.HighWatermark)
		}
	}
}

func TestProduceRefusals(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "orders", 1, map[string]string{"max.message.bytes": "200"})
	b.createTopic(t, group.Topic, 1, nil)
	good := batchOf(t, "x")
	broken := batchOf(t, "x")
	broken[len(broken)-1] ^= 1
	old := batchOf(t, "x")
	old[16] = 1
	transactional := batchWith(t, record.Options{Producer: &record.Producer{ID: 7, Transactional: true}}, "x")
	for _, test := range []struct {
		name    string
		version int16
		topic   string
		id      ident.TopicID
		acks    int16
		batch   []byte
		want    *kerr.Error
	}{
		{"unknown topic", 9, "nowhere", ident.TopicID{}, 1, good, kerr.UnknownTopicOrPartition},
		{"unknown id", 13, "", ident.NewTopicID(), 1, good, kerr.UnknownTopicID},
		{"internal topic", 9, group.Topic, ident.TopicID{}, 1, good, kerr.InvalidTopicException},
		{"unknown internal topic", 9, "__share_group_state", ident.TopicID{}, 1, good, kerr.UnknownTopicOrPartition},
		{"acks 2", 9, "orders", id, 2, good, kerr.InvalidRequiredAcks},
		{"acks -2", 9, "orders", id, -2, good, kerr.InvalidRequiredAcks},
		{"CRC", 9, "orders", id, 1, broken, kerr.CorruptMessage},
		{"cut off", 9, "orders", id, 1, good[:len(good)-3], kerr.InvalidRecord},
		{"two batches", 9, "orders", id, 1, slices.Concat(good, good), kerr.InvalidRecord},
		{"nothing", 9, "orders", id, 1, nil, kerr.InvalidRecord},
		{"old format", 9, "orders", id, 1, old, kerr.InvalidRecord},
		{"transactional", 9, "orders", id, 1, transactional, kerr.TransactionalIDAuthorizationFailed},
		{"zstd before 7", 6, "orders", id, 1, batchWith(t, record.Options{Codec: record.Zstd}, "x"), kerr.UnsupportedCompressionType},
		{"too large", 9, "orders", id, 1, batchOf(t, strings.Repeat("x", 300)), kerr.MessageTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := produceTo(test.topic, 0, test.acks, slices.Clone(test.batch))
			request.Topics[0].TopicID = test.id
			p := ask[*kmsg.ProduceResponse](t, b, test.version, request).Topics[0].Partitions[0]
			if p.ErrorCode != test.want.Code || p.BaseOffset != -1 {
				t.Fatalf("code %d, base offset %d, want %s", p.ErrorCode, p.BaseOffset, test.want.Message)
			}
		})
	}
}

func TestProduceWithoutAcks(t *testing.T) {
	b := newBroker(t, nil)
	b.createTopic(t, "orders", 1, nil)
	request := produceTo("orders", 0, 0, batchOf(t, "x"))
	request.SetVersion(9)
	if got := b.begin(request).wait(t); len(got) != 0 {
		t.Fatalf("%d bytes answered", len(got))
	}
	request = produceTo("nowhere", 0, 0, batchOf(t, "x"))
	request.SetVersion(9)
	if err := b.abort(t, request); !strings.Contains(err.Error(), "nowhere-0") {
		t.Fatalf("error %v", err)
	}
}

func TestDuplicateIsAnsweredWithItsFirstOffset(t *testing.T) {
	b := newBroker(t, nil)
	b.createTopic(t, "orders", 1, nil)
	batch := batchWith(t, record.Options{Producer: &record.Producer{ID: 7}}, "x", "y")
	for range 3 {
		p := ask[*kmsg.ProduceResponse](t, b, 9, produceTo("orders", 0, -1, slices.Clone(batch))).Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.BaseOffset != 0 {
			t.Fatalf("%+v", p)
		}
	}
	gap := batchWith(t, record.Options{Producer: &record.Producer{ID: 7, Sequence: 5}}, "z")
	p := ask[*kmsg.ProduceResponse](t, b, 9, produceTo("orders", 0, -1, gap)).Topics[0].Partitions[0]
	if p.ErrorCode != kerr.OutOfOrderSequenceNumber.Code {
		t.Fatalf("code %d", p.ErrorCode)
	}
}

func TestFetchRefusals(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "orders", 1, nil)
	b.produce(t, "orders", 0, "a")
	for _, test := range []struct {
		name    string
		version int16
		change  func(*kmsg.FetchRequest, *kmsg.FetchRequestTopicPartition)
		want    *kerr.Error
	}{
		{"beyond the end", 12, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = 2 }, kerr.OffsetOutOfRange},
		{"before the start", 12, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = -1 }, kerr.OffsetOutOfRange},
		{"newer epoch", 12, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 99 }, kerr.UnknownLeaderEpoch},
		{"no partition", 12, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.Partition = 5 }, kerr.UnknownTopicOrPartition},
		{"negative partition", 12, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.Partition = -1 }, kerr.UnknownTopicOrPartition},
		{"unknown topic", 12, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.Topics[0].Topic = "nowhere" }, kerr.UnknownTopicOrPartition},
		{"unknown id", 13, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.Topics[0].TopicID[0]++ }, kerr.UnknownTopicID},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := fetchFrom("orders", id, 0, 0)
			request.MaxWaitMillis = 60_000 // an error does not wait
			test.change(request, &request.Topics[0].Partitions[0])
			p := ask[*kmsg.FetchResponse](t, b, test.version, request).Topics[0].Partitions[0]
			if p.ErrorCode != test.want.Code || p.HighWatermark != -1 || len(p.RecordBatches) > 0 {
				t.Fatalf("%+v, want %s", p, test.want.Message)
			}
		})
	}
}

func TestFetchDivergence(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "orders", 1, nil)
	b.produce(t, "orders", 0, "a", "b")
	request := fetchFrom("orders", id, 0, 3) // more than this log has of epoch 0
	request.MaxWaitMillis = 60_000
	request.Topics[0].Partitions[0].LastFetchedEpoch = 0
	p := ask[*kmsg.FetchResponse](t, b, 13, request).Topics[0].Partitions[0]
	if p.ErrorCode != 0 || p.DivergingEpoch.Epoch != 0 || p.DivergingEpoch.EndOffset != 2 {
		t.Fatalf("%+v", p)
	}
}

func TestFetchLimits(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "orders", 3, nil)
	for partition := range int32(3) {
		for range 4 {
			b.produce(t, "orders", partition, strings.Repeat("x", 500))
		}
	}
	request := fetchFrom("orders", id, 0, 0)
	for partition := int32(1); partition < 3; partition++ {
		p := request.Topics[0].Partitions[0]
		p.Partition = partition
		request.Topics[0].Partitions = append(request.Topics[0].Partitions, p)
	}
	request.MaxBytes = 10 // less than a batch: the first is sent whole all the same
	response := ask[*kmsg.FetchResponse](t, b, 13, request)
	counts := []int{}
	for _, p := range response.Topics[0].Partitions {
		counts = append(counts, len(values(t, p.RecordBatches)))
	}
	if !slices.Equal(counts, []int{1, 0, 0}) {
		t.Fatalf("records %v", counts)
	}
	for _, p := range response.Topics[0].Partitions[1:] {
		if len(p.RecordBatches) != 0 || p.HighWatermark != 4 {
			t.Fatalf("%d bytes, high watermark %d", len(p.RecordBatches), p.HighWatermark)
		}
	}
}

// TestFetchSendsNoPieceAlone: what is left of MaxBytes and holds no whole batch sends nothing, as in Kafka: a client could
// not get on with it.
func TestFetchSendsNoPieceAlone(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "orders", 2, nil)
	for partition := range int32(2) {
		b.produce(t, "orders", partition, strings.Repeat("x", 500))
	}
	request := fetchFrom("orders", id, 0, 0)
	p := request.Topics[0].Partitions[0]
	p.Partition = 1
	request.Topics[0].Partitions = append(request.Topics[0].Partitions, p)
	request.MaxBytes = 700 // a batch and a piece
	response := ask[*kmsg.FetchResponse](t, b, 13, request)
	first, second := response.Topics[0].Partitions[0], response.Topics[0].Partitions[1]
	if len(values(t, first.RecordBatches)) != 1 || len(second.RecordBatches) != 0 {
		t.Fatalf("%d and %d bytes", len(first.RecordBatches), len(second.RecordBatches))
	}
}

func TestFetchWaitsForRecords(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "orders", 2, nil)
	request := fetchFrom("orders", id, 0, 0)
	other := request.Topics[0].Partitions[0]
	other.Partition = 1
	request.Topics[0].Partitions = append(request.Topics[0].Partitions, other)
	request.MaxWaitMillis = 10 * int32(patience.Milliseconds()) // nobody waits for its end
	request.SetVersion(13)
	x := b.begin(request)
	b.produce(t, "orders", 1, "late")
	response := decode[*kmsg.FetchResponse](t, request, x.wait(t))
	if got := values(t, response.Topics[0].Partitions[1].RecordBatches); !slices.Equal(got, []string{"late"}) {
		t.Fatalf("records %v", got)
	}
}

func TestFetchWaitEnds(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "orders", 1, nil)
	request := fetchFrom("orders", id, 0, 0)
	request.MaxWaitMillis = 20
	response := ask[*kmsg.FetchResponse](t, b, 13, request)
	if p := response.Topics[0].Partitions[0]; p.ErrorCode != 0 || len(p.RecordBatches) != 0 {
		t.Fatalf("%+v", p)
	}
	request.MaxWaitMillis = 60_000
	request.SetVersion(13)
	x := b.begin(request)
	close(x.done) // the server stops
	decode[*kmsg.FetchResponse](t, request, x.wait(t))
}

func TestFetchEndsWhenTheTopicIsDeleted(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "orders", 1, nil)
	b.produce(t, "orders", 0, "too little")
	request := fetchFrom("orders", id, 0, 0)
	request.MaxWaitMillis, request.MinBytes = 60_000, 1000
	request.SetVersion(13)
	x := b.beginWaiting(t, request)
	drop := kmsg.NewPtrDeleteTopicsRequest()
	drop.TopicNames, drop.TimeoutMillis = []string{"orders"}, 5000
	if got := ask[*kmsg.DeleteTopicsResponse](t, b, 5, drop); got.Topics[0].ErrorCode != 0 {
		t.Fatalf("%+v", got.Topics[0])
	}
	response := decode[*kmsg.FetchResponse](t, request, x.wait(t))
	if p := response.Topics[0].Partitions[0]; p.ErrorCode != kerr.UnknownTopicID.Code || len(p.RecordBatches) > 0 {
		t.Fatalf("code %d, %d bytes", p.ErrorCode, len(p.RecordBatches))
	}
}

// beginWaiting begins a request, and returns when its handler waits.
func (b *memoryBroker) beginWaiting(t *testing.T, request kmsg.Request) *exchange {
	t.Helper()
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, request, 5)[4:]
	x := waitedFor{newExchange(frame), make(chan struct{}, 1)}
	go b.Handle(x)
	select {
	case <-x.waits:
	case <-time.After(patience):
		t.Fatal("it does not wait")
	}
	return x.exchange
}

// waitedFor is an exchange that tells when its handler looks whether anybody still waits for the answer.
type waitedFor struct {
	*exchange
	waits chan struct{}
}

func (x waitedFor) Done() <-chan struct{} {
	select {
	case x.waits <- struct{}{}:
	default:
	}
	return x.exchange.Done()
}

func TestUnservedRequestsCloseTheConnection(t *testing.T) {
	b := newBroker(t, nil)
	for _, frame := range [][]byte{
		{}, {0, 3}, {0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff}, {0xff, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff},
		{0, 3, 0x7f, 0, 0, 0, 0, 1, 0xff, 0xff}, {0, 1, 0, 3, 0, 0, 0, 1, 0xff, 0xff}, {0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0},
	} {
		x := newExchange(frame)
		go b.Handle(x)
		select {
		case <-x.replies:
			t.Fatalf("%x answered", frame)
		case err := <-x.aborts:
			if !errors.Is(err, wire.ErrMalformed) && !errors.Is(err, wire.ErrUnsupported) {
				t.Fatalf("%x: %v", frame, err)
			}
		}
	}
}

func TestApiVersionsOfTheFuture(t *testing.T) {
	b := newBroker(t, nil)
	x := newExchange([]byte{0, 18, 0, 99, 0, 0, 0, 5, 0xff, 0xff, 0, 1, 2, 3})
	b.Handle(x)
	request := kmsg.NewPtrApiVersionsRequest()
	response := decode[*kmsg.ApiVersionsResponse](t, request, x.wait(t))
	if response.ErrorCode != kerr.UnsupportedVersion.Code || len(response.ApiKeys) != 1 {
		t.Fatalf("%+v", response)
	}
}

// A follower that has registered anew since it sent a fetch may hold less than that says (KIP-903).
func TestFetchOfAnEarlierRegistration(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "t", 1, nil)
	epoch := int64(b.feed.Current().Broker(1).Epoch)
	for _, c := range []struct {
		epoch int64
		want  *kerr.Error
	}{{epoch - 1, kerr.NotLeaderForPartition}, {epoch, kerr.UnknownLeaderEpoch}, {-1, kerr.UnknownLeaderEpoch}} {
		r := fetchFrom("t", id, 0, 0)
		r.ReplicaState.ID, r.ReplicaState.Epoch = 1, c.epoch // no follower of its own, which comes to light next
		r.Topics[0].Partitions[0].CurrentLeaderEpoch = 0
		r.Topics[0].Partitions[0].ReplicaDirectoryID = b.feed.Current().Broker(1).Stores[0]
		response := ask[*kmsg.FetchResponse](t, b, 17, r)
		if code := response.Topics[0].Partitions[0].ErrorCode; code != c.want.Code {
			t.Errorf("epoch %d: %v, want %v", c.epoch, kerr.ErrorForCode(code), c.want)
		}
	}
}
