package kubelet

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"barnabas/test/kubernetes/pods/limits"
)

// Memory is what the containers of a pod that had a limit have used, over all their lives.
type Memory struct {
	// Peak is the most that one of them has had counted at once, in bytes, the pages of files too.
	Peak int64
	// Killed is how often the kernel has ended a process for the limit's sake.
	Killed int
}

// Plus is that of both.
func (m Memory) Plus(o Memory) Memory { return Memory{max(m.Peak, o.Peak), m.Killed + o.Killed} }

// bound makes the cgroup of a container that has a limit, where those are in force, and shows it to the container.
func (c *container) bound(s *spec) (*limits.Group, error) {
	limit, there := c.spec.Resources.Limits[corev1.ResourceMemory]
	if !there || c.pod.machine.Limits == nil {
		return nil, nil
	}
	c.mu.Lock()
	life := c.lives
	c.mu.Unlock()
	group, err := c.pod.machine.Limits.New(fmt.Sprintf("%s.%s.%d", c.pod.Object.UID, c.spec.Name, life), limit.Value())
	if err != nil {
		return nil, fmt.Errorf("bound the memory of container %s: %w", c.spec.Name, err)
	}
	s.Mounts = append(s.Mounts, mount{Source: group.Dir, Target: group.Inside, ReadOnly: true})
	c.pod.mu.Lock()
	c.pod.groups = append(c.pod.groups, group)
	c.pod.mu.Unlock()
	return group, nil
}

// account notes what a container that has ended used.
func (p *Pod) account(g *limits.Group) {
	if g == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.memory.add(g)
	for i, other := range p.groups {
		if other == g {
			p.groups = append(p.groups[:i:i], p.groups[i+1:]...)
			break
		}
	}
	_ = g.Remove() // a probe may still be ending in it; the tree takes it away later
}

// Memory is what is known by now.
func (p *Pod) Memory() Memory {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.memory
	for _, g := range p.groups {
		m.add(g)
	}
	return m
}

func (m *Memory) add(g *limits.Group) {
	if peak, err := g.Peak(); err == nil { // kernels before 5.19 do not tell
		m.Peak = max(m.Peak, peak)
	}
	killed, err := g.Killed()
	if err != nil {
		killed = 1 // whoever asks ought to look
	}
	m.Killed += killed
}
