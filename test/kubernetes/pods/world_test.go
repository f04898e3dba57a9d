package pods

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"barnabas/test/kubernetes/pods/cluster"
	"barnabas/test/kubernetes/pods/image"
	"barnabas/test/kubernetes/pods/objects"
)

// patience bounds every wait for what ought to happen soon, on a busy machine.
const patience = 60 * time.Second

const (
	namespace = "kafka"
	imageName = "barnabas:dev"
)

// world is a cluster of three hosts with the image at hand.
type world struct {
	*cluster.Cluster
	t     *testing.T
	began time.Time
	limit string // of the memory of what apply makes, where there is one
	// evicts tells that pods are evicted for the room they take, where nobody else's may be.
	evicts bool
}

// unpacked is the image, of all tests.
var unpacked = sync.OnceValues(func() (*image.Image, error) {
	root := filepath.Join("/run", "image")
	if err := os.Mkdir(root, 0o755); err != nil {
		return nil, err
	}
	return image.Unpack(filepath.Join(os.Getenv(inside), "image.tar"), root)
})

func newWorld(t *testing.T, more ...func(*cluster.Options)) *world {
	w := &world{t: t, began: time.Now()}
	built := os.Getenv(inside)
	dir := t.TempDir()
	if disk := os.Getenv("DISK"); disk != "" {
		var err error
		if dir, err = os.MkdirTemp(disk, "pods-"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	image, err := unpacked()
	if err != nil {
		t.Fatal(err)
	}
	o := cluster.Options{
		Dir: dir, Runtime: filepath.Join(built, "container"), Image: image, ImageName: imageName,
		Hosts: []string{"master", "node1", "node2"}, Zones: []string{"a", "b", "c"},
		BackOff: time.Second, NotReadyAfter: 2 * time.Second, EvictAfter: 3 * time.Second,
		Logf: func(format string, args ...any) { w.say(format, args...) },
	}
	for _, change := range more {
		change(&o)
	}
	c, err := cluster.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	w.Cluster = c
	t.Cleanup(w.end)
	return w
}

// long tells that the long trials are asked for.
func long() bool { return os.Getenv("LONG") != "" }

// say prints with the time since the beginning.
func (w *world) say(format string, args ...any) {
	w.t.Logf("%7.3f "+format, append([]any{time.Since(w.began).Seconds()}, args...)...)
}

func (w *world) end() {
	if err := w.Failures(); err != nil {
		w.t.Error(err)
	}
	if evicted := w.evicted(); len(evicted) > 0 && !w.evicts {
		w.t.Errorf("evicted for the room they took: %v", evicted)
	}
	if w.t.Failed() {
		w.t.Logf("\n%s", w.Table())
	}
	w.Close()
	logs := w.Logs("")
	if dir := os.Getenv("SHOW"); dir != "" {
		name := strings.ReplaceAll(w.t.Name(), "/", "-") + ".log"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(logs), 0o644); err != nil {
			w.t.Error(err)
		}
	} else if w.t.Failed() {
		w.t.Logf("the last of what the pods printed:\n%s", logs[max(0, len(logs)-20_000):])
	}
}

// await looks until something holds.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			w.t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// apply reads one of the recipe's files and puts our image in the place of its own.
func (w *world) apply(file string, replace ...string) {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "recipe", file))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, image := range []string{"image: zookeeper\n", "image: wurstmeister/kafka\n"} {
		raw = []byte(strings.ReplaceAll(string(raw), image, "image: "+imageName+"\n"))
	}
	set, err := objects.Read([]byte(strings.NewReplacer(replace...).Replace(string(raw))), namespace)
	if err != nil {
		w.t.Fatalf("%s: %v", file, err)
	}
	for _, d := range set.Deployments {
		for i := range d.Spec.Template.Spec.Containers {
			if c := &d.Spec.Template.Spec.Containers[i]; w.limit != "" {
				c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(w.limit)}
			}
		}
	}
	w.Apply(set)
}

// pod is the name of the one that runs in a deployment and is not about to go.
func (w *world) pod(word string) string {
	w.t.Helper()
	for _, p := range w.GetPods() {
		if strings.HasPrefix(p.Name, word) && !p.Terminating {
			return p.Name
		}
	}
	w.t.Fatalf("there is no pod %s", word)
	return ""
}

func (w *world) context() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	w.t.Cleanup(cancel)
	return ctx
}

// output is what a program prints, while it prints.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// restarted restarts the chart's pods of some owners under load, which flows on afterwards, so many records of it, and ends.
func (w *world) restarted(l *load, owners string, records int) {
	w.t.Helper()
	if err := w.RolloutRestart(w.Owners(owners)...); err != nil {
		w.t.Fatal(err)
	}
	w.chartReady("restarted")
	l.flows(records, "after the restart")
	l.mark("restarted")
	l.finish()
}

// noneMisleads looks that no broker has told of an address of its own that leads elsewhere.
func (w *world) noneMisleads() {
	w.t.Helper()
	for _, e := range w.Events() {
		if e.Reason == "AddressMisleads" {
			w.t.Errorf("%s of %s: %s", e.Reason, e.InvolvedObject.Name, e.Message)
		}
	}
}
