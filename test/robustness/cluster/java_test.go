package cluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"barnabas/test/launch"
	"barnabas/test/trials/numbers"
)

const (
	javaTopic      = "java"
	javaPartitions = 3
	javaPerSecond  = 300
)

// java is a writer and a reader with the Java client (test/interop/java/Traffic.java), each a process of its own beside the
// load of the world.
type java struct {
	w        *world
	endWrite func()
	written  chan struct{} // closed when the writer has ended

	mu    sync.Mutex
	sent  *numbers.Sent         // guarded by mu
	count int                   // of what the writer says that it has offered, at its end; guarded by mu
	acked [javaPartitions]int64 // the last offset of each partition that was acknowledged; guarded by mu
	acks  [javaPartitions]int   // guarded by mu
	reads []numbers.Read        // guarded by mu
	read  [javaPartitions]int64 // the last offset read of each; guarded by mu
}

// startJava starts both.
func (w *world) startJava(classpath string) *java {
	w.t.Helper()
	w.makes(javaTopic)
	j := &java{w: w, written: make(chan struct{}), sent: &numbers.Sent{Refused: map[string]int{}}}
	for i := range j.acked {
		j.acked[i], j.read[i] = -1, -1
	}
	j.endWrite = j.run(classpath, j.wrote, func() { close(j.written) }, "write", fmt.Sprint(javaPerSecond))
	j.run(classpath, j.hasRead, func() {}, "read")
	return j
}

// run starts one of them among the clients, and takes what it says line by line. The function that it returns ends it.
func (j *java) run(classpath string, take func(line string) error, ended func(), what string, more ...string) (end func()) {
	j.w.t.Helper()
	args := append([]string{
		"netns", "exec", j.w.net.hub(), "java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classpath, "Traffic",
		what, strings.Join(j.w.cluster.Target().Bootstrap, ","), javaTopic, fmt.Sprint(javaPartitions),
	}, more...)
	command := exec.Command("ip", args...)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output := &launch.Output{}
	command.Stderr = output
	in, err := command.StdinPipe()
	if err != nil {
		j.w.t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		j.w.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		j.w.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer ended()
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if err := take(lines.Text()); err != nil {
				fmt.Fprintf(output, "%v: %q\n", err, lines.Text())
			}
		}
		_, _ = io.Copy(io.Discard, out)
		_ = command.Wait() // what it has said counts, not how it ended
	}()
	var once sync.Once
	end = func() { once.Do(func() { in.Close() }) }
	j.w.t.Cleanup(func() {
		end()
		command.Process.Kill()
		<-done
		if text := output.Tail(); text != "" {
			j.w.t.Logf("java %s: %s", what, text)
		}
	})
	return end
}

// wrote takes a line of the writer's.
func (j *java) wrote(line string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var n int
	var at numbers.Place
	switch kind, rest, _ := strings.Cut(line, " "); kind {
	case "a":
		if _, err := fmt.Sscan(rest, &n, &at.Partition, &at.Offset); err != nil {
			return err
		}
		j.grow(n)
		j.sent.Places[n] = at
		j.sent.Acked++
		j.acks[at.Partition]++
		j.acked[at.Partition] = max(j.acked[at.Partition], at.Offset)
	case "f":
		_, why, _ := strings.Cut(rest, " ")
		j.sent.Refused[why]++
	case "end":
		if _, err := fmt.Sscan(rest, &j.count); err != nil {
			return err
		}
		j.grow(j.count - 1)
	default:
		return fmt.Errorf("a line that nobody expects")
	}
	return nil
}

// grow makes room for a number; mu is held.
func (j *java) grow(n int) {
	for len(j.sent.Places) <= n {
		j.sent.Places = append(j.sent.Places, numbers.Place{Partition: int32(len(j.sent.Places)) % javaPartitions, Offset: -1})
	}
}

// hasRead takes a line of the reader's.
func (j *java) hasRead(line string) error {
	var r numbers.Read
	if _, err := fmt.Sscanf(line, "r %d %d %d", &r.Partition, &r.Offset, &r.Number); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.reads = append(j.reads, r)
	j.read[r.Partition] = max(j.read[r.Partition], r.Offset)
	return nil
}

// flows waits until records are acknowledged and read in each partition.
func (j *java) flows(when string) {
	j.w.t.Helper()
	j.mu.Lock()
	acks, read := j.acks, j.read
	j.mu.Unlock()
	j.w.await("Java's records, "+when, func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		for p := range acks {
			if j.acks[p] < acks[p]+javaPerSecond/4/javaPartitions || j.read[p] <= read[p] {
				return false
			}
		}
		return true
	})
}

// verify ends the writer, waits until the reader has all that was acknowledged, and judges what both have seen and what is there.
func (j *java) verify() {
	t := j.w.t
	t.Helper()
	j.endWrite()
	j.w.await("the writer to end", func() bool {
		select {
		case <-j.written:
			return true
		default:
			return false
		}
	})
	j.w.await("the reader to have read what was acknowledged", func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		for p := range j.acked {
			if j.read[p] < j.acked[p] {
				return false
			}
		}
		return true
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.count == 0 || len(j.sent.Refused) > 0 || j.sent.Acked != j.count {
		t.Errorf("Java's producer offered %d, had %d acknowledged and was told %v", j.count, j.sent.Acked, j.sent.Refused)
	}
	if verdict := numbers.Judge(j.sent, j.reads); !verdict.Clean() {
		t.Errorf("Java's consumer: %+v", verdict)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	verdict, err := numbers.Verify(ctx, j.w.cluster.Target(), javaTopic, j.sent)
	if err != nil || !verdict.Clean() {
		t.Errorf("Java's records: %v, %+v", err, verdict)
		return
	}
	t.Logf("Java: %d records acknowledged, %d read while they came, %d read afterwards", verdict.Acked, len(j.reads), verdict.Read)
}

// Traffic of the Java client while a leader is killed, another is cut off, and all three are told to stop at once.
func TestJava(t *testing.T) {
	classpath := os.Getenv("JAVA_TRAFFIC")
	if classpath == "" {
		t.Skip("make interop runs it, where the Java client is: JAVA_TRAFFIC=CLASSPATH")
	}
	w := newWorld(t, nil)
	j := w.startJava(classpath)
	j.flows("at the beginning")

	victim := w.leader()
	w.node(victim).Broker.Kill()
	j.flows("when a leader was killed")
	restart(w, victim)
	w.mends()

	victim = w.leader()
	w.net.isolate(victim)
	w.await("others to lead", func() bool { return w.led(victim) == 0 })
	j.flows("when a leader was cut off")
	w.net.rejoin(victim)
	w.mends()

	stopAll(w)
	w.mends()
	w.flows("after all had stopped")
	j.flows("after all had stopped")
	j.verify()
	w.verify()
}
