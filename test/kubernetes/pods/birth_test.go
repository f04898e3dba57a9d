package pods

import (
	"fmt"
	"strings"
	"testing"
)

// probed is what a pod answers to a probe, the status line first.
func (w *world) probed(pod, path string) string {
	w.t.Helper()
	out, err := w.Exec(w.context(), pod, nil, "/bin/bash", "-c",
		fmt.Sprintf(`exec 3<>/dev/tcp/localhost/8080 && printf 'GET %s HTTP/1.0\r\n\r\n' >&3 && cat <&3`, path))
	if err != nil {
		return err.Error()
	}
	return out
}

// Keepers that can't be born yet, for nobody knows their names: each pod answers that it lives, and says why it is not ready. Nobody is started
// anew for that, no Service leads to them, and they are ready when they are born.
func TestProbesDuringBirth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Names.Mute(true)
	w.install(nil)
	for pod, why := range map[string]string{"queue-barnabas-keeper-1": "keeper", "queue-barnabas-broker-1": "keeper"} {
		said := ""
		w.await(pod+" to answer that it lives", func() bool {
			said = w.probed(pod, "/livez")
			return strings.HasPrefix(said, "HTTP/1.0 200")
		})
		w.await(pod+" to say why it is not ready", func() bool {
			said = w.probed(pod, "/readyz")
			_, body, _ := strings.Cut(said, "\r\n\r\n")
			return strings.HasPrefix(said, "HTTP/1.0 503") && strings.Contains(body, why)
		})
		w.say("%s: %s", pod, said)
	}
	for _, p := range w.GetPods() {
		if p.Ready || p.Restarts > 0 {
			t.Errorf("%s: ready %t, started %d times more: %s", p.Name, p.Ready, p.Restarts, p.Message)
		}
	}
	w.Names.Mute(false)
	w.chartReady("born")
	for _, p := range w.GetPods() {
		if said := w.probed(p.Name, "/readyz"); !strings.HasPrefix(said, "HTTP/1.0 200") {
			t.Errorf("%s is ready, and says %q", p.Name, said)
		}
		if p.Restarts > 0 {
			t.Errorf("%s was started %d times more: %s", p.Name, p.Restarts, p.Message)
		}
	}
}
