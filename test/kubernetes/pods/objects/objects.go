// Package objects reads Kubernetes' objects from YAML and gives them the defaults that an API server would. What this
// harness has no part for is refused by name: nothing that stands in a file is silently left out.
package objects

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Set is what a few files hold, each kind in the order of the files.
type Set struct {
	Deployments  []*appsv1.Deployment
	StatefulSets []*appsv1.StatefulSet
	Services     []*corev1.Service
	ConfigMaps   []*corev1.ConfigMap
	Secrets      []*corev1.Secret
	Budgets      []*policyv1.PodDisruptionBudget
	Policies     []*networkingv1.NetworkPolicy
	// Who may ask the API server for what.
	Roles               []*rbacv1.Role
	RoleBindings        []*rbacv1.RoleBinding
	ClusterRoles        []*rbacv1.ClusterRole
	ClusterRoleBindings []*rbacv1.ClusterRoleBinding
	// Passive are kinds that this harness needs for nothing: accounts, and custom kinds of operators.
	Passive []string
}

// passive kinds name or scrape.
var passive = map[string]bool{
	"Namespace": true, "ServiceAccount": true, "ServiceMonitor": true, "PodMonitor": true,
}

// ReadFile reads a file of one or more documents into a namespace.
func ReadFile(name, namespace string) (*Set, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	set, err := Read(raw, namespace)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return set, nil
}

// Read takes documents apart. Objects that name no namespace are put into the one given.
func Read(raw []byte, namespace string) (*Set, error) {
	set := &Set{}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	for number := 1; ; number++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return set, nil
		}
		if err == nil {
			err = set.add(document, namespace)
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
	}
}

func (s *Set) add(document []byte, namespace string) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return err
	}
	switch kind.APIVersion + " " + kind.Kind {
	case " ": // nothing but comments
		return nil
	case "apps/v1 Deployment":
		return decode(document, &s.Deployments, func(d *appsv1.Deployment) error {
			defaultDeployment(d)
			return finish(&d.ObjectMeta, namespace, podFaults(&d.Spec.Template.Spec))
		})
	case "apps/v1 StatefulSet":
		return decode(document, &s.StatefulSets, func(d *appsv1.StatefulSet) error {
			defaultStatefulSet(d)
			return finish(&d.ObjectMeta, namespace, podFaults(&d.Spec.Template.Spec))
		})
	case "v1 Service":
		return decode(document, &s.Services, func(d *corev1.Service) error {
			defaultService(d)
			return finish(&d.ObjectMeta, namespace, serviceFaults(d))
		})
	case "v1 ConfigMap":
		return decode(document, &s.ConfigMaps, func(d *corev1.ConfigMap) error { return finish(&d.ObjectMeta, namespace, nil) })
	case "v1 Secret":
		return decode(document, &s.Secrets, func(d *corev1.Secret) error {
			for key, value := range d.StringData {
				if d.Data == nil {
					d.Data = map[string][]byte{}
				}
				d.Data[key] = []byte(value)
			}
			return finish(&d.ObjectMeta, namespace, nil)
		})
	case "policy/v1 PodDisruptionBudget":
		return decode(document, &s.Budgets, func(d *policyv1.PodDisruptionBudget) error { return finish(&d.ObjectMeta, namespace, nil) })
	case "networking.k8s.io/v1 NetworkPolicy":
		return decode(document, &s.Policies, func(d *networkingv1.NetworkPolicy) error { return finish(&d.ObjectMeta, namespace, policyFaults(d)) })
	case "rbac.authorization.k8s.io/v1 Role":
		return decode(document, &s.Roles, func(d *rbacv1.Role) error { return finish(&d.ObjectMeta, namespace, nil) })
	case "rbac.authorization.k8s.io/v1 RoleBinding":
		return decode(document, &s.RoleBindings, func(d *rbacv1.RoleBinding) error { return finish(&d.ObjectMeta, namespace, nil) })
	case "rbac.authorization.k8s.io/v1 ClusterRole":
		return decode(document, &s.ClusterRoles, func(*rbacv1.ClusterRole) error { return nil })
	case "rbac.authorization.k8s.io/v1 ClusterRoleBinding":
		return decode(document, &s.ClusterRoleBindings, func(*rbacv1.ClusterRoleBinding) error { return nil })
	}
	if passive[kind.Kind] {
		s.Passive = append(s.Passive, kind.Kind)
		return nil
	}
	return fmt.Errorf("%s %s: this harness has no such kind", kind.APIVersion, kind.Kind)
}

// decode reads one object, refusing fields that its kind does not have, and hands it to check.
func decode[T any](document []byte, into *[]*T, check func(*T) error) error {
	object := new(T)
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return err
	}
	if err := check(object); err != nil {
		return err
	}
	*into = append(*into, object)
	return nil
}

func finish(meta *metav1.ObjectMeta, namespace string, fault error) error {
	if meta.Name == "" {
		return errors.New("an object without a name")
	}
	if meta.Namespace == "" {
		meta.Namespace = namespace
	}
	if fault != nil {
		return fmt.Errorf("%s: %w", meta.Name, fault)
	}
	return nil
}
