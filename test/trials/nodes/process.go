// Package nodes runs clusters of real processes on this machine: Barnabas in its layouts, and Apache Kafka beside it.
// Each node has a loopback address of its own, so that ports are those of a deployment and stay over restarts.
package nodes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is one that may be ended and started again. Its methods are for one goroutine.
type Process struct {
	Name string
	// Args are the program and its arguments, Env what it finds in its environment beside PATH and HOME.
	Args, Env []string
	// Data is the directory that Wipe empties.
	Data string
	// Log takes what it prints, over all its lives.
	Log string
	// Namespace, if given, is the network namespace that it runs in.
	Namespace string

	command *exec.Cmd
	exited  chan struct{}
}

// Start runs it, and does not wait for anything.
func (p *Process) Start() error {
	if err := os.MkdirAll(filepath.Dir(p.Log), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	args := p.Args
	if p.Namespace != "" {
		args = append([]string{"ip", "netns", "exec", p.Namespace}, args...)
	}
	fmt.Fprintf(log, "---- %s starts: %s\n", time.Now().UTC().Format(time.RFC3339Nano), strings.Join(args, " "))
	command := exec.Command(args[0], args[1:]...)
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(p.Log)}, p.Env...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	exited := make(chan struct{})
	p.command, p.exited = command, exited
	go func() {
		command.Wait()
		close(exited)
	}()
	return nil
}

// Running tells whether it was started and has not ended.
func (p *Process) Running() bool {
	if p.command == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Signal sends a signal to it.
func (p *Process) Signal(s syscall.Signal) error {
	if p.command == nil {
		return nil
	}
	if err := p.command.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	return nil
}

// ExitCode is that of its last life: 0 for a clean end, -1 when a signal has ended it.
func (p *Process) ExitCode() int { return p.command.ProcessState.ExitCode() }

// Kill ends it as kill -9 does, and waits until it has gone.
func (p *Process) Kill() {
	if p.command == nil {
		return
	}
	p.command.Process.Kill()
	<-p.exited
}

// Stop asks it to end by SIGTERM, and kills it when it has not within the grace period, as a kubelet does.
func (p *Process) Stop(grace time.Duration) (took time.Duration, err error) {
	began := time.Now()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	err = p.AwaitExit(began, grace)
	return time.Since(began), err
}

// AwaitExit waits for the end of one that was asked to at that time.
func (p *Process) AwaitExit(asked time.Time, grace time.Duration) error {
	timer := time.NewTimer(time.Until(asked.Add(grace)))
	defer timer.Stop()
	select {
	case <-p.exited:
		if code := p.ExitCode(); code != 0 && code != 143 { // 143: a JVM that has ended on SIGTERM
			return fmt.Errorf("%s stopped with exit code %d; see %s", p.Name, code, p.Log)
		}
		return nil
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("%s did not stop within %s and was killed; see %s", p.Name, grace, p.Log)
	}
}

// Wipe empties its directory. It must not run.
func (p *Process) Wipe() error { return os.RemoveAll(p.Data) }

// Pid is that of its last life.
func (p *Process) Pid() int { return p.command.Process.Pid }

// Resident is the memory that it holds, in bytes.
func (p *Process) Resident() (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s: no VmRSS", p.Name)
}

// Tail is the end of what it has printed.
func (p *Process) Tail() string {
	raw, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-4000):])
}
