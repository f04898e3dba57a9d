package pods

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"barnabas/test/kubernetes/pods/lan"
)

// balancer is where clients outside reach a Service's load balancer.
func (w *world) balancer(service string) string {
	w.t.Helper()
	s, err := w.Service(namespace, service)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(s.Status.LoadBalancer.Ingress) == 0 {
		w.t.Fatalf("the load balancer of %s has no address", service)
	}
	return fmt.Sprintf("%s:%d", s.Status.LoadBalancer.Ingress[0].IP, s.Spec.Ports[0].Port)
}

// refused tells whether a connection from outside is turned away: not that it takes long.
func (w *world) refused(address string) bool {
	conn, err := lan.Dial(context.Background(), w.Outside(), address, patience)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH)
}

// Load balancers that get their addresses late: brokers serve within the cluster meanwhile and say what is missing, find the addresses out when
// they are there, and clients outside follow the pods through a rolling restart. Then only some may come in.
func TestLoadBalancer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Balancers(false)
	outside := func(ranges ...any) map[string]any {
		return map[string]any{"outside": map[string]any{"access": "LoadBalancer", "sourceRanges": ranges}}
	}
	w.install(outside())
	w.chartReady("installed, and no load balancer has an address")
	for _, broker := range []string{"queue-barnabas-broker-0", "queue-barnabas-broker-1", "queue-barnabas-broker-2"} {
		w.event(broker, "OutsideAddressUnknown")
		if logs := w.Logs(broker); strings.Contains(logs, "the address for clients outside is known") {
			t.Errorf("%s knows an address that nobody has", broker)
		}
	}
	w.Balancers(true)
	for _, broker := range []string{"queue-barnabas-broker-0", "queue-barnabas-broker-1", "queue-barnabas-broker-2"} {
		w.says(broker, `"address":"`+w.balancer(broker)+`"`)
	}
	bootstrap := w.balancer("queue-barnabas-outside")
	l := w.startLoad("-bootstrap", bootstrap, "-create", "-partitions", "1")
	l.flows(200, "through the load balancers")
	l.mark("installed")
	w.restarted(l, "queue-barnabas-broker", 200)
	w.noneMisleads()
	w.install(outside("192.168.11.0/24"))
	w.await("the ranges to let the outside in", func() bool { return !w.refused(bootstrap) })
	w.install(outside("203.0.113.0/24"))
	w.await("the ranges to keep the outside away", func() bool { return w.refused(bootstrap) })
}

// NetworkPolicies are in force in all of the chart's tests; here clients are named too. Who may connect to what is asked of every kind of pod.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	friends := map[string]any{"podSelector": map[string]any{"matchLabels": map[string]any{"app": "client"}}}
	w.install(map[string]any{"networkPolicy": map[string]any{"clients": []any{friends}}})
	w.chartReady("installed")
	l := w.startLoadInside("-bootstrap", "queue-barnabas:9092", "-create", "-partitions", "1")
	l.flows(100, "from a client that is named")
	w.deployClient("stranger")
	const broker, keeper = "queue-barnabas-broker-1", "queue-barnabas-keeper-1"
	for _, c := range []struct {
		from, to string
		port     int
		may      bool
	}{
		{"client", broker, 9092, true},
		{"client", broker, 8080, true},
		{"client", keeper, 2181, false},
		{"client", keeper, 2888, false},
		{"client", keeper, 3888, false},
		{"client", keeper, 8080, true},
		{"stranger", broker, 9092, false},
		{"stranger", broker, 9094, false},
		{"stranger", broker, 8080, true},
		{"stranger", keeper, 2181, false},
		{"queue-barnabas-broker-0", broker, 9092, true},
		{"queue-barnabas-broker-0", keeper, 2181, true},
		{"queue-barnabas-broker-0", keeper, 2888, false},
		{"queue-barnabas-broker-0", keeper, 3888, false},
		{"queue-barnabas-keeper-0", keeper, 2888, true},
		{"queue-barnabas-keeper-0", keeper, 3888, true},
		{"queue-barnabas-keeper-0", broker, 9092, true},
	} {
		w.connects(c.from, c.to, c.port, c.may)
	}
	if address := w.nodePorts("queue-barnabas-outside"); !w.refused(strings.Split(address, ",")[0]) {
		t.Errorf("clients outside, who are not named, reach %s", address)
	}
	l.flows(100, "beside others")
	l.finish()
}

// connects asks a pod to connect to another one. Rules follow pods within a moment, so that what ought to be is waited for.
func (w *world) connects(from, to string, port int, may bool) {
	w.t.Helper()
	address := ""
	for _, p := range w.GetPods() {
		if p.Name == to {
			address = p.IP
		}
	}
	w.await(fmt.Sprintf("%s to reach %s:%d: %t", from, to, port, may), func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
		defer cancel()
		out, err := w.Exec(ctx, w.pod(from), nil, "/bin/bash", "-c",
			fmt.Sprintf("exec 2>&1; exec 3<>/dev/tcp/%s/%d && echo connected", address, port))
		if err == nil {
			return may
		}
		return !may && (strings.Contains(out, "refused") || strings.Contains(out, "No route to host"))
	})
}
