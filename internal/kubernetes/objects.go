package kubernetes

import (
	"context"
	"net/http"
	"net/url"
)

// Meta is of an object's metadata what is read here.
type Meta struct {
	Name      string            `json:"name,omitempty"`
	Namespace string            `json:"namespace,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
}

// Node is a machine of the cluster.
type Node struct {
	Metadata Meta `json:"metadata"`
	Status   struct {
		Addresses []NodeAddress `json:"addresses"`
	} `json:"status"`
}

// NodeAddress is an address of a Node: its Type is InternalIP, ExternalIP, InternalDNS, ExternalDNS or Hostname.
type NodeAddress struct {
	Type    string `json:"type"`
	Address string `json:"address"`
}

// Service is an address that leads to pods.
type Service struct {
	Metadata Meta `json:"metadata"`
	Spec     struct {
		Type  string        `json:"type"`
		Ports []ServicePort `json:"ports"`
	} `json:"spec"`
	Status struct {
		LoadBalancer struct {
			Ingress []Ingress `json:"ingress"`
		} `json:"loadBalancer"`
	} `json:"status"`
}

// ServicePort is a port of a Service; NodePort is 0 where it has none.
type ServicePort struct {
	Name     string `json:"name"`
	Port     int    `json:"port"`
	NodePort int    `json:"nodePort"`
}

// Ingress is where a load balancer is reached: at an address, or at a name.
type Ingress struct {
	IP       string `json:"ip"`
	Hostname string `json:"hostname"`
}

// Node reads a Node.
func (c *Client) Node(ctx context.Context, name string) (*Node, error) {
	var node Node
	if err := c.do(ctx, http.MethodGet, "/api/v1/nodes/"+url.PathEscape(name), "", nil, &node); err != nil {
		return nil, err
	}
	return &node, nil
}

// Service reads a Service.
func (c *Client) Service(ctx context.Context, namespace, name string) (*Service, error) {
	var service Service
	path := "/api/v1/namespaces/" + url.PathEscape(namespace) + "/services/" + url.PathEscape(name)
	if err := c.do(ctx, http.MethodGet, path, "", nil, &service); err != nil {
		return nil, err
	}
	return &service, nil
}
