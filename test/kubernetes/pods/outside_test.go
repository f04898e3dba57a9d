package pods

import (
	"fmt"
	"strings"
)

// nodePorts are where a Service is reached from outside: its first port, on every host.
func (w *world) nodePorts(service string) string {
	w.t.Helper()
	s, err := w.Service(namespace, service)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, host := range []string{"192.168.11.113", "192.168.11.114", "192.168.11.115"} {
		all = append(all, fmt.Sprintf("%s:%d", host, s.Spec.Ports[0].NodePort))
	}
	return strings.Join(all, ",")
}

// racks are those that the brokers say they stand in, as a tool in a pod tells.
func (w *world) racks(pod string) map[string]bool {
	w.t.Helper()
	out, err := w.Exec(w.context(), w.pod(pod), nil, "kafka-cluster.sh", "list-endpoints", "--bootstrap-server", "localhost:9092")
	if err != nil {
		w.t.Fatal(err)
	}
	racks := map[string]bool{}
	for line := range strings.Lines(out) {
		for _, word := range strings.Fields(line) {
			if word == "a" || word == "b" || word == "c" { // Options.Zones
				racks[word] = true
			}
		}
	}
	return racks
}

// event waits until a pod of whose name a part is given has said something.
func (w *world) event(part, reason string) {
	w.t.Helper()
	w.await("the Event "+reason+" of "+part, func() bool {
		for _, e := range w.Events() {
			if e.Reason == reason && strings.Contains(e.InvolvedObject.Name, part) {
				return true
			}
		}
		return false
	})
}
