package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"barnabas/test/kubernetes/pods/kubelet"
	"barnabas/test/kubernetes/pods/objects"
)

// Apply makes what a file's objects say, and changes what is there already.
func (c *Cluster) Apply(set *objects.Set) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rights.take(set)
	for _, m := range set.ConfigMaps {
		c.configs[m.Namespace+"/"+m.Name] = m
	}
	for _, s := range set.Secrets {
		c.secrets[s.Namespace+"/"+s.Name] = s
	}
	for _, s := range set.Services {
		c.addService(s)
	}
	for _, b := range set.Budgets {
		c.budgets = slices.DeleteFunc(c.budgets, func(old *budget) bool { return old.Namespace == b.Namespace && old.Name == b.Name })
		c.budgets = append(c.budgets, b)
	}
	for _, p := range set.Policies {
		c.policies = slices.DeleteFunc(c.policies, func(old *networkingv1.NetworkPolicy) bool { return old.Namespace == p.Namespace && old.Name == p.Name })
		c.policies = append(c.policies, p)
	}
	for _, d := range set.Deployments {
		next := &deployment{object: d}
		if before := c.deployment(next.owner()); before != nil {
			before.object = d
			continue
		}
		c.deployments = append(c.deployments, next)
	}
	for _, s := range set.StatefulSets {
		next := &statefulSet{object: s}
		if before := c.statefulSet(next.owner()); before != nil {
			before.object = s
			continue
		}
		c.statefulSets = append(c.statefulSets, next)
	}
	c.poke()
}

func (c *Cluster) deployment(owner string) *deployment {
	for _, d := range c.deployments {
		if d.owner() == owner {
			return d
		}
	}
	return nil
}

func (c *Cluster) statefulSet(owner string) *statefulSet {
	for _, s := range c.statefulSets {
		if s.owner() == owner {
			return s
		}
	}
	return nil
}

// template finds what Deployment/namespace/name or StatefulSet/namespace/name makes its pods of.
func (c *Cluster) template(owner string) *corev1.PodTemplateSpec {
	if d := c.deployment(owner); d != nil {
		return &d.object.Spec.Template
	}
	if s := c.statefulSet(owner); s != nil {
		return &s.object.Spec.Template
	}
	return nil
}

// RolloutRestart has owners, Kind/namespace/name, replace all their pods.
func (c *Cluster) RolloutRestart(owners ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, owner := range owners {
		template := c.template(owner)
		if template == nil {
			return fmt.Errorf("there is no %s", owner)
		}
		if template.Annotations == nil {
			template.Annotations = map[string]string{}
		}
		template.Annotations["kubectl.kubernetes.io/restartedAt"] = time.Now().Format(time.RFC3339Nano)
	}
	c.poke()
	return nil
}

// Scale changes the number of an owner's pods.
func (c *Cluster) Scale(owner string, replicas int32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.poke()
	if d := c.deployment(owner); d != nil {
		d.object.Spec.Replicas = &replicas
		return nil
	}
	if s := c.statefulSet(owner); s != nil {
		s.object.Spec.Replicas = &replicas
		return nil
	}
	return fmt.Errorf("there is no %s", owner)
}

// RolledOut tells whether all pods of all owners are of the newest template and ready, and none beside them is left.
func (c *Cluster) RolledOut(owners ...string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, owner := range owners {
		template := c.template(owner)
		if template == nil {
			return false
		}
		hash, mine := templateHash(template), c.owned(owner)
		if len(mine) != c.replicas(owner) {
			return false
		}
		for _, p := range mine {
			if p.hash != hash || !p.active() || !p.ready(now) {
				return false
			}
		}
	}
	return true
}

// Owners are all Deployments and StatefulSets whose name contains a word.
func (c *Cluster) Owners(word string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, d := range c.deployments {
		if strings.Contains(d.object.Name, word) {
			out = append(out, d.owner())
		}
	}
	for _, s := range c.statefulSets {
		if strings.Contains(s.object.Name, word) {
			out = append(out, s.owner())
		}
	}
	return out
}

// Pod is what `kubectl get pods -o wide` shows of one.
type Pod struct {
	Name, Owner, Node string
	Labels            map[string]string
	kubelet.Status
	Terminating bool
	PIDs        []int
}

// GetPods are all that are there.
func (c *Cluster) GetPods() []Pod {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Pod
	for _, p := range c.pods {
		one := Pod{Name: p.object.Name, Owner: p.owner, Labels: p.object.Labels, Status: p.status(), Terminating: !p.deleted.IsZero()}
		if p.node != nil {
			one.Node = p.node.name
		}
		if p.run != nil {
			one.PIDs = p.run.PIDs()
		}
		out = append(out, one)
	}
	return out
}

// Used is what the pods of an owner have used of bounded memory, those that are gone too.
func (c *Cluster) Used(owner string) kubelet.Memory {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := c.used[owner]
	for _, p := range c.owned(owner) {
		if p.run != nil {
			used = used.Plus(p.run.Memory())
		}
	}
	return used
}

// Table is what `kubectl get pods` prints.
func (c *Cluster) Table() string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tREADY\tSTATUS\tRESTARTS\tIP\tNODE\tMESSAGE")
	for _, p := range c.GetPods() {
		phase := string(p.Phase)
		if p.Terminating {
			phase = "Terminating"
		}
		fmt.Fprintf(w, "%s\t%t\t%s\t%d\t%s\t%s\t%s\n", p.Name, p.Ready, phase, p.Restarts, p.IP, p.Node, p.Message)
	}
	w.Flush()
	return b.String()
}

// Service is one as `kubectl get svc` shows it.
func (c *Cluster) Service(namespace, name string) (*corev1.Service, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.services {
		if s.Namespace == namespace && s.Name == name {
			return s.DeepCopy(), nil
		}
	}
	return nil, fmt.Errorf("there is no service %s", name)
}

// DeletePod tells a pod to go; its owner makes another one.
func (c *Cluster) DeletePod(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pods {
		if p.object.Name == name {
			c.remove(p)
			return nil
		}
	}
	return fmt.Errorf("there is no pod %s", name)
}

// running finds the process of a pod.
func (c *Cluster) running(name string) (*kubelet.Pod, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pods {
		if p.object.Name == name && p.run != nil {
			return p.run, nil
		}
	}
	return nil, fmt.Errorf("there is no pod %s that runs", name)
}

// Exec runs a program in a pod, and returns what it prints on its standard output.
func (c *Cluster) Exec(ctx context.Context, pod string, in io.Reader, args ...string) (string, error) {
	command, err := c.Command(ctx, pod, args...)
	if err != nil {
		return "", err
	}
	var out, errs bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = in, &out, &errs
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("in pod %s: %s: %w: %s", pod, strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// Command is a program in a pod that is still to be started.
func (c *Cluster) Command(ctx context.Context, pod string, args ...string) (*exec.Cmd, error) {
	run, err := c.running(pod)
	if err != nil {
		return nil, err
	}
	return run.Command(ctx, args...)
}

// Logs are all that pods of whose name a part is given have printed, those that are gone too.
func (c *Cluster) Logs(part string) string {
	c.mu.Lock()
	dirs := make([]string, 0, len(c.nodes))
	for _, n := range c.nodes {
		dirs = append(dirs, n.machine.LogDir())
	}
	c.mu.Unlock()
	var out strings.Builder
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*"+part+"*.log"))
		if err != nil {
			return err.Error()
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			fmt.Fprintf(&out, "==== %s\n%s", strings.TrimSuffix(filepath.Base(file), ".log"), raw)
			if err != nil {
				fmt.Fprintln(&out, err)
			}
		}
	}
	return out.String()
}

// Failures are what went wrong with the harness itself.
func (c *Cluster) Failures() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.failures...)
}
