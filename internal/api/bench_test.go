package api

import (
	"testing"

	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// once is an exchange that is used again, and throws its reply away.
type once struct {
	frame  []byte
	client wire.Client
	done   chan struct{}
	reply  int
}

func (x *once) Frame() []byte         { return x.frame }
func (x *once) Keep()                 {}
func (x *once) Client() *wire.Client  { return &x.client }
func (x *once) Done() <-chan struct{} { return x.done }
func (x *once) Reply(r wire.Reply)    { x.reply = r.Size(); r.Free() }
func (x *once) Abort(reason error)    { panic(reason) }

func frameOf(version int16, request kmsg.Request) []byte {
	request.SetVersion(version)
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, request, 5)[4:]
}

// BenchmarkProduce is a request of one record of 100 bytes.
func BenchmarkProduce(b *testing.B) {
	broker := newBroker(b, nil)
	id := broker.createTopic(b, "orders", 1, nil)
	request := produceTo("orders", 0, 1, batchOf(b, string(make([]byte, 100))))
	request.Topics[0].TopicID = id
	frame := frameOf(13, request)
	x := &once{frame: make([]byte, len(frame))}
	b.ReportAllocs()
	for b.Loop() {
		copy(x.frame, frame) // offsets are patched in place
		broker.Handle(x)
	}
	if n := broker.Metrics.Topics.Get("orders").FailedProduceRequests.Load(); n > 0 {
		b.Fatalf("%d failed", n)
	}
}

// BenchmarkFetch reads one small batch.
func BenchmarkFetch(b *testing.B) {
	broker := newBroker(b, nil)
	id := broker.createTopic(b, "orders", 1, nil)
	broker.produce(b, "orders", 0, string(make([]byte, 100)))
	x := &once{frame: frameOf(13, fetchFrom("orders", id, 0, 0))}
	b.ReportAllocs()
	for b.Loop() {
		broker.Handle(x)
	}
}
