package kubelet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// container is one of a pod's over all its lives.
type container struct {
	pod  *Pod
	spec *corev1.Container

	mu       sync.Mutex
	process  *process // while it runs; guarded by mu
	started  bool     // no startup probe, or it has succeeded; guarded by mu
	ready    bool     // the same of the readiness probe; guarded by mu
	lives    int      // guarded by mu
	lastCode int      // guarded by mu
	message  string   // guarded by mu
	wait     time.Duration
}

func (c *container) state() (ready bool, restarts int, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.process != nil && c.started && c.ready, max(0, c.lives-1), c.message
}

func (c *container) code() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastCode
}

func (c *container) set(change func()) {
	c.mu.Lock()
	change()
	c.mu.Unlock()
	c.pod.changed()
}

// backOff is how long to wait before the next life: nothing at first, then twice as long each time.
func (c *container) backOff() time.Duration {
	d := c.wait
	c.wait = min(max(2*c.wait, c.pod.machine.BackOff), c.pod.machine.BackOffMax)
	return d
}

// keep runs the container until the pod is to end, or its restart policy has it stay ended.
func (c *container) keep() {
	for {
		c.once()
		select {
		case <-c.pod.stopping:
			return
		default:
		}
		policy := c.pod.Object.Spec.RestartPolicy
		if policy == corev1.RestartPolicyNever || policy == corev1.RestartPolicyOnFailure && c.code() == 0 {
			return
		}
		if !c.pod.pause(c.backOff()) {
			return
		}
	}
}

// once is one life.
func (c *container) once() {
	process, err := c.launch()
	if err != nil {
		c.set(func() { c.lastCode, c.message = 128, err.Error() })
		return
	}
	c.set(func() {
		c.process, c.lives, c.message = process, c.lives+1, ""
		c.started, c.ready = c.spec.StartupProbe == nil, c.spec.ReadinessProbe == nil
	})
	sick := make(chan string, 3)
	ctx, cancel := context.WithCancel(context.Background())
	var probes sync.WaitGroup
	probes.Go(func() { c.watch(ctx, process, sick) })
	why := ""
	select {
	case <-process.exited:
	case <-c.pod.stopping:
		c.end(process, c.pod.deadline())
	case why = <-sick:
		c.end(process, time.Now().Add(c.grace()))
	}
	<-process.exited
	cancel()
	probes.Wait()
	c.set(func() {
		c.process, c.started, c.ready, c.lastCode = nil, false, false, process.code
		c.message = fmt.Sprintf("%s ended with %d", c.spec.Name, process.code)
		if why != "" {
			c.message += ", told so because " + why
		}
	})
}

// grace is what the pod allows a container that is ended for its health.
func (c *container) grace() time.Duration {
	seconds := *c.pod.Object.Spec.TerminationGracePeriodSeconds
	if probe := c.spec.LivenessProbe; probe != nil && probe.TerminationGracePeriodSeconds != nil {
		seconds = *probe.TerminationGracePeriodSeconds
	}
	return time.Duration(seconds) * time.Second
}

// end has a process stop: its hook, SIGTERM, and SIGKILL when the time is over.
func (c *container) end(p *process, deadline time.Time) {
	if hook := c.spec.Lifecycle; hook != nil && hook.PreStop != nil && time.Now().Before(deadline) {
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		c.hook(ctx, p, hook.PreStop)
		cancel()
	}
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-c.pod.killed:
		p.signal(syscall.SIGKILL)
	case <-time.After(time.Until(deadline)):
		p.signal(syscall.SIGKILL)
	}
}

// hook does what is asked for before SIGTERM; its failure changes nothing.
func (c *container) hook(ctx context.Context, p *process, h *corev1.LifecycleHandler) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.exited:
		case <-c.pod.killed:
		case <-ctx.Done():
		}
		cancel()
	}()
	switch {
	case h.Exec != nil:
		_ = p.exec(ctx, h.Exec.Command)
	case h.HTTPGet != nil:
		_ = c.httpGet(ctx, h.HTTPGet)
	case h.Sleep != nil:
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(h.Sleep.Seconds) * time.Second):
		}
	}
}

// LogDir is where a pod's containers' words are kept, longer than the pod.
func (m *Machine) LogDir() string { return filepath.Join(m.Dir, "logs") }

// log opens the file for what a container prints.
func (c *container) log() (*os.File, error) {
	if err := os.MkdirAll(c.pod.machine.LogDir(), 0o755); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s.%s.log", c.pod.Object.Name, c.spec.Name)
	f, err := os.OpenFile(filepath.Join(c.pod.machine.LogDir(), name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		fmt.Fprintf(f, "---- %s starts on %s\n", time.Now().UTC().Format("15:04:05.000"), c.pod.machine.Host.Name)
	}
	return f, err
}
