// Package kubelet keeps pods running on the hosts of package lan: volumes, containers, probes, restarts with back-off, evictions for
// room, and the end with its hook, SIGTERM, grace and SIGKILL. A container runs in namespaces of its own, its files an overlay above the
// image, its user the one that the pod or the image names.
//
// Every Pod has one goroutine, which New starts and which ends with Gone; those of its containers and probes are below it.
package kubelet

import (
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"barnabas/test/kubernetes/pods/image"
	"barnabas/test/kubernetes/pods/lan"
	"barnabas/test/kubernetes/pods/limits"
)

// Machine is a host with what a kubelet needs there.
type Machine struct {
	Host *lan.Host
	// Dir takes pods' directories.
	Dir string
	// Runtime is the program of package container.
	Runtime string
	Image   *image.Image
	// Resolver is the address of the cluster's DNS server.
	Resolver string
	// Cluster is what pods are told of.
	Cluster Cluster
	// BackOff is the first wait before a container is started that has ended twice; it doubles up to BackOffMax.
	BackOff, BackOffMax time.Duration
	// Limits bounds the memory of containers that have a limit; nil bounds nobody.
	Limits *limits.Tree
	// Labels are the host's.
	Labels map[string]string
}

// Cluster is what a kubelet asks the API server for.
type Cluster interface {
	// Config is what a ConfigMap or, if secret, a Secret holds.
	Config(namespace, name string, secret bool) (map[string][]byte, bool)
	// Account is what a pod's service account is known by: token, ca.crt and namespace.
	Account(pod *corev1.Pod) map[string][]byte
	// ServiceLinks are the variables that name the API server, and a namespace's Services if all are asked for.
	ServiceLinks(namespace string, all bool) []string
}

// Status is how a pod is.
type Status struct {
	IP string
	// Phase is Pending, Running, Succeeded or Failed.
	Phase corev1.PodPhase
	// Ready tells that all containers are.
	Ready    bool
	Restarts int
	// Largest is the most that one of its emptyDirs with a limit has been found to hold, in bytes.
	Largest int64
	// Reason is Evicted, or empty.
	Reason string
	// Message says what it waits for, or what has happened last.
	Message string
}

// Ports by their name, of all containers.
func Ports(spec *corev1.PodSpec) map[string]int {
	ports := map[string]int{}
	for _, c := range spec.Containers {
		for _, p := range c.Ports {
			if p.Name != "" {
				ports[p.Name] = int(p.ContainerPort)
			}
		}
	}
	return ports
}

func (m *Machine) podDir(pod *corev1.Pod) string {
	return filepath.Join(m.Dir, string(pod.UID))
}
