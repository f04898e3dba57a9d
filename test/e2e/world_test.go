package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"barnabas/test/launch"
	"barnabas/test/loopback"
)

type worldKey struct{}

// world is what one script has started: it ends with the script.
type world struct {
	dir       string
	brokers   map[string]*process
	loads     map[string]*load
	followers map[string]*follower
}

func newWorld(dir string) *world {
	return &world{dir: dir, brokers: map[string]*process{}, loads: map[string]*load{}, followers: map[string]*follower{}}
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func (w *world) end() {
	for _, l := range w.loads {
		l.stop()
	}
	for _, f := range w.followers {
		f.stop()
	}
	for _, p := range w.brokers {
		p.kill()
	}
}

// process is a broker by its name in the script. Its addresses stay when it is started again.
type process struct {
	name, address, http string
	command             *exec.Cmd
	settings, env       []string // of the last start
	output              *launch.Output
	exited              chan struct{}
}

// startTime bounds how long a broker may take until it serves, on a busy machine.
const startTime = time.Minute

// broker finds a process by name, or gives a new one free ports.
func (w *world) broker(name string) (*process, error) {
	if p := w.brokers[name]; p != nil {
		return p, nil
	}
	p := &process{name: name}
	for _, address := range []*string{&p.address, &p.http} {
		free, err := loopback.Address()
		if err != nil {
			return nil, err
		}
		*address = free
	}
	w.brokers[name] = p
	return p, nil
}

// start runs the broker on its own directory, with more settings as name=value.
func (p *process) start(dir string, settings, env []string) error {
	args := []string{
		"server", "--override", "listeners=PLAINTEXT://" + p.address,
		"--override", "http.listener=" + p.http, "--override", "log.dirs=" + filepath.Join(dir, p.name),
		"--override", "group.initial.rebalance.delay.ms=0",
	}
	p.settings, p.env = settings, env
	for _, s := range settings {
		args = append(args, "--override", s)
	}
	p.command = exec.Command(binary, args...)
	p.command.Dir = dir
	p.command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...)
	p.output = &launch.Output{}
	p.command.Stdout, p.command.Stderr = p.output, p.output
	if err := p.command.Start(); err != nil {
		return err
	}
	p.exited = make(chan struct{})
	go func() {
		p.command.Wait()
		close(p.exited)
	}()
	return nil
}

// ready waits until the readiness probe says so.
func (p *process) ready() error {
	client := http.Client{Timeout: 5 * time.Second}
	deadline := time.After(startTime)
	for {
		if response, err := client.Get("http://" + p.http + "/readyz"); err == nil {
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.exited:
			return fmt.Errorf("broker %s ended while starting:\n%s", p.name, p.output)
		case <-deadline:
			return fmt.Errorf("broker %s is not ready after %s:\n%s", p.name, startTime, p.output)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (p *process) signal(s syscall.Signal) error { return p.command.Process.Signal(s) }

var errStillRuns = errors.New("still runs")

// wait waits for the process to end and returns its exit code.
func (p *process) wait(d time.Duration) (int, error) {
	select {
	case <-p.exited:
		return p.command.ProcessState.ExitCode(), nil
	case <-time.After(d):
		return 0, errStillRuns
	}
}

// says waits until the process has printed a line that matches: what it prints comes by a pipe, and its answers may be quicker.
func (p *process) says(line *regexp.Regexp) error {
	deadline := time.After(startTime)
	for !line.MatchString(p.output.String()) {
		select {
		case <-deadline:
			return fmt.Errorf("broker %s does not say %s:\n%s", p.name, line, p.output)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

func (p *process) kill() {
	if p.command == nil || p.command.Process == nil {
		return
	}
	p.command.Process.Kill()
	<-p.exited
}
