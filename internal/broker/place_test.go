package broker

import (
	"net"
	"strconv"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/test/loopback"
)

// TestPlaceOfADeadBroker: a broker was killed, and one of its id and address comes up on an empty disk before anybody
// has noticed. It must neither wait for the registration to end nor take itself for the incumbent.
func TestPlaceOfADeadBroker(t *testing.T) {
	w := newWorld(t)
	address := loopback.Free(t)
	host, number, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(number)
	store := w.memory.Open(w.faults)
	defer store.Close()
	lease, err := store.Lease(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	at := metadata.Endpoint{Listener: "PLAINTEXT", Host: host, Port: int32(port), Protocol: "PLAINTEXT"}
	dead, err := metadata.Register(t.Context(), store, metadata.Broker{
		ID: 7, Boot: w.boot, Stores: []ident.StoreID{ident.NewStoreID()}, Internal: at,
		Endpoints: []metadata.Endpoint{at}, Own: []metadata.Endpoint{at},
	}, lease.ID())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Txn(t.Context(), metadata.Txn{
		Then: []metadata.Op{metadata.PutLeased(metadata.ControllerKey(), metadata.EncodeElection(7), lease.ID())},
	}); err != nil {
		t.Fatal(err)
	}
	b := w.start("node.id=7", "log.dirs=/two", "listeners=PLAINTEXT://"+address)
	if now := b.feed.Current().Broker(7); now == nil || now.Epoch == dead.Epoch {
		t.Errorf("registered: %+v", now)
	}
	if err := w.produce(w.client(b), 0, 1); err != nil {
		t.Error(err)
	}
}
