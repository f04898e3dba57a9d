package kubelet

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"barnabas/test/kubernetes/pods/lan"
)

// watch asks the probes until the container's process has ended: the startup probe first, the others once that has
// succeeded. A pod that is told to end is asked no more whether it lives, but still whether it is ready.
func (c *container) watch(ctx context.Context, p *process, sick chan<- string) {
	alive, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-c.pod.stopping:
			cancel()
		case <-alive.Done():
		}
	}()
	if probe := c.spec.StartupProbe; probe != nil {
		if !c.ask(alive, p, probe, func(bool) bool { return true }, sick, "startup") {
			return
		}
		c.set(func() { c.started = true })
	}
	var both sync.WaitGroup
	if probe := c.spec.ReadinessProbe; probe != nil {
		both.Go(func() {
			c.ask(ctx, p, probe, func(good bool) bool {
				c.set(func() { c.ready = good })
				return false
			}, nil, "readiness")
		})
	}
	if probe := c.spec.LivenessProbe; probe != nil {
		both.Go(func() { c.ask(alive, p, probe, func(bool) bool { return false }, sick, "liveness") })
	}
	both.Wait()
}

// ask probes again and again. When so many answers in a row agree as the thresholds want, seen is told; true from it ends
// the asking, with the answer. A failure goes to sick too, unless that is nil, and ends the asking.
func (c *container) ask(ctx context.Context, p *process, probe *corev1.Probe, seen func(good bool) bool, sick chan<- string, name string) bool {
	wait := time.Duration(probe.InitialDelaySeconds) * time.Second
	for good, bad := int32(0), int32(0); ; wait = time.Duration(probe.PeriodSeconds) * time.Second {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
		err := c.try(ctx, p, probe)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			good, bad = good+1, 0
			if good == probe.SuccessThreshold && seen(true) {
				return true
			}
			continue
		}
		good, bad = 0, bad+1
		if bad != probe.FailureThreshold {
			continue
		}
		c.set(func() { c.message = fmt.Sprintf("%s probe: %v", name, err) })
		if sick != nil {
			sick <- fmt.Sprintf("its %s probe has failed %d times: %v", name, bad, err)
			return false
		}
		seen(false)
	}
}

func (c *container) try(ctx context.Context, p *process, probe *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(probe.TimeoutSeconds)*time.Second)
	defer cancel()
	switch {
	case probe.Exec != nil:
		return p.exec(ctx, probe.Exec.Command)
	case probe.HTTPGet != nil:
		return c.httpGet(ctx, probe.HTTPGet)
	case probe.TCPSocket != nil:
		conn, err := c.dial(ctx, c.address(probe.TCPSocket.Host, probe.TCPSocket.Port))
		if err == nil {
			conn.Close()
		}
		return err
	}
	return nil
}

// address is the pod's own unless another host is named.
func (c *container) address(host string, port intstr.IntOrString) string {
	number := int(port.IntVal)
	if port.Type == intstr.String {
		number = Ports(&c.pod.Object.Spec)[port.StrVal]
	}
	if host == "" {
		host = c.pod.wire.Address.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(number))
}

// dial connects from the pod's host, as a kubelet does.
func (c *container) dial(ctx context.Context, address string) (net.Conn, error) {
	return lan.Dial(ctx, c.pod.machine.Host.Space(), address, time.Minute)
}

func (c *container) httpGet(ctx context.Context, get *corev1.HTTPGetAction) error {
	address := c.address(get.Host, get.Port)
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx, address) },
		DisableKeepAlives: true,
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+get.Path, nil)
	if err != nil {
		return err
	}
	for _, h := range get.HTTPHeaders {
		request.Header.Add(h.Name, h.Value)
	}
	reply, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode < 200 || reply.StatusCode >= 400 {
		return fmt.Errorf("GET %s: %s", get.Path, reply.Status)
	}
	return nil
}
