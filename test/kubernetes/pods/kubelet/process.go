package kubelet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"

	"barnabas/test/kubernetes/pods/lan"
	"barnabas/test/kubernetes/pods/limits"
)

// spec is what package container reads; see there.
type spec struct {
	Lower, Upper, Work, Root string
	ReadOnly                 bool
	Mounts                   []mount
	Hostname                 string
	UID, GID                 int
	Groups                   []int
	NoNewPrivileges          bool
	Args, Env                []string
	Cwd                      string
}

type mount struct {
	Source, Target string
	ReadOnly       bool
	Memory         int64
}

// process is one life of a container.
type process struct {
	command *exec.Cmd
	spec    spec
	space   string
	group   *limits.Group // nil where memory is not bounded
	exited  chan struct{}
	code    int // once exited is closed
}

// launch starts the container with a file system of its own above the image.
func (c *container) launch() (*process, error) {
	s, err := c.describe()
	if err != nil {
		return nil, err
	}
	group, err := c.bound(&s)
	if err != nil {
		return nil, err
	}
	told, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	log, err := c.log()
	if err != nil {
		return nil, err
	}
	defer log.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	began, begins, err := os.Pipe()
	if err != nil {
		write.Close()
		return nil, err
	}
	defer began.Close()
	p := &process{command: exec.Command(c.pod.machine.Runtime), spec: s, space: c.pod.wire.Space, group: group, exited: make(chan struct{})}
	p.command.Stdout, p.command.Stderr, p.command.ExtraFiles = log, log, []*os.File{read, begins}
	p.command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Setsid:     true,
	}
	err = lan.Start(p.space, p.command)
	begins.Close()
	if err != nil {
		write.Close()
		return nil, err
	}
	if group != nil {
		if err := group.Add(p.command.Process.Pid); err != nil {
			_ = p.command.Process.Kill() // it waits for what it is to be
			_ = p.command.Wait()
			write.Close()
			return nil, err
		}
	}
	go func() {
		_, _ = write.Write(told) // it says so itself when it is told too little
		write.Close()
	}()
	go func() {
		_ = p.command.Wait()
		p.code = exitCode(p.command.ProcessState)
		c.pod.account(group)
		_ = os.RemoveAll(filepath.Dir(s.Upper))
		close(p.exited)
	}()
	_, _ = began.Read(make([]byte, 1)) // ends when the runtime has become the program, or has failed to
	return p, nil
}

// exitCode is as a container runtime tells it: 128 and the signal's number for one that a signal has ended.
func exitCode(s *os.ProcessState) int {
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return s.ExitCode()
}

func (p *process) signal(s syscall.Signal) { _ = p.command.Process.Signal(s) }

// describe says what the container is to be.
func (c *container) describe() (spec, error) {
	pod, machine := c.pod.Object, c.pod.machine
	c.mu.Lock()
	life := c.lives
	c.mu.Unlock()
	dir := filepath.Join(c.pod.dir, "containers", c.spec.Name+"."+strconv.Itoa(life))
	s := spec{
		Lower: machine.Image.Root, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work"), Root: filepath.Join(dir, "root"),
		Hostname: c.pod.hostname(), Cwd: "/",
	}
	for _, d := range []string{s.Upper, s.Work, s.Root} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return s, err
		}
	}
	if err := s.user(machine.Image.Config.User, pod.Spec.SecurityContext, c.spec.SecurityContext); err != nil {
		return s, err
	}
	var err error
	if s.Env, err = c.environment(); err != nil {
		return s, err
	}
	if s.Mounts, err = c.mounts(); err != nil {
		return s, err
	}
	if dir := machine.Image.Config.WorkingDir; dir != "" {
		s.Cwd = dir
	}
	if c.spec.WorkingDir != "" {
		s.Cwd = c.spec.WorkingDir
	}
	s.Args = c.arguments(s.Env)
	return s, nil
}

// arguments are the image's unless the container has its own; its own command leaves out the image's arguments too.
func (c *container) arguments(env []string) []string {
	expand := func(words []string) []string {
		out := make([]string, len(words))
		for i, word := range words {
			out[i] = expand(word, lookup(env))
		}
		return out
	}
	config := c.pod.machine.Image.Config
	switch {
	case len(c.spec.Command) > 0:
		return append(expand(c.spec.Command), expand(c.spec.Args)...)
	case len(c.spec.Args) > 0:
		return append(append([]string(nil), config.Entrypoint...), expand(c.spec.Args)...)
	}
	return append(append([]string(nil), config.Entrypoint...), config.Cmd...)
}

// user finds who the container runs as: its own word, the pod's, the image's.
func (s *spec) user(ofImage string, pod *corev1.PodSecurityContext, own *corev1.SecurityContext) error {
	uid, gid, _ := strings.Cut(ofImage, ":")
	var err error
	if s.UID, err = strconv.Atoi(uid); err != nil {
		return fmt.Errorf("the image's user %q: %w", ofImage, err)
	}
	if gid != "" {
		if s.GID, err = strconv.Atoi(gid); err != nil {
			return fmt.Errorf("the image's group %q: %w", ofImage, err)
		}
	}
	nonRoot := false
	take := func(user, group *int64, must *bool) {
		if user != nil {
			s.UID = int(*user)
		}
		if group != nil {
			s.GID = int(*group)
		}
		if must != nil {
			nonRoot = *must
		}
	}
	s.Groups = []int{}
	if pod != nil {
		take(pod.RunAsUser, pod.RunAsGroup, pod.RunAsNonRoot)
		for _, group := range pod.SupplementalGroups {
			s.Groups = append(s.Groups, int(group))
		}
		if pod.FSGroup != nil {
			s.Groups = append(s.Groups, int(*pod.FSGroup))
		}
	}
	if own != nil {
		take(own.RunAsUser, own.RunAsGroup, own.RunAsNonRoot)
		s.ReadOnly = own.ReadOnlyRootFilesystem != nil && *own.ReadOnlyRootFilesystem
		s.NoNewPrivileges = own.AllowPrivilegeEscalation != nil && !*own.AllowPrivilegeEscalation
	}
	if nonRoot && s.UID == 0 {
		return errors.New("container has runAsNonRoot and would run as root")
	}
	return nil
}

// Command is a program in the pod's first container, as `kubectl exec` runs it: as the container's user, with its
// environment. Nothing runs yet.
func (p *Pod) Command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	c := p.containers[0]
	c.mu.Lock()
	running := c.process
	c.mu.Unlock()
	if running == nil {
		return nil, fmt.Errorf("pod %s: container %s does not run", p.Object.Name, c.spec.Name)
	}
	return running.enter(ctx, args), nil
}

func (p *process) enter(ctx context.Context, words []string) *exec.Cmd {
	args := []string{nsenter, "-t", strconv.Itoa(p.command.Process.Pid), "-m", "-u", "-i", "-n", "-p", "-r",
		"-S", strconv.Itoa(p.spec.UID), "-G", strconv.Itoa(p.spec.GID), "--"}
	if p.group != nil { // what is executed in a container counts there
		args = append([]string{"/bin/sh", "-c", `echo 0 >"$0" && exec "$@"`, p.group.Processes()}, args...)
	}
	args = append(args, words...)
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Env = p.spec.Env
	return command
}

// nsenter is util-linux's, where Debian has it.
const nsenter = "/usr/bin/nsenter"

// exec is for probes and hooks: the error has what the program said.
func (p *process) exec(ctx context.Context, args []string) error {
	if said, err := p.enter(ctx, args).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(said)))
	}
	return nil
}

// PIDs are the first processes of the containers that run, as this machine numbers them.
func (p *Pod) PIDs() []int {
	var pids []int
	for _, c := range p.containers {
		c.mu.Lock()
		if c.process != nil {
			pids = append(pids, c.process.command.Process.Pid)
		}
		c.mu.Unlock()
	}
	return pids
}
