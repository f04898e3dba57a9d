package sim

import (
	"slices"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/sim/check"
)

// TestHits: whose last copy that counts goes with a broker's stores, and whether the ledger has to say so.
func TestHits(t *testing.T) {
	const dies, other, third = ident.BrokerID(1), ident.BrokerID(2), ident.BrokerID(3)
	on := func(b ident.BrokerID) metadata.Member {
		return metadata.Member{Broker: b, Store: ident.StoreID{byte(b)}}
	}
	unnamed := func(b ident.BrokerID) metadata.Member { return metadata.Member{Broker: b} }
	type sets []metadata.Member
	elsewhere := metadata.Member{Broker: dies, Store: ident.StoreID{8}} // in a directory that is left
	for _, c := range []struct {
		name     string
		isr, elr sets
		wiped    []ident.BrokerID // before
		torn     []ident.BrokerID
		outlasts bool
		asking   metadata.Inquiry
		keeps    bool // one of its directories
		hit, all bool
	}{
		{name: "it has the only copy", isr: sets{on(dies)}, hit: true, all: true},
		{name: "it has none that counts", isr: sets{on(other)}},
		{name: "those that count were wiped before", isr: sets{on(other)}, wiped: []ident.BrokerID{other}, hit: true, all: true},
		{name: "it has the only copy, and the stores are asked", isr: sets{on(dies)}, asking: metadata.InquiryTorn, hit: true},
		{name: "of those that count one is left", isr: sets{on(other), on(third)}, wiped: []ident.BrokerID{other}},
		{name: "another is in sync", isr: sets{on(dies), on(other)}},
		{name: "another is eligible", isr: sets{on(dies)}, elr: sets{on(other)}},
		{name: "it is eligible, another in sync", isr: sets{on(other)}, elr: sets{on(dies)}},
		{name: "the other was wiped before", isr: sets{on(dies), on(other)}, wiped: []ident.BrokerID{other}, hit: true, all: true},
		{name: "the eligible one was wiped before", isr: sets{on(dies)}, elr: sets{on(other)}, wiped: []ident.BrokerID{other}, hit: true, all: true},
		{name: "the other is torn", isr: sets{on(dies), on(other)}, torn: []ident.BrokerID{other}, hit: true},
		{name: "the other is torn, and had it all on its disk", isr: sets{on(dies), on(other)}, torn: []ident.BrokerID{other}, outlasts: true},
		{name: "one is torn, one was wiped", isr: sets{on(dies), on(other), on(third)}, torn: []ident.BrokerID{other}, wiped: []ident.BrokerID{third}, hit: true},
		{name: "nobody knows the other's store yet", isr: sets{on(dies), unnamed(other)}},
		{name: "nobody knows the eligible one's store yet", isr: sets{on(dies)}, elr: sets{unnamed(other)}},
		{name: "nobody knows its own store yet", isr: sets{unnamed(dies)}},
		{name: "it has the only copy in a directory that is left", isr: sets{elsewhere}},
		{name: "it has the only copy beside a directory that is left", isr: sets{on(dies)}, keeps: true, hit: true, all: true},
	} {
		topic := ident.TopicID{7}
		state := metadata.Partition{Replicas: []ident.BrokerID{dies, other, third}, ISR: c.isr, ELR: c.elr, Leader: ident.NoBroker, Inquiry: c.asking}
		image, _, err := metadata.NewImage().Apply(1, []metadata.Event{
			{KV: metadata.KV{Key: metadata.TopicKey(topic), Value: metadata.EncodeTopic("t", 1), Created: 1, Modified: 1}},
			{KV: metadata.KV{Key: metadata.PartitionKey(topic, 0), Value: metadata.EncodePartition(&state), Created: 1, Modified: 1}},
		})
		if err != nil {
			t.Fatal(err)
		}
		truth := &truth{history: check.New(), torn: map[copyOf]bool{}}
		truth.history.Promise("t", check.Promise{Outlasts: c.outlasts})
		stores := map[ident.BrokerID][]ident.StoreID{other: {on(other).Store}, third: {on(third).Store}}
		if c.keeps || slices.Contains(c.isr, elsewhere) {
			stores[dies] = []ident.StoreID{elsewhere.Store}
		}
		for _, b := range c.wiped {
			stores[b] = []ident.StoreID{{9}}
		}
		for _, b := range c.torn {
			truth.torn[copyOf{topic, 0, b}] = true
		}
		found := truth.hitsIn(image, dies, stores)
		switch {
		case c.hit != (len(found) == 1):
			t.Errorf("%s: %v", c.name, found)
		case c.hit && found[0].gone != c.all:
			t.Errorf("%s: every store gone: %v", c.name, found[0].gone)
		}
	}
}
