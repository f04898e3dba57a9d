package pods

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"barnabas/test/kubernetes/pods/lan"
	"barnabas/test/kubernetes/pods/objects"
)

// load is the writer and the reader that run all the time: test/trials/load, in a network namespace.
type load struct {
	w       *world
	command *exec.Cmd
	errors  bytes.Buffer

	mu  sync.Mutex // one question at a time
	in  io.WriteCloser
	out *bufio.Scanner
}

type stat struct {
	Acked, Read         int
	All, Partition, Own time.Duration
}

// outsideAddresses are the recipe's NodePorts, of any host.
const outsideAddresses = "192.168.11.113:30901,192.168.11.114:30902,192.168.11.115:30903"

// startLoad begins outside of the cluster.
func (w *world) startLoad(args ...string) *load {
	w.t.Helper()
	command := exec.Command(loadProgram(), args...)
	return w.run(command, func() error { return lan.Start(w.Outside(), command) })
}

// startLoadInside begins in a pod of its own, where names are the cluster's.
func (w *world) startLoadInside(args ...string) *load {
	w.t.Helper()
	w.deployClient("client")
	program, err := os.Open(loadProgram())
	if err != nil {
		w.t.Fatal(err)
	}
	defer program.Close()
	// The image has no such program: the pod gets it as an open file.
	command, err := w.Command(w.t.Context(), w.pod("client"), append([]string{"/proc/self/fd/3"}, args...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	command.ExtraFiles = []*os.File{program}
	return w.run(command, command.Start)
}

// deployClient makes a pod beside those of the queue, in which nothing runs yet.
func (w *world) deployClient(name string) {
	w.t.Helper()
	set, err := objects.Read([]byte(strings.ReplaceAll(clientPod, "NAME", name)), namespace)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Apply(set)
	w.await("the pod "+name, func() bool { return w.RolledOut(w.Owners(name)...) })
}

const clientPod = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
      - name: client
        image: ` + imageName + `
        command: [sleep, infinity]
`

func loadProgram() string { return filepath.Join(os.Getenv(inside), "load") }

func (w *world) run(command *exec.Cmd, start func() error) *load {
	w.t.Helper()
	l := &load{w: w, command: command}
	command.Stderr = &l.errors
	in, err := command.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	l.in, l.out = in, bufio.NewScanner(out)
	if err := start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		in.Close()
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()
	})
	return l
}

// ask says a word and decodes the answer.
func (l *load) ask(word string, into any) {
	l.w.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := fmt.Fprintln(l.in, word); err != nil {
		l.w.t.Fatalf("the load has ended: %v: %s", err, &l.errors)
	}
	if !l.out.Scan() {
		l.w.t.Fatalf("the load says nothing to %s: %v: %s", word, l.out.Err(), &l.errors)
	}
	if err := json.Unmarshal(l.out.Bytes(), into); err != nil {
		l.w.t.Fatalf("the load says %q: %v", l.out.Text(), err)
	}
}

func (l *load) stat() stat {
	var s stat
	l.ask("stat", &s)
	return s
}

// flows waits until so many more records are acknowledged, and read.
func (l *load) flows(more int, when string) {
	l.w.t.Helper()
	before := l.stat()
	l.w.await(fmt.Sprintf("%d more records, %s", more, when), func() bool {
		now := l.stat()
		return now.Acked >= before.Acked+more && now.Read >= before.Read+more
	})
}

// mark says how long the load has stood still, and begins anew.
func (l *load) mark(what string) {
	var s stat
	l.ask("mark", &s)
	l.w.say("%s: %d acknowledged, %d read; nothing acknowledged for %s, of one partition for %s (the load itself stood still for %s)",
		what, s.Acked, s.Read, s.All.Round(time.Millisecond), s.Partition.Round(time.Millisecond), s.Own.Round(time.Millisecond))
}

// finish reads everything back: nothing acknowledged may be lost, twice, or elsewhere than its producer was told.
func (l *load) finish() {
	l.w.t.Helper()
	var r struct {
		Verdict *struct {
			Acked, Read, Lost, Duplicated, Reordered, Displaced int
			Examples                                            []string
		}
		Refused map[string]int
		Unread  int
	}
	l.ask("finish", &r)
	if len(r.Refused) > 0 {
		l.w.t.Errorf("the producer was told of failures: %v", r.Refused)
	}
	v := r.Verdict
	if v == nil || v.Acked == 0 || v.Lost+v.Duplicated+v.Reordered+v.Displaced+r.Unread > 0 {
		l.w.t.Errorf("the promise is broken: %+v, unread %d", v, r.Unread)
		return
	}
	l.w.say("%d records acknowledged, %d read, 0 lost", v.Acked, v.Read)
}

// topic makes one by the tools in a broker's pod.
func (w *world) topic(name string, partitions, replicas int) {
	w.t.Helper()
	w.await("topic "+name, func() bool {
		_, err := w.Exec(w.context(), w.pod("kafka-deployment-1"), nil, "kafka-topics.sh", "--bootstrap-server", "localhost:9092",
			"--create", "--if-not-exists", "--topic", name, "--partitions", strconv.Itoa(partitions), "--replication-factor", strconv.Itoa(replicas))
		if err != nil {
			w.say("%v", err)
		}
		return err == nil
	})
}

// inSync waits until every partition of a topic has so many replicas in sync.
func (w *world) inSync(topic string, replicas int) { w.inSyncBy("kafka-deployment-1", topic, replicas) }

// chartInSync is the same of the chart's brokers.
func (w *world) chartInSync(topic string, replicas int) {
	w.inSyncBy("queue-barnabas-broker-0", topic, replicas)
}

func (w *world) inSyncBy(pod, topic string, replicas int) {
	w.t.Helper()
	w.await("all replicas to be in sync", func() bool {
		out, err := w.Exec(w.context(), w.pod(pod), nil, "kafka-topics.sh", "--bootstrap-server", "localhost:9092", "--describe", "--topic", topic)
		if err != nil {
			return false
		}
		count := 0
		for line := range strings.Lines(out) {
			if _, isr, found := strings.Cut(line, "Isr: "); found {
				if len(strings.Split(strings.Fields(isr)[0], ",")) != replicas {
					return false
				}
				count++
			}
		}
		return count > 0
	})
}
