package objects

import (
	"strings"
	"testing"
)

func TestDefaults(t *testing.T) {
	set, err := Read([]byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  selector: {matchLabels: {a: b}}
  template:
    spec:
      containers:
      - name: c
        readinessProbe: {httpGet: {port: 80}}
---
# nothing
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: other}
spec: {ports: [{port: 9092}]}
`), "kafka")
	if err != nil {
		t.Fatal(err)
	}
	d, s := set.Deployments[0], set.Services[0]
	probe := d.Spec.Template.Spec.Containers[0].ReadinessProbe
	if d.Namespace != "kafka" || *d.Spec.Replicas != 1 || d.Spec.Strategy.RollingUpdate.MaxSurge.StrVal != "25%" ||
		*d.Spec.Template.Spec.TerminationGracePeriodSeconds != 30 || probe.PeriodSeconds != 10 || probe.HTTPGet.Path != "/" {
		t.Errorf("%+v", d)
	}
	if s.Namespace != "other" || s.Spec.Type != "ClusterIP" || s.Spec.Ports[0].TargetPort.IntVal != 9092 {
		t.Errorf("%+v", s)
	}
}

// What the harness has no part for is refused by name.
func TestRefusals(t *testing.T) {
	for want, text := range map[string]string{
		"no such kind":   "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}",
		"unknown field":  "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {prots: []}",
		"ClientIP":       "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {sessionAffinity: ClientIP}",
		"share":          "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {hostNetwork: true, containers: [{name: c}]}}}",
		"egress":         "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: {policyTypes: [Egress]}",
		"no IPv6":        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: {ingress: [{from: [{ipBlock: {cidr: 'fd00::/8'}}]}]}",
		"without a name": "apiVersion: v1\nkind: ConfigMap",
	} {
		if _, err := Read([]byte(text), "kafka"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
