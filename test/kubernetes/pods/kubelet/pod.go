package kubelet

import (
	"fmt"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"barnabas/test/kubernetes/pods/lan"
	"barnabas/test/kubernetes/pods/limits"
)

// Pod is one that a machine keeps.
type Pod struct {
	Object *corev1.Pod

	machine *Machine
	claims  map[string]string // directories of persistent volume claims, by name
	changed func()
	dir     string
	wire    *lan.Wire

	stopping chan struct{} // closed when it is to end
	killed   chan struct{} // closed when it is to end at once
	gone     chan struct{} // closed when nothing of it is left

	containers []*container

	files   sync.Mutex
	volumes []volume // guarded by files

	mu      sync.Mutex
	status  Status          // guarded by mu
	grace   time.Time       // until when it may take to stop; guarded by mu
	groups  []*limits.Group // of containers that run; guarded by mu
	memory  Memory          // of those that have ended; guarded by mu
	stopped sync.Once
	cut     sync.Once
}

// New starts a pod. claims are the directories of its persistent volumes; changed is called, often for nothing, when its
// status may have changed.
func (m *Machine) New(object *corev1.Pod, claims map[string]string, changed func()) *Pod {
	p := &Pod{
		Object: object, machine: m, claims: claims, changed: changed, dir: m.podDir(object),
		stopping: make(chan struct{}), killed: make(chan struct{}), gone: make(chan struct{}),
		status: Status{Phase: corev1.PodPending},
	}
	for i := range object.Spec.Containers {
		p.containers = append(p.containers, &container{pod: p, spec: &object.Spec.Containers[i]})
	}
	go p.run()
	return p
}

// Status is how it is now.
func (p *Pod) Status() Status {
	p.mu.Lock()
	s := p.status
	p.mu.Unlock()
	s.Ready = s.Phase == corev1.PodRunning
	for _, c := range p.containers {
		ready, restarts, message := c.state()
		s.Ready = s.Ready && ready
		s.Restarts += restarts
		if message != "" && s.Reason == "" {
			s.Message = message
		}
	}
	return s
}

// Gone is closed when nothing is left of it.
func (p *Pod) Gone() <-chan struct{} { return p.gone }

// Stop has it end within its grace period.
func (p *Pod) Stop(grace time.Duration) {
	p.stopped.Do(func() {
		p.mu.Lock()
		p.grace = time.Now().Add(grace)
		p.mu.Unlock()
		close(p.stopping)
	})
}

// Kill ends it as a power cut does: nobody is told.
func (p *Pod) Kill() {
	p.cut.Do(func() { close(p.killed) })
	p.Stop(0)
}

func (p *Pod) deadline() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.grace
}

func (p *Pod) set(change func(s *Status)) {
	p.mu.Lock()
	change(&p.status)
	p.mu.Unlock()
	p.changed()
}

func (p *Pod) run() {
	defer p.changed()
	defer close(p.gone)
	defer p.remove()
	for p.prepare() != nil {
		select {
		case <-p.stopping:
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
	if !p.initialize() {
		return
	}
	p.set(func(s *Status) { s.Phase, s.Message = corev1.PodRunning, "" })
	refreshed := make(chan struct{})
	go p.refresh(refreshed)
	go p.measure(refreshed)
	var kept sync.WaitGroup
	for _, c := range p.containers {
		kept.Go(c.keep)
	}
	kept.Wait()
	close(refreshed)
	p.set(func(s *Status) {
		if s.Reason == Evicted {
			return
		}
		s.Phase = corev1.PodSucceeded
		for _, c := range p.containers {
			if c.code() != 0 {
				s.Phase = corev1.PodFailed
			}
		}
	})
	<-p.stopping
}

// prepare makes the directories, the wire and the volumes; what is missing is waited for, and said.
func (p *Pod) prepare() error {
	err := os.MkdirAll(p.dir, 0o755)
	if err == nil && p.wire == nil {
		p.wire, err = p.machine.Host.AddPod()
	}
	if err == nil {
		err = p.makeVolumes()
	}
	p.set(func(s *Status) {
		if p.wire != nil {
			s.IP = p.wire.Address.String()
		}
		if err != nil {
			s.Message = err.Error()
		}
	})
	return err
}

// initialize runs the containers that come before; false when the pod is to end.
func (p *Pod) initialize() bool {
	for i := range p.Object.Spec.InitContainers {
		c := &container{pod: p, spec: &p.Object.Spec.InitContainers[i]}
		for done := false; !done; {
			p.set(func(s *Status) { s.Message = "runs " + c.spec.Name })
			c.once()
			select {
			case <-p.stopping:
				return false
			default:
			}
			if done = c.code() == 0; !done {
				_, _, why := c.state()
				p.set(func(s *Status) { s.Message = fmt.Sprintf("%s: %s", c.spec.Name, why) })
				if !p.pause(c.backOff()) {
					return false
				}
			}
		}
	}
	return true
}

// pause waits; false when the pod is to end.
func (p *Pod) pause(d time.Duration) bool {
	select {
	case <-p.stopping:
		return false
	case <-time.After(d):
		return true
	}
}

func (p *Pod) remove() {
	if p.wire != nil {
		p.wire.Remove()
	}
	p.removeVolumes()
	_ = os.RemoveAll(p.dir)
}
