package robustness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/test/launch"
	"barnabas/test/loopback"
)

// patience bounds every wait for what ought to happen soon, on a busy machine.
const patience = time.Minute

// broker is a process on a directory. Its addresses stay when it is started again.
type broker struct {
	dir, address, http string
	overrides          []string
	command            *exec.Cmd
	output             *launch.Output
	exited             chan struct{}
}

// start runs a broker with settings as name=value, until the test ends.
func start(t *testing.T, overrides ...string) *broker {
	t.Helper()
	b := newBroker(t, t.TempDir(), overrides...)
	t.Cleanup(func() { b.end(t) })
	b.launch(t)
	b.awaitReady(t)
	return b
}

func newBroker(t *testing.T, dir string, overrides ...string) *broker {
	return &broker{dir: dir, address: loopback.Free(t), http: loopback.Free(t), overrides: overrides}
}

// logDir is where the broker keeps its logs unless the test says otherwise.
func (b *broker) logDir() string { return filepath.Join(b.dir, "data") }

// launch starts the process and does not wait for it.
func (b *broker) launch(t *testing.T) {
	t.Helper()
	args := []string{"server"}
	settings := append([]string{
		"listeners=PLAINTEXT://" + b.address, "http.listener=" + b.http, "log.dirs=" + b.logDir(),
	}, b.overrides...)
	for _, s := range settings {
		args = append(args, "--override", s)
	}
	b.command = exec.Command(program, args...)
	b.command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir}
	b.output = &launch.Output{}
	b.command.Stdout, b.command.Stderr = b.output, b.output
	if err := b.command.Start(); err != nil {
		t.Fatal(err)
	}
	command, exited := b.command, make(chan struct{})
	b.exited = exited
	go func() {
		command.Wait()
		close(exited)
	}()
}

// awaitReady waits until the readiness probe says so.
func (b *broker) awaitReady(t *testing.T) {
	t.Helper()
	b.await(t, "be ready", func() bool { return launch.IsReady(b.http) })
}

// await asks again and again, while the process lives, until something is so.
func (b *broker) await(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !so() {
		select {
		case <-b.exited:
			t.Fatalf("the broker ended; it should %s:\n%s", what, b.output.Tail())
		case <-deadline:
			t.Fatalf("%s have passed; the broker should %s:\n%s", patience, what, b.output.Tail())
		case <-time.After(3 * time.Millisecond):
		}
	}
}

func (b *broker) kill() {
	b.command.Process.Kill()
	<-b.exited
}

// end kills the broker at the end of a test, and shows what it said if that failed.
func (b *broker) end(t *testing.T) {
	if b.command == nil {
		return
	}
	b.kill()
	if t.Failed() {
		t.Logf("the broker said:\n%s", b.output.Tail())
	}
}

// stop tells the broker to stop and returns its exit code.
func (b *broker) stop(t *testing.T) int {
	t.Helper()
	began := time.Now()
	b.signal(t, syscall.SIGTERM)
	code := b.wait(t)
	t.Logf("stopped after %s", time.Since(began).Round(time.Millisecond))
	return code
}

func (b *broker) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := b.command.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (b *broker) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-b.exited:
		return b.command.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("the broker still runs after %s:\n%s", patience, b.output.Tail())
		return 0
	}
}

// mustServe writes a record and reads the topic's end: whatever was done to it, the broker serves.
func (b *broker) mustServe(t *testing.T) {
	t.Helper()
	if err := b.produce("still-serving", "here"); err != nil {
		t.Errorf("the broker does not serve any more: %v\n%s", err, b.output.Tail())
	}
	if said := b.output.String(); strings.Contains(said, "panic") {
		t.Errorf("the broker panicked:\n%s", said)
	}
}

func (b *broker) client(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(b.address), kgo.AllowAutoTopicCreation(), kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }), kgo.UnknownTopicRetries(-1),
	}, options...)...)
}

// produce writes one record, as a real client does.
func (b *broker) produce(topic, value string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := b.client(kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr()
}

// memory is what the process has resident now, in bytes.
func (b *broker) memory(t *testing.T) int64 { return b.status(t, "VmRSS") }

// resetPeak begins a new measurement of the peak.
func (b *broker) resetPeak(t *testing.T) {
	t.Helper()
	path := fmt.Sprintf("/proc/%d/clear_refs", b.command.Process.Pid)
	if err := os.WriteFile(path, []byte("5"), 0); err != nil {
		launch.Cannot(t, "the peak of a process' memory can't be measured here: %v", err)
	}
}

// peak is the most that the process has had resident since resetPeak, in bytes.
func (b *broker) peak(t *testing.T) int64 { return b.status(t, "VmHWM") }

func (b *broker) status(t *testing.T, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.command.Process.Pid))
	if err != nil {
		launch.Cannot(t, "a process' memory can't be measured here: %v", err)
	}
	match := regexp.MustCompile(`(?m)^` + name + `:\s*(\d+) kB`).FindSubmatch(text)
	if match == nil {
		t.Fatalf("no %s in:\n%s", name, text)
	}
	kib, _ := strconv.ParseInt(string(match[1]), 10, 64)
	return kib << 10
}

// mustStayWithin fails if the process had more than so many bytes beyond what it had before.
func (b *broker) mustStayWithin(t *testing.T, before, more int64) {
	t.Helper()
	peak := b.peak(t)
	t.Logf("memory: %d MiB before, %d MiB at most", before>>20, peak>>20)
	if peak > before+more {
		t.Errorf("%d MiB resident, %d MiB before: more than %d MiB beyond", peak>>20, before>>20, more>>20)
	}
}
