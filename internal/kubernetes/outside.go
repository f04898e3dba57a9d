package kubernetes

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Access is how clients outside of the Kubernetes cluster reach a broker.
type Access string

// The ways in.
const (
	NoAccess     Access = "none"
	NodePort     Access = "nodeport"
	LoadBalancer Access = "loadbalancer"
)

// Way is what is known when an address for clients outside is looked for. What could not be read is nil, and the error beside it
// says why.
type Way struct {
	Access Access
	// Broker is the broker's number.
	Broker int32
	// Host, if given, is what clients are told; {id} in it is the number.
	Host string
	// FirstPort, if not 0, is the node port of broker 0.
	FirstPort int
	// ListenerPort is the port of the Service, where a load balancer takes connections.
	ListenerPort int
	Pod          Pod
	Node         *Node
	NodeError    error
	Service      *Service
	ServiceError error
}

// ErrPending says that the address will be there later: the load balancer has none yet.
var ErrPending = errors.New("the load balancer has no address yet")

// Address is what clients outside are told: host and port. The error says what is missing, and what to do.
func (w Way) Address() (host string, port int, err error) {
	switch w.Access {
	case NodePort:
		return w.nodePort()
	case LoadBalancer:
		return w.loadBalancer()
	}
	return "", 0, fmt.Errorf("%q is not a way in: none, nodeport or loadbalancer", w.Access)
}

func (w Way) nodePort() (string, int, error) {
	port := 0
	switch {
	case w.Service != nil:
		for _, p := range w.Service.Spec.Ports {
			if p.NodePort != 0 && (port == 0 || p.Name == "outside") {
				port = p.NodePort
			}
		}
		if port == 0 {
			return "", 0, fmt.Errorf("the Service %s has no node port: its type is %s, and should be NodePort",
				w.Service.Metadata.Name, w.Service.Spec.Type)
		}
	case w.FirstPort != 0:
		port = w.FirstPort + int(w.Broker)
	default:
		return "", 0, fmt.Errorf("the node port is not known: let the service account read the Service, or set "+
			"barnabas.outside.first.port: %w", w.ServiceError)
	}
	if w.Host != "" {
		return w.host(), port, nil
	}
	if host := externalAddress(w.Node); host != "" {
		return host, port, nil
	}
	if w.Pod.HostIP != "" {
		return w.Pod.HostIP, port, nil
	}
	return "", 0, fmt.Errorf("the node's address is not known: give the pod HOST_IP (status.hostIP), or set barnabas.outside.host: %w", w.NodeError)
}

// externalAddress is that of a node which others than the cluster know, or that within it; empty if nothing is known.
func externalAddress(node *Node) string {
	if node == nil {
		return ""
	}
	for _, kind := range []string{"ExternalIP", "ExternalDNS", "InternalIP"} {
		for _, a := range node.Status.Addresses {
			if a.Type == kind && a.Address != "" {
				return a.Address
			}
		}
	}
	return ""
}

func (w Way) loadBalancer() (string, int, error) {
	port := w.ListenerPort
	if w.Service != nil {
		for _, p := range w.Service.Spec.Ports {
			if p.Name == "outside" || len(w.Service.Spec.Ports) == 1 {
				port = p.Port
			}
		}
	}
	if w.Host != "" {
		return w.host(), port, nil
	}
	if w.Service == nil {
		return "", 0, fmt.Errorf("the load balancer's address is not known: let the service account read the Service, or set "+
			"barnabas.outside.host: %w", w.ServiceError)
	}
	for _, ingress := range w.Service.Status.LoadBalancer.Ingress {
		if ingress.Hostname != "" {
			return ingress.Hostname, port, nil
		}
		if ingress.IP != "" {
			return ingress.IP, port, nil
		}
	}
	return "", 0, fmt.Errorf("%w: Service %s", ErrPending, w.Service.Metadata.Name)
}

func (w Way) host() string {
	return strings.ReplaceAll(w.Host, "{id}", strconv.Itoa(int(w.Broker)))
}
