package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func decode[T any](t *testing.T, text string) *T {
	t.Helper()
	var out T
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

func TestAddress(t *testing.T) {
	pod := Pod{Name: "kafka-2", HostIP: "10.0.0.7"}
	node := decode[Node](t, aNode)
	inner := decode[Node](t, `{"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.9"}]}}`)
	nodePort := decode[Service](t, `{"metadata":{"name":"kafka-2"},"spec":{"type":"NodePort","ports":[{"name":"outside","port":9094,"nodePort":31234}]}}`)
	plain := decode[Service](t, `{"metadata":{"name":"kafka-2"},"spec":{"type":"ClusterIP","ports":[{"name":"outside","port":9094}]}}`)
	balancer := decode[Service](t, `{"metadata":{"name":"kafka-2"},"spec":{"type":"LoadBalancer","ports":[{"name":"outside","port":9095,"nodePort":31235}]},
		"status":{"loadBalancer":{"ingress":[{"ip":"198.51.100.2"}]}}}`)
	named := decode[Service](t, `{"spec":{"type":"LoadBalancer","ports":[{"port":9094}]},"status":{"loadBalancer":{"ingress":[{"hostname":"a.elb.example.com"}]}}}`)
	pending := decode[Service](t, `{"metadata":{"name":"kafka-2"},"spec":{"type":"LoadBalancer","ports":[{"port":9094}]}}`)
	forbidden := &StatusError{403, "Forbidden", "services is forbidden"}
	for _, c := range []struct {
		what string
		way  Way
		want string
		err  string
	}{
		{"a node port that Kubernetes chose", Way{Access: NodePort, Pod: pod, Service: nodePort}, "10.0.0.7:31234", ""},
		{"the node's external address", Way{Access: NodePort, Pod: pod, Service: nodePort, Node: node}, "203.0.113.1:31234", ""},
		{"a node without one", Way{Access: NodePort, Pod: pod, Service: nodePort, Node: inner}, "10.0.0.9:31234", ""},
		{"nothing may be read", Way{Access: NodePort, Broker: 2, FirstPort: 30901, Pod: pod, ServiceError: forbidden}, "10.0.0.7:30903", ""},
		{"a host that is given", Way{Access: NodePort, Broker: 2, Host: "b{id}.example.com", FirstPort: 30901, Pod: pod}, "b2.example.com:30903", ""},
		{"no port is known", Way{Access: NodePort, Pod: pod, ServiceError: forbidden}, "", "barnabas.outside.first.port: the API server says 403"},
		{"no node is known", Way{Access: NodePort, FirstPort: 30901, NodeError: forbidden}, "", "HOST_IP"},
		{"a Service of another type", Way{Access: NodePort, Pod: pod, Service: plain}, "", "type is ClusterIP"},
		{"a load balancer's address", Way{Access: LoadBalancer, ListenerPort: 9094, Service: balancer}, "198.51.100.2:9095", ""},
		{"a load balancer's name", Way{Access: LoadBalancer, ListenerPort: 9094, Service: named}, "a.elb.example.com:9094", ""},
		{"one to come", Way{Access: LoadBalancer, Service: pending}, "", "no address yet"},
		{"one that has a name of ours", Way{Access: LoadBalancer, Broker: 1, Host: "b{id}.example.com", ListenerPort: 9094, ServiceError: forbidden}, "b1.example.com:9094", ""},
		{"one that may not be read", Way{Access: LoadBalancer, ServiceError: forbidden}, "", "barnabas.outside.host"},
		{"a mistake", Way{Access: "ingress"}, "", "not a way in"},
	} {
		host, port, err := c.way.Address()
		switch {
		case c.err == "" && (err != nil || fmt.Sprintf("%s:%d", host, port) != c.want):
			t.Errorf("%s: %s:%d, %v, want %s", c.what, host, port, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: %v, want %s", c.what, err, c.err)
		}
	}
	if _, _, err := (Way{Access: LoadBalancer, Service: pending}).Address(); !errors.Is(err, ErrPending) {
		t.Error(err)
	}
}
