package chart

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// object is what all objects have.
type object struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

// serviceMonitor is of the Prometheus operator's ServiceMonitor what the chart uses.
type serviceMonitor struct {
	object
	Spec struct {
		JobLabel  string               `json:"jobLabel"`
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port     string `json:"port"`
			Path     string `json:"path"`
			Interval string `json:"interval"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// cluster is all objects of one rendering, as Kubernetes' own types.
type cluster struct {
	names     map[string]bool // kind/name
	sets      map[string]*appsv1.StatefulSet
	services  map[string]*corev1.Service
	accounts  map[string]*corev1.ServiceAccount
	maps      map[string]*corev1.ConfigMap
	budgets   map[string]*policyv1.PodDisruptionBudget
	policies  map[string]*networkingv1.NetworkPolicy
	roles     map[string]*rbacv1.Role
	bindings  map[string]*rbacv1.RoleBinding
	clusterRs map[string]*rbacv1.ClusterRole
	monitors  map[string]*serviceMonitor
	metas     map[string]object
}

// read decodes documents strictly: a field that Kubernetes does not know is an error, and so is a kind that is not expected.
func read(t *testing.T, documents []string) *cluster {
	t.Helper()
	c := &cluster{
		names: map[string]bool{}, sets: map[string]*appsv1.StatefulSet{}, services: map[string]*corev1.Service{},
		accounts: map[string]*corev1.ServiceAccount{}, maps: map[string]*corev1.ConfigMap{},
		budgets: map[string]*policyv1.PodDisruptionBudget{}, policies: map[string]*networkingv1.NetworkPolicy{},
		roles: map[string]*rbacv1.Role{}, bindings: map[string]*rbacv1.RoleBinding{}, clusterRs: map[string]*rbacv1.ClusterRole{},
		monitors: map[string]*serviceMonitor{}, metas: map[string]object{},
	}
	for _, document := range documents {
		var o object
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		key := o.Kind + "/" + o.Name
		if c.names[key] {
			t.Errorf("%s is there twice", key)
		}
		c.names[key], c.metas[key] = true, o
		if wrong := validation.NameIsDNSSubdomain(o.Name, false); len(wrong) > 0 {
			t.Errorf("%s: %v", key, wrong)
		}
		if err := c.take(o, document); err != nil {
			t.Errorf("%s: %v in\n%s", key, err, document)
		}
	}
	return c
}

func (c *cluster) take(o object, document string) error {
	switch o.APIVersion + " " + o.Kind {
	case "apps/v1 StatefulSet":
		return decode(document, o.Name, c.sets)
	case "v1 Service":
		return decode(document, o.Name, c.services)
	case "v1 ServiceAccount":
		return decode(document, o.Name, c.accounts)
	case "v1 ConfigMap":
		return decode(document, o.Name, c.maps)
	case "v1 Namespace":
		return decode(document, o.Name, map[string]*corev1.Namespace{})
	case "policy/v1 PodDisruptionBudget":
		return decode(document, o.Name, c.budgets)
	case "networking.k8s.io/v1 NetworkPolicy":
		return decode(document, o.Name, c.policies)
	case "rbac.authorization.k8s.io/v1 Role":
		return decode(document, o.Name, c.roles)
	case "rbac.authorization.k8s.io/v1 RoleBinding":
		return decode(document, o.Name, c.bindings)
	case "rbac.authorization.k8s.io/v1 ClusterRole":
		return decode(document, o.Name, c.clusterRs)
	case "rbac.authorization.k8s.io/v1 ClusterRoleBinding":
		return decode(document, o.Name, map[string]*rbacv1.ClusterRoleBinding{})
	case "monitoring.coreos.com/v1 ServiceMonitor":
		return decode(document, o.Name, c.monitors)
	}
	return fmt.Errorf("%s %s is not expected", o.APIVersion, o.Kind)
}

func decode[T any](document, name string, into map[string]*T) error {
	var out T
	if err := yaml.UnmarshalStrict([]byte(document), &out); err != nil {
		return err
	}
	into[name] = &out
	return nil
}

// selects reports whether a selector finds a set's pods.
func selects(selector map[string]string, set *appsv1.StatefulSet) bool {
	pod := labels.Set{"statefulset.kubernetes.io/pod-name": selector["statefulset.kubernetes.io/pod-name"]}
	for name, value := range set.Spec.Template.Labels {
		pod[name] = value
	}
	return labels.SelectorFromSet(selector).Matches(pod)
}
