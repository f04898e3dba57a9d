package metadata

import (
	"maps"
	"slices"

	"barnabas/internal/ident"
)

// Broker is a registration. It exists for as long as the broker's lease does.
type Broker struct {
	ID ident.BrokerID `json:"-"`
	// Epoch is the create revision of the registration: Kafka's broker epoch.
	Epoch Revision `json:"-"`
	// Modified is the revision of the registration's last change.
	Modified Revision `json:"-"`

	// Stores are the identities of its log directories that are online.
	Stores []ident.StoreID `json:"stores"`
	// Failed counts the log directories that can't be read now. While there is one, a store that is not
	// among Stores may yet come back; otherwise it is gone for good.
	Failed int `json:"failed,omitempty"`
	// Boot is the machine's boot: a broker that died within one has lost no page cache.
	Boot ident.BootID `json:"boot"`
	// Clean says that the run before this one ended with all logs synced.
	Clean bool `json:"clean,omitempty"`
	// Torn says that the run before this one did not end so, and that the machine has booted since:
	// the ends of the logs may be missing.
	Torn bool `json:"torn,omitempty"`
	// TornStores are those of Stores that Torn is about; where it names none, all of them.
	TornStores []ident.StoreID `json:"tornStores,omitempty"`
	// Told is the life of the keepers in which the broker has put back what it knew of those before, as far as it knew anything. One
	// that has gone on while the keepers were lost has not for a moment, and a registration that others have put back is of a life before.
	Told string `json:"told,omitempty"`
	// ToldAll says that this was all that its number had acted on. One that was wiped, or whose machine went down, can't say so.
	ToldAll bool `json:"toldAll,omitempty"`
	// Leaving says that the broker has been told to stop and wants others to lead. It joins no in-sync set any more.
	Leaving bool `json:"leaving,omitempty"`
	// Rack is broker.rack, empty if not given.
	Rack string `json:"rack,omitempty"`
	// Endpoints are the advertised listeners, for clients.
	Endpoints []Endpoint `json:"endpoints"`
	// Internal is the advertised listener that is for the brokers of the cluster.
	Internal Endpoint `json:"internal"`
	// Own are the listeners at the address of the machine, or pod, itself: brokers go there first.
	Own []Endpoint `json:"own,omitempty"`
	// Features are the levels of each feature that this broker can work with.
	Features map[string]FeatureRange `json:"features,omitempty"`
	// Version is the release of Barnabas that it runs.
	Version string `json:"version,omitempty"`
	// StartedMs is when its process began, in milliseconds since 1970.
	StartedMs int64 `json:"startedMs,omitempty"`
}

// Endpoint is an address of a listener.
type Endpoint struct {
	Listener string `json:"listener"`
	Host     string `json:"host"`
	Port     int32  `json:"port"`
	// Protocol is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
	Protocol string `json:"protocol"`
}

// FeatureRange are the levels of a feature that a broker supports, both inclusive.
type FeatureRange struct {
	Min int16 `json:"min"`
	Max int16 `json:"max"`
}

// HasStore tells whether the broker registered with that log directory.
func (b *Broker) HasStore(id ident.StoreID) bool { return slices.Contains(b.Stores, id) }

// IsTorn tells whether the end of a copy on that store may be missing. A store that nobody knows, the zero one, may be any.
func (b *Broker) IsTorn(id ident.StoreID) bool {
	return b.Torn && (id.IsZero() || len(b.TornStores) == 0 || slices.Contains(b.TornStores, id))
}

// Endpoint finds the advertised address of a listener.
func (b *Broker) Endpoint(listener string) (Endpoint, bool) {
	i := slices.IndexFunc(b.Endpoints, func(e Endpoint) bool { return e.Listener == listener })
	if i < 0 {
		return Endpoint{}, false
	}
	return b.Endpoints[i], true
}

// brokerSet is a set of brokers; one that an Image shows does not change any more.
type brokerSet map[ident.BrokerID]*Broker

func (s brokerSet) sorted() []*Broker {
	return slices.SortedFunc(maps.Values(s), func(a, b *Broker) int { return int(a.ID) - int(b.ID) })
}

// with is the set with one broker changed by its key's event.
func (s brokerSet) with(e *Event) (brokerSet, ident.BrokerID, error) {
	_, n, ok := splitTail(e.Key)
	if !ok {
		return nil, 0, errKey
	}
	id := ident.BrokerID(n)
	next := maps.Clone(s)
	if next == nil {
		next = make(brokerSet)
	}
	if e.Deleted {
		delete(next, id)
		return next, id, nil
	}
	broker, err := DecodeBroker(e.KV)
	if err != nil {
		return nil, 0, err
	}
	next[id] = broker
	return next, id, nil
}
