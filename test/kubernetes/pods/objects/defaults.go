package objects

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// set gives a field its default where it says nothing.
func set[T comparable](field *T, value T) {
	var none T
	if *field == none {
		*field = value
	}
}

// point does the same for a pointer.
func point[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

// Values are the API's own (k8s.io/api, the comments of each field).
func defaultDeployment(d *appsv1.Deployment) {
	point(&d.Spec.Replicas, 1)
	set(&d.Spec.Strategy.Type, appsv1.RollingUpdateDeploymentStrategyType)
	if d.Spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		point(&d.Spec.Strategy.RollingUpdate, appsv1.RollingUpdateDeployment{})
		point(&d.Spec.Strategy.RollingUpdate.MaxSurge, intstr.FromString("25%"))
		point(&d.Spec.Strategy.RollingUpdate.MaxUnavailable, intstr.FromString("25%"))
	}
	defaultPod(&d.Spec.Template.Spec)
}

func defaultStatefulSet(s *appsv1.StatefulSet) {
	point(&s.Spec.Replicas, 1)
	set(&s.Spec.PodManagementPolicy, appsv1.OrderedReadyPodManagement)
	set(&s.Spec.UpdateStrategy.Type, appsv1.RollingUpdateStatefulSetStrategyType)
	defaultPod(&s.Spec.Template.Spec)
}

func defaultService(s *corev1.Service) {
	set(&s.Spec.Type, corev1.ServiceTypeClusterIP)
	set(&s.Spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		set(&p.Protocol, corev1.ProtocolTCP)
		if p.TargetPort.Type == intstr.Int && p.TargetPort.IntVal == 0 {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
}

func defaultPod(p *corev1.PodSpec) {
	set(&p.RestartPolicy, corev1.RestartPolicyAlways)
	set(&p.DNSPolicy, corev1.DNSClusterFirst)
	point(&p.TerminationGracePeriodSeconds, 30)
	point(&p.EnableServiceLinks, true)
	for _, list := range [][]corev1.Container{p.InitContainers, p.Containers} {
		for i := range list {
			c := &list[i]
			for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
				if probe != nil {
					defaultProbe(probe)
				}
			}
		}
	}
}

func defaultProbe(p *corev1.Probe) {
	set(&p.PeriodSeconds, 10)
	set(&p.TimeoutSeconds, 1)
	set(&p.SuccessThreshold, 1)
	set(&p.FailureThreshold, 3)
	if p.HTTPGet != nil {
		set(&p.HTTPGet.Path, "/")
		set(&p.HTTPGet.Scheme, corev1.URISchemeHTTP)
	}
}

// podFaults names what stands in a pod's specification and means nothing here.
func podFaults(p *corev1.PodSpec) error {
	if p.HostNetwork || p.HostPID || p.HostIPC {
		return errors.New("pods that share the host's namespaces are not for this harness")
	}
	if p.DNSPolicy != corev1.DNSClusterFirst {
		return fmt.Errorf("dnsPolicy %s is not for this harness", p.DNSPolicy)
	}
	for _, c := range p.Containers {
		for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
			if probe != nil && probe.GRPC != nil {
				return fmt.Errorf("container %s: gRPC probes are not for this harness", c.Name)
			}
		}
	}
	return nil
}

func serviceFaults(s *corev1.Service) error {
	if s.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		return errors.New("sessionAffinity ClientIP is not for this harness")
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return errors.New("services of type ExternalName are not for this harness")
	}
	for _, p := range s.Spec.Ports {
		if p.Protocol == corev1.ProtocolSCTP {
			return errors.New("SCTP is not for this harness")
		}
	}
	return prefixes(s.Spec.LoadBalancerSourceRanges)
}

// policyFaults refuses what keeps pods from connecting: guards stand before those that are connected to.
func policyFaults(p *networkingv1.NetworkPolicy) error {
	if len(p.Spec.Egress) > 0 || slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
		return errors.New("policies of egress are not for this harness")
	}
	for _, rule := range p.Spec.Ingress {
		for _, port := range rule.Ports {
			if port.Protocol != nil && *port.Protocol == corev1.ProtocolSCTP {
				return errors.New("SCTP is not for this harness")
			}
		}
		for _, peer := range rule.From {
			if peer.IPBlock == nil {
				continue
			}
			if err := prefixes(append([]string{peer.IPBlock.CIDR}, peer.IPBlock.Except...)); err != nil {
				return err
			}
		}
	}
	return nil
}

func prefixes(texts []string) error {
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return err
		}
		if !p.Addr().Is4() {
			return fmt.Errorf("%s: this harness has no IPv6", text)
		}
	}
	return nil
}
