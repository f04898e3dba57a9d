package pods

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"barnabas/test/kubernetes/pods/cluster"
	"barnabas/test/kubernetes/pods/limits"
)

// least is what a pod has to do with.
const least = "64Mi"

// bounded has memory bounded as a kubelet does, and pods write to a disk, for files in memory would count as memory.
func bounded(t *testing.T) func(*cluster.Options) {
	t.Helper()
	tree, err := limits.Open(filepath.Base(os.Getenv(inside)))
	if err != nil {
		unable(t, "this machine lets nobody bound memory: ", err)
	}
	dir := ""
	for _, disk := range []string{os.Getenv(inside), "/var/tmp"} {
		const tmpfs = 0x01021994
		var found syscall.Statfs_t
		if err := syscall.Statfs(disk, &found); err != nil || found.Type == tmpfs {
			continue
		}
		if dir, err = os.MkdirTemp(disk, "disk-"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		break
	}
	if dir == "" {
		unable(t, "neither the directory of temporary files nor /var/tmp is on a disk")
	}
	return func(o *cluster.Options) { o.Dir, o.Limits = dir, tree }
}

// unable skips what can't be shown on this machine, which is a failure where CI=true.
func unable(t *testing.T, why ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why...)
	}
	t.Skip(why...)
}

// used says what pods have used, and fails where the kernel has ended one, or one has ended by itself.
func (w *world) used(owners ...string) {
	w.t.Helper()
	for _, owner := range owners {
		m := w.Used(owner)
		w.say("FIGURE %s in %s: at most %.1f MiB counted at once, the pages of files too", owner, least, float64(m.Peak)/(1<<20))
		if m.Killed > 0 {
			w.t.Errorf("%s: the kernel has ended %d processes, for they had more than %s", owner, m.Killed, least)
		}
	}
	for _, p := range w.GetPods() {
		if p.Restarts > 0 {
			w.t.Errorf("pod %s was started %d times more: %s", p.Name, p.Restarts, p.Message)
		}
	}
}

// Every pod of the recipe, and every one of the chart, has 64 MiB: under load, with tools that are run in it, and while all are replaced.
func TestMemoryLimits(t *testing.T) {
	t.Parallel()
	t.Run("recipe", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, bounded(t))
		w.limit = least
		w.recipe()
		w.topic("numbers", 3, 3)
		l := w.startLoad("-bootstrap", outsideAddresses)
		l.flows(2000, "in so little memory")
		if err := w.RolloutRestart(w.Owners("kafka-deployment")...); err != nil {
			t.Fatal(err)
		}
		w.await("the brokers to be replaced", func() bool { return w.RolledOut(w.all()...) })
		l.flows(500, "after the restart")
		l.mark("restarted")
		l.finish()
		w.used(w.all()...)
	})
	t.Run("chart", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, bounded(t))
		small := map[string]any{"resources": map[string]any{"limits": map[string]any{"memory": least}}}
		w.install(map[string]any{"keepers": small, "brokers": small})
		w.chartReady("installed")
		l := w.startLoad("-bootstrap", w.nodePorts("queue-barnabas-outside"), "-create", "-partitions", "1")
		l.flows(2000, "in so little memory")
		if logs := w.Logs("queue-barnabas-broker-0"); !strings.Contains(logs, `"memory is bounded by the container","bytes":67108864`) {
			t.Error("broker 0 does not know what it may have")
		}
		w.restarted(l, "queue", 500)
		w.used(w.Owners("queue")...)
	})
}
