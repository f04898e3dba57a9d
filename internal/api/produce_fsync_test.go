package api

import (
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"barnabas/internal/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// onSyncedDisk is a broker with a topic of one partition that has fsync.on.ack, on a disk whose syncs of records wait, once
// they are held, for what the test says that came of them.
func onSyncedDisk(t *testing.T) (b *memoryBroker, begun chan struct{}, outcome chan error, held *atomic.Bool) {
	begun, outcome, held = make(chan struct{}, 100), make(chan error), new(atomic.Bool)
	disk := vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
		if op.Kind != vfs.OpSync || !strings.HasSuffix(op.Path, ".log") || !held.Load() {
			return nil
		}
		begun <- struct{}{}
		return <-outcome
	})
	b = newBrokerOn(t, disk, nil, "/data")
	b.createTopic(t, "orders", 1, nil)
	p, err := b.Partitions.Get("orders", 0)
	must(t, err)
	c := p.Log().Config()
	c.SyncOnAck = true
	p.Log().SetConfig(c)
	t.Cleanup(func() { held.Store(false) })
	return b, begun, outcome, held
}

func produceNow(t *testing.T, b *memoryBroker, acks int16) (*kmsg.ProduceRequest, *exchange) {
	request := produceTo("orders", 0, acks, batchOf(t, "x"))
	request.SetVersion(9)
	return request, b.begin(request)
}

// TestProduceWaitsForTheDisk: with fsync.on.ack acks=1 and acks=all are answered after the sync, many by one, and acks=0 as ever.
func TestProduceWaitsForTheDisk(t *testing.T) {
	b, begun, outcome, held := onSyncedDisk(t)
	held.Store(true)
	const each = 20
	requests, answers := []*kmsg.ProduceRequest{}, []*exchange{}
	begin := func(acks int16) {
		r, x := produceNow(t, b, acks)
		requests, answers = append(requests, r), append(answers, x)
	}
	begin(1)
	<-begun
	partition, err := b.Partitions.Get("orders", 0)
	must(t, err)
	for range each {
		begin(1)
		begin(-1)
	}
	_, unheeded := produceNow(t, b, 0)
	unheeded.wait(t)
	for partition.Log().EndOffset() < 2*each+2 {
		if t.Context().Err() != nil {
			t.Fatal("not all is appended")
		}
		runtime.Gosched() // an append has no event to wait for
	}
	for _, x := range answers {
		if len(x.replies) > 0 {
			t.Fatal("it is answered before the disk has")
		}
	}
	outcome <- nil
	<-begun // of all the others
	outcome <- nil
	for i, x := range answers {
		p := decode[*kmsg.ProduceResponse](t, requests[i], x.wait(t)).Topics[0].Partitions[0]
		if p.ErrorCode != 0 {
			t.Errorf("%+v", p)
		}
	}
	if len(begun) > 0 {
		t.Errorf("%d more syncs", len(begun))
	}
}

// TestProduceAfterAFailedSync: what could not be synced is refused, and so is what comes after.
func TestProduceAfterAFailedSync(t *testing.T) {
	b, begun, outcome, held := onSyncedDisk(t)
	held.Store(true)
	for _, acks := range []int16{1, -1} {
		r, x := produceNow(t, b, acks)
		if acks == 1 {
			<-begun
			outcome <- syscall.EIO
		}
		p := decode[*kmsg.ProduceResponse](t, r, x.wait(t)).Topics[0].Partitions[0]
		if p.ErrorCode != kerr.KafkaStorageError.Code {
			t.Errorf("acks=%d: %+v", acks, p)
		}
	}
	held.Store(false)
}
