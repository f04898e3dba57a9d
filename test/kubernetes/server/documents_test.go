package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// collections are where the objects of a kind are, below their namespace or not.
var collections = map[string]struct {
	path   string
	global bool
}{
	"v1 Namespace":                                    {"/api/v1 namespaces", true},
	"v1 Service":                                      {"/api/v1 services", false},
	"v1 ConfigMap":                                    {"/api/v1 configmaps", false},
	"v1 ServiceAccount":                               {"/api/v1 serviceaccounts", false},
	"v1 Pod":                                          {"/api/v1 pods", false},
	"apps/v1 StatefulSet":                             {"/apis/apps/v1 statefulsets", false},
	"apps/v1 Deployment":                              {"/apis/apps/v1 deployments", false},
	"policy/v1 PodDisruptionBudget":                   {"/apis/policy/v1 poddisruptionbudgets", false},
	"networking.k8s.io/v1 NetworkPolicy":              {"/apis/networking.k8s.io/v1 networkpolicies", false},
	"rbac.authorization.k8s.io/v1 Role":               {"/apis/rbac.authorization.k8s.io/v1 roles", false},
	"rbac.authorization.k8s.io/v1 RoleBinding":        {"/apis/rbac.authorization.k8s.io/v1 rolebindings", false},
	"rbac.authorization.k8s.io/v1 ClusterRole":        {"/apis/rbac.authorization.k8s.io/v1 clusterroles", true},
	"rbac.authorization.k8s.io/v1 ClusterRoleBinding": {"/apis/rbac.authorization.k8s.io/v1 clusterrolebindings", true},
}

// document is one object as a file has it.
type document struct {
	text, kind, name, namespace string
	content                     object
}

func parse(t *testing.T, text, namespace string) document {
	t.Helper()
	d := document{text: text, namespace: namespace}
	if err := yaml.Unmarshal([]byte(text), &d.content); err != nil {
		t.Fatal(err)
	}
	meta := d.content["metadata"].(object)
	d.kind, d.name = fmt.Sprint(d.content["apiVersion"], " ", d.content["kind"]), fmt.Sprint(meta["name"])
	if in, given := meta["namespace"].(string); given {
		d.namespace = in
	}
	return d
}

func (d document) String() string { return d.kind + " " + d.name }

// collection is the path that documents of its kind are sent to.
func (d document) collection(t *testing.T) string {
	t.Helper()
	c, known := collections[d.kind]
	if !known {
		t.Fatalf("%s: where do these go?", d)
	}
	group, plural, _ := strings.Cut(c.path, " ")
	if c.global {
		return group + "/" + plural
	}
	return group + "/namespaces/" + d.namespace + "/" + plural
}

// foreign tells that a kind is an operator's, which this server does not know.
func (d document) foreign() bool { return strings.HasPrefix(d.kind, "monitoring.coreos.com/") }

// create is `kubectl create --validate=strict`; a dry run goes through all of the server but its storage. Warnings are refusals too.
func (d document) create(t *testing.T, dry bool) error {
	t.Helper()
	path := d.collection(t) + "?fieldValidation=Strict&fieldManager=test"
	if dry {
		path += "&dryRun=All"
	}
	return judged(at.ask(admin, http.MethodPost, path, "application/yaml", []byte(d.text)))
}

// apply is `kubectl apply --server-side --force-conflicts`.
func (d document) apply(t *testing.T, dry bool) error {
	t.Helper()
	path := d.collection(t) + "/" + d.name + "?fieldValidation=Strict&fieldManager=helm&force=true"
	if dry {
		path += "&dryRun=All"
	}
	return judged(at.ask(admin, http.MethodPatch, path, "application/apply-patch+yaml", []byte(d.text)))
}

// judged is what the server has against what it was sent.
func judged(code int, answer []byte, warnings []string, err error) error {
	switch {
	case err != nil:
		return err
	case code >= 300:
		var status struct{ Message string }
		if json.Unmarshal(answer, &status) == nil && status.Message != "" {
			return fmt.Errorf("%d: %s", code, status.Message)
		}
		return fmt.Errorf("%d: %s", code, answer)
	case len(warnings) > 0:
		return fmt.Errorf("accepted with %v", warnings)
	}
	return nil
}

// pod is the one that a set's controller would make of its template.
func (d document) pod(t *testing.T) document {
	t.Helper()
	spec := d.content["spec"].(object)
	template := spec["template"].(object)
	inner := template["spec"].(object)
	if claims, has := spec["volumeClaimTemplates"].([]any); has {
		volumes, _ := inner["volumes"].([]any)
		for _, c := range claims {
			name := c.(object)["metadata"].(object)["name"]
			volumes = append(volumes, object{"name": name, "persistentVolumeClaim": object{"claimName": fmt.Sprint(name, "-", d.name, "-0")}})
		}
		inner["volumes"] = volumes
	}
	delete(inner, "priorityClassName") // its class is the cluster's own
	meta := template["metadata"].(object)
	meta["name"] = d.name + "-0"
	text, err := yaml.Marshal(object{"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": inner})
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text), d.namespace)
}
