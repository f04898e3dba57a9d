package api

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker that belongs to the cluster and is down is shown to those that ask for fenced ones, and to nobody else
// (KIP-1073).
func TestDescribeClusterShowsFencedBrokersWhenAsked(t *testing.T) {
	b := newBroker(t, nil)
	lease, err := b.store.Lease(t.Context(), time.Minute)
	must(t, err)
	_, err = metadata.Register(t.Context(), b.store, metadata.Broker{
		ID: 2, Stores: []ident.StoreID{ident.NewStoreID()}, Rack: "a",
		Endpoints: []metadata.Endpoint{{Listener: listenerName, Host: "127.0.0.2", Port: 9092, Protocol: "PLAINTEXT"}},
	}, lease.ID())
	must(t, err)
	b.until(t, func(image *metadata.Image) bool { return image.Broker(2) != nil })
	alive := []string{"1 127.0.0.1 false", "2 127.0.0.2 false"}
	if got := b.cluster(t, 2, true); !reflect.DeepEqual(got, alive) {
		t.Errorf("both alive: %v", got)
	}

	must(t, lease.Revoke(t.Context()))
	b.until(t, func(image *metadata.Image) bool { return image.Broker(2) == nil })
	for _, c := range []struct {
		version int16
		fenced  bool
		want    []string
	}{
		{2, true, []string{"1 127.0.0.1 false", "2 127.0.0.2 true"}},
		{2, false, []string{"1 127.0.0.1 false"}},
		{1, false, []string{"1 127.0.0.1 false"}},
	} {
		if got := b.cluster(t, c.version, c.fenced); !reflect.DeepEqual(got, c.want) {
			t.Errorf("version %d, fenced %v: got %v, want %v", c.version, c.fenced, got, c.want)
		}
	}
}

// cluster are the brokers in the answer to DescribeCluster: id, host, fenced.
func (b *memoryBroker) cluster(t *testing.T, version int16, fenced bool) []string {
	request := kmsg.NewPtrDescribeClusterRequest()
	request.IncludeFencedBrokers = fenced
	response := ask[*kmsg.DescribeClusterResponse](t, b, version, request)
	var brokers []string
	for _, node := range response.Brokers {
		brokers = append(brokers, fmt.Sprint(node.NodeID, " ", node.Host, " ", node.IsFenced))
	}
	return brokers
}

// until waits for an image that fits; the image has no event to wait for.
func (b *memoryBroker) until(t *testing.T, fits func(*metadata.Image) bool) {
	t.Helper()
	for !fits(b.feed.Current()) {
		runtime.Gosched()
	}
}
