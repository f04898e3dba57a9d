package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
)

// Pod is what a process knows of the pod that it runs in. The fields that it was not told are empty.
type Pod struct {
	Name, Namespace, UID string
	// Node is the node's name, HostIP its address in the cluster's network, and Zone what the node's zone label says where
	// that is handed on to pods (KEP-4742).
	Node, HostIP, Zone string
}

// Here is the pod of this process, from the variables that the downward API fills: POD_NAME, POD_NAMESPACE, POD_UID, NODE_NAME,
// HOST_IP and NODE_ZONE. It is false where this is no pod. A name that was not given is the machine's, and a namespace the
// service account's.
func Here(environment func(string) string, account string) (Pod, bool) {
	pod := Pod{
		Name: environment("POD_NAME"), Namespace: environment("POD_NAMESPACE"), UID: environment("POD_UID"),
		Node: environment("NODE_NAME"), HostIP: environment("HOST_IP"), Zone: environment("NODE_ZONE"),
	}
	inside := environment("KUBERNETES_SERVICE_HOST") != ""
	if !inside && pod.Name == "" {
		return Pod{}, false
	}
	if pod.Name == "" {
		name, err := os.Hostname()
		if err != nil {
			return Pod{}, false
		}
		pod.Name, _, _ = strings.Cut(name, ".")
	}
	if pod.Namespace == "" {
		if text, err := os.ReadFile(filepath.Join(account, "namespace")); err == nil {
			pod.Namespace = strings.TrimSpace(string(text))
		}
	}
	return pod, true
}
