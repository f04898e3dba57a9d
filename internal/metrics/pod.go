package metrics

import "time"

// Address is an address that the broker advertises and does not itself listen on.
type Address struct {
	Listener, Address string
	// Reachable says that a connection there ended at the broker.
	Reachable bool
}

// Declared is what has become of the topics that documents ask for.
type Declared struct {
	// Topics are those that documents are about, Pending those that are not as they should be yet, Problems what is wrong
	// with documents or can't be done.
	Topics, Pending, Problems int
}

// Certificate is that of a listener that speaks TLS.
type Certificate struct {
	Listener string
	Expires  time.Time
}

// PodSource tells of a broker's place: its addresses, its documents, and what it could not tell Kubernetes.
type PodSource interface {
	AdvertisedAddresses() []Address
	Certificates() []Certificate
	// DeclaredTopics is false where there are no documents.
	DeclaredTopics() (Declared, bool)
	DroppedEvents() int64
	// Registered is false from when the keepers have not heard of the broker for too long until they have again.
	Registered() bool
}

// AddPod shows the place of source at every scrape.
func (r *Registry) AddPod(source PodSource) { r.Add(pod{source}) }

type pod struct{ source PodSource }

// Collect writes what of an advertised address, a document or an Event somebody has to look after.
func (c pod) Collect(w *Writer) {
	w.Family("barnabas_advertised_address_reachable", GaugeType,
		"1 where a connection to an address that is advertised, and not simply listened on, ends at this broker.")
	for _, a := range c.source.AdvertisedAddresses() {
		w.Count(one(a.Reachable), "listener", a.Listener, "address", a.Address)
	}
	if certificates := c.source.Certificates(); len(certificates) > 0 {
		w.Family("barnabas_certificate_expiry_seconds", GaugeType,
			"When the certificate of a listener that speaks TLS, or one of those that issued it, expires, in seconds since 1970.")
		for _, certificate := range certificates {
			w.Count(certificate.Expires.Unix(), "listener", certificate.Listener)
		}
	}
	w.Family("barnabas_kubernetes_events_dropped_total", CounterType, "Kubernetes Events that came faster than they may be written.")
	w.Count(c.source.DroppedEvents())
	w.Family("barnabas_registered", GaugeType, "0 where the keepers have not answered for longer than zookeeper.session.timeout.ms: topics, settings, "+
		"in-sync sets and leaders do not change meanwhile.")
	w.Count(one(c.source.Registered()))
	declared, any := c.source.DeclaredTopics()
	if !any {
		return
	}
	w.Family("barnabas_declared_topics", GaugeType, "Topics that KafkaTopic documents are about.")
	w.Count(int64(declared.Topics))
	w.Family("barnabas_declared_topics_pending", GaugeType, "Topics that are not as their documents say.")
	w.Count(int64(declared.Pending))
	w.Family("barnabas_declared_topics_problems", GaugeType, "What is wrong with KafkaTopic documents, or can't be done.")
	w.Count(int64(declared.Problems))
}
