package chart

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const (
	chartDir     = "../../../deploy/chart"
	manifestsDir = "../../../deploy/manifests"
)

var update = flag.Bool("update", false, "write deploy/manifests from the chart")

var release = Release{Name: "barnabas", Namespace: "barnabas"}

func values(budgets map[string]*policyv1.PodDisruptionBudget) []map[string]string {
	var selectors []map[string]string
	for _, b := range budgets {
		selectors = append(selectors, b.Spec.Selector.MatchLabels)
	}
	return selectors
}

// given reads values as a file of them has them.
func given(t *testing.T, text string) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func render(t *testing.T, release Release, text string) *cluster {
	t.Helper()
	files, err := Render(chartDir, release, given(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, Documents(files))
}

// TestMatrix renders what people may choose, and holds each rendering against Kubernetes' types and what every pod must have.
func TestMatrix(t *testing.T) {
	type names = []string // kind/name
	expected := map[string]struct{ want, not names }{
		"defaults": {names{"StatefulSet/barnabas-keeper", "StatefulSet/barnabas-broker", "Service/barnabas", "ServiceAccount/barnabas-broker", "ServiceAccount/barnabas-keeper",
			"Role/barnabas-broker", "RoleBinding/barnabas-broker", "Role/barnabas-keeper", "RoleBinding/barnabas-keeper", "PodDisruptionBudget/barnabas-keeper", "PodDisruptionBudget/barnabas-broker",
			"NetworkPolicy/barnabas-broker", "NetworkPolicy/barnabas-keeper"}, names{"ServiceMonitor/barnabas", "Service/barnabas-outside", "ConfigMap/barnabas-topics"}},
		"one process": {names{"StatefulSet/barnabas-broker"}, names{"StatefulSet/barnabas-keeper", "Service/barnabas-keeper", "PodDisruptionBudget/barnabas-keeper",
			"ServiceAccount/barnabas-keeper", "Role/barnabas-keeper"}},
		"node ports":              {names{"Service/barnabas-outside", "Service/barnabas-broker-0", "Service/barnabas-broker-2"}, names{"Service/barnabas-broker-3"}},
		"load balancers":          {names{"Service/barnabas-broker-1"}, nil},
		"one process, node ports": {names{"Service/barnabas-broker-1"}, nil},
		"topics":                  {names{"ConfigMap/barnabas-topics"}, nil},
		"everything":              {names{"ServiceMonitor/barnabas", "ClusterRole/barnabas-broker-barnabas", "ClusterRoleBinding/barnabas-broker-barnabas"}, nil},
		"nothing":                 {nil, names{"Role/barnabas-broker", "ServiceAccount/barnabas-broker", "ServiceAccount/barnabas-keeper", "RoleBinding/barnabas-keeper"}},
		"another name":            {names{"StatefulSet/kafka-broker"}, nil},
	}
	for name := range expected {
		if _, there := Variants[name]; !there {
			t.Errorf("there is no variant %s", name)
		}
	}
	for name, values := range Variants {
		c := expected[name]
		t.Run(name, func(t *testing.T) {
			rendered := render(t, release, values)
			rendered.check(t, name != "nothing", name != "nothing")
			for _, key := range c.want {
				if !rendered.names[key] {
					t.Errorf("no %s among %v", key, slices.Sorted(maps.Keys(rendered.names)))
				}
			}
			for _, key := range c.not {
				if rendered.names[key] {
					t.Errorf("%s is there", key)
				}
			}
		})
	}
}

// TestOutside: one setting makes a Service for each broker, by the name of its pod, and tells the brokers.
func TestOutside(t *testing.T) {
	c := render(t, release, "outside: {access: NodePort, firstNodePort: 30901}")
	for name, port := range map[string]int32{"barnabas-outside": 30900, "barnabas-broker-0": 30901, "barnabas-broker-2": 30903} {
		s := c.services[name]
		if s.Spec.Type != corev1.ServiceTypeNodePort || s.Spec.Ports[0].NodePort != port {
			t.Errorf("%s: %+v", name, s.Spec)
		}
		if name != "barnabas-outside" && (s.Spec.Selector["statefulset.kubernetes.io/pod-name"] != name || !s.Spec.PublishNotReadyAddresses) {
			t.Errorf("%s leads to %v", name, s.Spec.Selector)
		}
	}
	box := &c.sets["barnabas-broker"].Spec.Template.Spec.Containers[0]
	if env(box, "KAFKA_BARNABAS_OUTSIDE_ACCESS") != "nodeport" || !strings.Contains(env(box, "KAFKA_LISTENERS"), "OUTSIDE://:9094") || env(box, "KAFKA_BARNABAS_OUTSIDE_FIRST_PORT") != "30901" {
		t.Errorf("the brokers are told %+v", box.Env)
	}
	for _, rule := range c.roles["barnabas-broker"].Rules {
		if slices.Contains(rule.Resources, "*") || slices.Contains(rule.Verbs, "*") || slices.Contains(rule.Resources, "secrets") {
			t.Errorf("brokers may do too much: %+v", rule)
		}
	}
}

// TestTLS: one value mounts the Secret, adds the listener, and leaves the plain port to brokers and keepers.
func TestTLS(t *testing.T) {
	c := render(t, release, Variants["TLS"]+"\noutside: {access: LoadBalancer}")
	pod := c.sets["barnabas-broker"].Spec.Template.Spec
	for name, want := range map[string]string{
		"KAFKA_LISTENERS":                      "PLAINTEXT://:9092,TLS://:9093,OUTSIDE://:9094",
		"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,TLS:SSL,OUTSIDE:SSL",
		"KAFKA_SSL_KEYSTORE_LOCATION":          "/etc/barnabas/tls",
		"KAFKA_SSL_CLIENT_AUTH":                "none",
		"KAFKA_SSL_TRUSTSTORE_LOCATION":        "",
	} {
		if got := env(&pod.Containers[0], name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	mounted := slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == "certificates" })
	if ports := c.services["barnabas"].Spec.Ports; !mounted || len(ports) != 2 || ports[1].Port != 9093 {
		t.Errorf("the Secret is mounted: %t; clients come to %+v", mounted, ports)
	}
	for text, strangers := range map[string]bool{Variants["TLS"]: false, Variants["TLS for all"]: true, "": true} {
		open := false
		for _, rule := range render(t, release, text).policies["barnabas-broker"].Spec.Ingress {
			for _, port := range rule.Ports {
				open = open || port.Port.StrVal == "kafka" && len(rule.From) == 0
			}
		}
		if open != strangers {
			t.Errorf("%q: strangers may come without TLS: %t", text, open)
		}
	}
}

// TestKeepersFindEachOther: the names that keepers and brokers are given are those of the pods.
func TestKeepersFindEachOther(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "server.1=barnabas-keeper-0.barnabas-keeper:2888:3888;2181 server.2=barnabas-keeper-1.barnabas-keeper:2888:3888;2181 server.3=barnabas-keeper-2.barnabas-keeper:2888:3888;2181",
		"mode: combined\nkeepers: {replicas: 1}": "server.1=barnabas-broker-0.barnabas-broker:2888:3888;2181",
	} {
		c := render(t, release, text)
		set := c.sets["barnabas-keeper"]
		if set == nil {
			set = c.sets["barnabas-broker"]
		}
		if got := env(&set.Spec.Template.Spec.Containers[0], "ZOO_SERVERS"); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// refusals are values that the schema refuses, by what it says.
var refusals = map[string]string{
	"keepers: {replicas: 2}":                      "keepers/replicas",
	"brokers: {replicas: 0}":                      "brokers/replicas",
	"brokers: {replica: 3}":                       "replica",
	"brokers: {storage: {size: 1.5Gi}}":           "brokers/storage/size",
	"brokers: {storage: {type: hostPath}}":        "brokers/storage/type",
	"outside: {access: nodePort}":                 "outside/access",
	"outside: {firstNodePort: 70000}":             "outside/firstNodePort",
	"tls: {enabled: true}":                        "tls",
	"tls: {clientAuth: maybe}":                    "tls/clientAuth",
	"topics: [{name: a/b}]":                       "topics/0/name",
	"topics: [{partitions: 3}]":                   "name",
	"image: {tag: 3}":                             "image/tag",
	"mode: kraft":                                 "mode",
	"podSecurityContext: {runAsUser: 0}":          "podSecurityContext/runAsUser",
	"brokers: {terminationGracePeriodSeconds: 5}": "terminationGracePeriodSeconds",
	"persistence: {enabled: true}":                "persistence",
}

func TestSchemaRefuses(t *testing.T) {
	for text, want := range refusals {
		_, err := Render(chartDir, release, given(t, text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// linted are the values that the chart is linted with.
var linted = []string{"", "mode: combined\noutside: {access: NodePort}"}

func TestLint(t *testing.T) {
	for _, text := range linted {
		result := lint.RunAll(chartDir, given(t, text), release.Namespace)
		for _, m := range result.Messages {
			if m.Severity >= support.WarningSev && !strings.Contains(m.Error(), "icon") {
				t.Errorf("%q: %v", text, m)
			}
		}
	}
}

// TestOldKubernetes: what is rendered does not depend on the cluster's version, from the oldest that the chart allows.
func TestOldKubernetes(t *testing.T) {
	now, err := Render(chartDir, release, nil)
	if err != nil {
		t.Fatal(err)
	}
	old, err := Render(chartDir, Release{Name: release.Name, Namespace: release.Namespace, KubeVersion: "v1.25.0"}, nil)
	if err != nil || !maps.Equal(now, old) {
		t.Errorf("of another version it renders otherwise: %v", err)
	}
}

// ownedByHelm are the labels that only Helm gives.
var ownedByHelm = []string{"app.kubernetes.io/managed-by", "helm.sh/chart"}

// plain is the chart's default rendering without what is Helm's: by file of deploy/manifests.
func plain(t *testing.T) map[string]string {
	t.Helper()
	files, err := Render(chartDir, release, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, text := range files {
		if strings.HasSuffix(name, ".txt") || strings.TrimSpace(text) == "" {
			continue
		}
		var kept []string
		for _, document := range split(text) {
			for line := range strings.Lines(document) {
				if !slices.ContainsFunc(ownedByHelm, func(label string) bool { return strings.Contains(line, label) }) {
					kept = append(kept, line)
				}
			}
			kept = append(kept, "---\n")
		}
		out[name] = strings.Join(kept[:len(kept)-1], "")
	}
	return out
}

// TestManifestsAreTheChart: deploy/manifests is the chart with its defaults, and a namespace.
func TestManifestsAreTheChart(t *testing.T) {
	want := plain(t)
	if *update {
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(manifestsDir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	text, err := Build(manifestsDir)
	if err != nil {
		t.Fatal(err)
	}
	built := read(t, split(text))
	built.check(t, true, true)
	objects := map[string]any{}
	for _, document := range split(text) {
		key, o := parsed(t, document)
		objects[key] = o
	}
	delete(objects, "Namespace/barnabas")
	for name, text := range want {
		for _, document := range split(text) {
			key, o := parsed(t, document)
			if built, _ := yaml.Marshal(objects[key]); string(built) != marshalled(t, o) {
				t.Errorf("%s: %s is not what the chart renders: go test ./chart -update writes it anew\n%s\nwant\n%s", name, key, built, marshalled(t, o))
			}
			delete(objects, key)
		}
	}
	for key := range objects {
		t.Errorf("%s is not in the chart", key)
	}
}

func marshalled(t *testing.T, o any) string {
	t.Helper()
	text, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// parsed is a document as plain data, without its namespace, which kustomize gives and Helm leaves to the request.
func parsed(t *testing.T, document string) (string, map[string]any) {
	t.Helper()
	o := given(t, document)
	meta := o["metadata"].(map[string]any)
	delete(meta, "namespace")
	return o["kind"].(string) + "/" + meta["name"].(string), o
}
