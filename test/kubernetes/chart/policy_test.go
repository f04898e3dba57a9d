package chart

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// check holds a rendering against what every installation must have.
func (c *cluster) check(t *testing.T, wantBudgets, wantPolicies bool) {
	t.Helper()
	for key, o := range c.metas {
		for _, label := range []string{"name", "instance", "version", "part-of"} {
			if !strings.HasPrefix(key, "Namespace/") && o.Labels["app.kubernetes.io/"+label] == "" {
				t.Errorf("%s has no label app.kubernetes.io/%s", key, label)
			}
		}
	}
	for name, set := range c.sets {
		c.checkSet(t, name, set)
		if wantBudgets != slices.ContainsFunc(values(c.budgets), func(selector map[string]string) bool { return selects(selector, set) }) {
			t.Errorf("%s: a PodDisruptionBudget is there: %t", name, !wantBudgets)
		}
		covered := false
		for _, policy := range c.policies {
			covered = covered || selects(policy.Spec.PodSelector.MatchLabels, set)
		}
		if covered != wantPolicies {
			t.Errorf("%s: a NetworkPolicy is there: %t", name, covered)
		}
	}
	for name, service := range c.services {
		c.checkService(t, name, service)
	}
}

func (c *cluster) checkSet(t *testing.T, name string, set *appsv1.StatefulSet) {
	t.Helper()
	spec := set.Spec.Template.Spec
	wrong := func(format string, args ...any) { t.Helper(); t.Errorf("%s: %s", name, fmt.Sprintf(format, args...)) }
	headless := c.services[set.Spec.ServiceName]
	if headless == nil || headless.Spec.ClusterIP != "None" || !headless.Spec.PublishNotReadyAddresses {
		wrong("its Service %s is not headless, or waits for readiness", set.Spec.ServiceName)
	}
	if set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement {
		wrong("its pods start one after another, and an ensemble is born by all")
	}
	if !selects(set.Spec.Selector.MatchLabels, set) {
		wrong("its selector does not find its pods")
	}
	if s := spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil ||
		s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || s.RunAsUser != nil && *s.RunAsUser == 0 {
		wrong("the pods' security context is %+v", spec.SecurityContext)
	}
	if spec.AutomountServiceAccountToken == nil || spec.EnableServiceLinks == nil || *spec.EnableServiceLinks {
		wrong("whether it has a token, and variables of Services, is left to the cluster")
	}
	if *spec.AutomountServiceAccountToken && c.accounts[spec.ServiceAccountName] == nil && spec.ServiceAccountName == "" {
		wrong("it has a token of nobody's")
	}
	if spec.HostNetwork || spec.HostPID || spec.HostIPC {
		wrong("it is in the node's namespaces")
	}
	for i := range spec.Containers {
		c.checkContainer(t, name, set, &spec.Containers[i])
	}
}

func (c *cluster) checkContainer(t *testing.T, name string, set *appsv1.StatefulSet, box *corev1.Container) {
	t.Helper()
	wrong := func(format string, args ...any) { t.Helper(); t.Errorf("%s: %s", name, fmt.Sprintf(format, args...)) }
	s := box.SecurityContext
	if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
		s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL") || len(s.Capabilities.Add) > 0 || s.Privileged != nil {
		wrong("the container's security context is %+v", s)
	}
	for what, p := range map[string]*corev1.Probe{"/livez": box.LivenessProbe, "/readyz": box.ReadinessProbe} {
		if p == nil || p.HTTPGet == nil || p.HTTPGet.Path != what || !hasPort(box, p.HTTPGet.Port.StrVal) {
			wrong("no probe of %s: %+v", what, p)
		}
	}
	if box.StartupProbe == nil {
		wrong("no startup probe")
	}
	requests, limits := box.Resources.Requests, box.Resources.Limits
	if requests.Memory().IsZero() || requests.Cpu().IsZero() || limits.Memory().Cmp(*requests.Memory()) < 0 {
		wrong("resources are %+v", box.Resources)
	}
	mounted := map[string]bool{}
	for _, m := range box.VolumeMounts {
		mounted[m.Name] = true
	}
	given := map[string]bool{}
	for _, v := range set.Spec.Template.Spec.Volumes {
		given[v.Name] = true
		if v.EmptyDir != nil && v.EmptyDir.SizeLimit == nil {
			wrong("the emptyDir %s has no bound", v.Name)
		}
		if v.EmptyDir != nil && v.EmptyDir.Medium == corev1.StorageMediumMemory && limits.Memory().Cmp(*v.EmptyDir.SizeLimit) <= 0 {
			wrong("what is in the memory of %s does not fit into the container's %s", v.Name, limits.Memory())
		}
	}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		given[claim.Name] = true
	}
	for volume := range mounted {
		if !given[volume] {
			wrong("%s is mounted and not there", volume)
		}
	}
	for volume := range given {
		if !mounted[volume] {
			wrong("%s is there and not mounted", volume)
		}
	}
	c.checkBudget(t, name, set, box)
}

func hasPort(box *corev1.Container, name string) bool {
	return slices.ContainsFunc(box.Ports, func(p corev1.ContainerPort) bool { return p.Name == name })
}

// env is a variable's value.
func env(box *corev1.Container, name string) string {
	for _, v := range box.Env {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// checkBudget holds what the program is told of its pod against the pod: that it stays within the volume, and that a stop ends before
// the grace period.
func (c *cluster) checkBudget(t *testing.T, name string, set *appsv1.StatefulSet, box *corev1.Container) {
	t.Helper()
	if box.Name != "broker" {
		return
	}
	leave, err := strconv.Atoi(env(box, "KAFKA_BARNABAS_LEAVE_TIMEOUT_MS"))
	grace := int(*set.Spec.Template.Spec.TerminationGracePeriodSeconds) * 1000
	if err != nil || leave <= 0 || leave >= grace {
		t.Errorf("%s: a stop may take %d of %d ms: %v", name, leave, grace, err)
	}
	for _, v := range set.Spec.Template.Spec.Volumes {
		if v.Name != "data" || v.EmptyDir == nil {
			continue
		}
		budget, err := strconv.ParseInt(env(box, "KAFKA_BARNABAS_DATA_BUDGET_BYTES"), 10, 64)
		if limit := v.EmptyDir.SizeLimit.Value(); err != nil || budget <= limit/2 || budget >= limit {
			t.Errorf("%s: the budget is %d of %d bytes: %v", name, budget, limit, err)
		}
	}
	if quantity := box.Resources.Requests[corev1.ResourceMemory]; quantity.Cmp(resource.MustParse("64Mi")) < 0 {
		t.Errorf("%s: %s is less than a broker needs", name, quantity.String())
	}
}

func (c *cluster) checkService(t *testing.T, name string, service *corev1.Service) {
	t.Helper()
	found := false
	for _, set := range c.sets {
		if !selects(service.Spec.Selector, set) {
			continue
		}
		found = true
		for _, port := range service.Spec.Ports {
			if !hasPort(&set.Spec.Template.Spec.Containers[0], port.TargetPort.StrVal) {
				t.Errorf("Service %s: its port %s leads to %s, which the pods of %s have not", name, port.Name, port.TargetPort.StrVal, set.Name)
			}
		}
	}
	if !found {
		t.Errorf("Service %s finds no pods: %v", name, service.Spec.Selector)
	}
}
