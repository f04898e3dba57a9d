package config

import (
	"strings"
)

// A broker in a pod: the addresses that clients are told, topics from files, and what Kubernetes is told.
var (
	OutsideAccess = stringSetting(Row{Name: "barnabas.outside.access", Default: "none", Room: inBroker,
		check: oneOf("none", "nodeport", "loadbalancer"),
		Doc:   "How clients outside of the Kubernetes cluster reach a broker in a pod. `nodeport` and `loadbalancer` have the broker find out what its barnabas.outside.listener advertises: the node port, or the load balancer's address, of the Service that has the pod's name, and the node's address. It needs the pod's variables HOST_IP and POD_NAMESPACE, and a service account that may read Services, or barnabas.outside.first.port and barnabas.outside.host. Until the address is known the listener is not advertised."})

	OutsideListener = stringSetting(Row{Name: "barnabas.outside.listener", Default: "OUTSIDE", Room: inBroker,
		Doc: "The listener, one of listeners, that clients outside of the Kubernetes cluster come to. Brokers must use another one among themselves."})

	OutsideHost = stringSetting(Row{Name: "barnabas.outside.host", Room: inBroker,
		Doc: "What clients outside are told in place of the node's or the load balancer's address; `{id}` in it is the broker's number."})

	OutsideFirstPort = intSetting(Row{Name: "barnabas.outside.first.port", Default: "0", Room: inBroker, check: between[int64](0, 65535),
		Doc: "The node port of broker 0, where the others follow in the order of their numbers; it is used where the Service can't be read. 0 is none."})

	AdvertisedCheckInterval = msSetting(Long, Row{Name: "barnabas.advertised.check.interval.ms", Default: "60000", Room: inBroker, check: atLeast[int64](0),
		Doc: "How often a broker connects to each address that it advertises and does not itself listen on, and looks whether it is itself that answers. What it finds is in the log, in /readyz, in the metrics, and a Kubernetes Event. An address that does not answer is looked at ten times as often. 0 never looks."})

	TopicsDir = stringSetting(Row{Name: "barnabas.topics.dir", Room: inBroker,
		Doc: "A directory with KafkaTopic documents (YAML or JSON; those of Strimzi too), as a ConfigMap is mounted. The controller creates the topics, gives them more partitions and more or fewer replicas, and sets their settings, whenever the files and the cluster differ. A topic is deleted only where its document says `delete: true`."})

	TopicsInterval = msSetting(Long, Row{Name: "barnabas.topics.interval.ms", Default: "10000", Room: inBroker, check: atLeast[int64](100),
		Doc: "How often barnabas.topics.dir is read."})

	KubernetesEvents = boolSetting(Row{Name: "barnabas.kubernetes.events", Default: "true", Room: inBroker,
		Doc: "Whether a broker in a pod, whose service account may do so, writes Kubernetes Events: that it is up, drains, has come back without its data, that records were lost, that an address can't be reached, and what becomes of a keeper inside. A keeper of its own has kubernetes.events (ZOO_KUBERNETES_EVENTS) for the same."})

	KubernetesRackLabel = stringSetting(Row{Name: "barnabas.kubernetes.rack.label", Default: "topology.kubernetes.io/zone", Room: inBroker,
		Doc: "The label of the node that says where a broker in a pod stands, where broker.rack does not: from the pod's variable NODE_ZONE, or from the Node where the service account may read it. Empty asks nobody."})
)

// outside checks what a broker in a pod is told of clients outside.
func (l *loading) outside() {
	if OutsideAccess.In(l.view) == "none" {
		return
	}
	name := strings.ToUpper(OutsideListener.In(l.view))
	at := -1
	for i, listener := range l.broker.Listeners {
		if listener.Name == name {
			at = i
		}
	}
	switch {
	case at < 0:
		l.problem(OutsideAccess.Def, "there is no listener "+name+" for clients outside: add one to listeners, as "+name+"://:9094")
		return
	case l.broker.InterBroker == name:
		l.problem(OutsideListener.Def, name+" is for clients outside, and brokers use it among themselves: set inter.broker.listener.name to another one")
		return
	}
	l.broker.Listeners[at].Outside = true
}
