package kubernetes

import (
	"errors"
	"strings"
	"testing"
)

const aNode = `{"kind":"Node","metadata":{"name":"worker-1","labels":{"topology.kubernetes.io/zone":"z1"}},"spec":{"podCIDR":"10.1.0.0/24"},
	"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.1"},{"type":"ExternalIP","address":"203.0.113.1"},{"type":"Hostname","address":"worker-1"}]}}`

func TestClientReads(t *testing.T) {
	s := newAPIServer(t)
	s.objects["/api/v1/nodes/worker-1"] = aNode
	c := s.client(t)
	node, err := c.Node(t.Context(), "worker-1")
	if err != nil || node.Metadata.Labels["topology.kubernetes.io/zone"] != "z1" || len(node.Status.Addresses) != 3 {
		t.Errorf("got %+v, %v", node, err)
	}
	if _, err := c.Service(t.Context(), "shop", "kafka-0"); !Missing(err) || Refused(err) {
		t.Errorf("a Service that is not there: %v", err)
	}
	if err != nil && !strings.Contains(err.Error(), "404 NotFound") {
		t.Error(err)
	}
}

// TestTokenIsReplaced: kubelet writes a new token before the old one ends, and the API server then takes only the new one.
func TestTokenIsReplaced(t *testing.T) {
	s := newAPIServer(t)
	s.objects["/api/v1/nodes/worker-1"] = aNode
	c := s.client(t)
	if _, err := c.Node(t.Context(), "worker-1"); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.token = "second"
	s.mu.Unlock()
	if _, err := c.Node(t.Context(), "worker-1"); !Refused(err) {
		t.Errorf("with the old token: %v", err)
	}
	s.put(t, "token", "second\n")
	if _, err := c.Node(t.Context(), "worker-1"); err != nil {
		t.Errorf("with the new token: %v", err)
	}
}

func TestStrangersAreNotTrusted(t *testing.T) {
	s, other := newAPIServer(t), newAPIServer(t)
	s.put(t, "ca.crt", "nothing")
	c := s.client(t)
	if _, err := c.Node(t.Context(), "worker-1"); err == nil || !strings.Contains(err.Error(), "has no certificate") {
		t.Errorf("without an authority: %v", err)
	}
	// httptest's servers share a certificate; a name that it is not for is a stranger too.
	c = other.client(t)
	c.base = strings.Replace(c.base, "127.0.0.1", "localhost", 1)
	if _, err := c.Node(t.Context(), "worker-1"); err == nil || Missing(err) {
		t.Errorf("of another name: %v", err)
	}
}

func TestNoAccount(t *testing.T) {
	s := newAPIServer(t)
	if _, err := NewClient(s.environment, t.TempDir()); !errors.Is(err, ErrNoAccount) {
		t.Errorf("without a token: %v", err)
	}
	if _, err := NewClient(func(string) string { return "" }, s.account); !errors.Is(err, ErrNoAccount) {
		t.Errorf("outside of Kubernetes: %v", err)
	}
}

func TestHere(t *testing.T) {
	s := newAPIServer(t)
	given := map[string]string{
		"KUBERNETES_SERVICE_HOST": "10.96.0.1", "POD_NAME": "kafka-1", "POD_UID": "u", "NODE_NAME": "worker-1", "HOST_IP": "10.0.0.1", "NODE_ZONE": "z",
	}
	pod, ok := Here(func(name string) string { return given[name] }, s.account)
	if want := (Pod{"kafka-1", "shop", "u", "worker-1", "10.0.0.1", "z"}); !ok || pod != want {
		t.Errorf("got %+v, %t", pod, ok)
	}
	if pod, ok := Here(func(string) string { return "" }, s.account); ok {
		t.Errorf("on a laptop: %+v", pod)
	}
}
