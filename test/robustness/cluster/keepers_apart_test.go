package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"barnabas/test/launch"
)

// lonely is a keeper in a network namespace of its own.
type lonely struct {
	net     *network
	id      int
	dir     string
	output  launch.Output
	command *exec.Cmd
}

func (k *lonely) start(t *testing.T) {
	t.Helper()
	var servers []string
	for _, id := range k.net.ids {
		host := prefix + fmt.Sprint(id)
		if id == k.id {
			host = "0.0.0.0"
		}
		servers = append(servers, fmt.Sprintf("server.%d=%s:2888:3888;2181", id, host))
	}
	k.command = exec.Command("ip", "netns", "exec", k.net.namespace(k.id), program, "keeper")
	k.command.Env = append(os.Environ(), fmt.Sprintf("ZOO_MY_ID=%d", k.id), "ZOO_SERVERS="+strings.Join(servers, " "),
		"ZOO_DATA_DIR="+k.dir, fmt.Sprintf("ZOO_HTTP_LISTENER=%s%d:8080", prefix, k.id))
	k.command.Stdout, k.command.Stderr = &k.output, &k.output
	if err := k.command.Start(); err != nil {
		t.Fatal(err)
	}
}

func (k *lonely) kill() {
	k.command.Process.Kill()
	k.command.Wait()
}

func (k *lonely) ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s%d:8080/readyz", prefix, k.id), nil)
	if err != nil {
		return false
	}
	asker := http.Client{Transport: &http.Transport{DialContext: k.net.dial, DisableKeepAlives: true}}
	response, err := asker.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Two of three keepers lose all that they had, and the third one hears only one of them: that one asks the other in its
// place, and the ensemble is recovered from the log that is left. The other one joins once the link is there again.
func TestKeepersApart(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 1, 2, 3)
	keepers := map[int]*lonely{}
	for _, id := range n.ids {
		keepers[id] = &lonely{net: n, id: id, dir: filepath.Join(t.TempDir(), fmt.Sprint(id))}
		keepers[id].start(t)
		t.Cleanup(keepers[id].kill)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, k := range keepers {
				t.Logf("keeper %d:\n%s", k.id, k.output.Tail())
			}
		}
	})
	await := func(what string, holds func() bool) {
		t.Helper()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(patience); !holds(); <-tick.C {
			if time.Now().After(end) {
				t.Fatalf("waited in vain for %s", what)
			}
		}
	}
	allReady := func(ids ...int) {
		t.Helper()
		for _, id := range ids {
			await(fmt.Sprintf("keeper %d to be ready", id), func() bool { return keepers[id].ready(t.Context()) })
		}
	}
	allReady(1, 2, 3)
	n.part(1, 2)
	for _, id := range []int{2, 3} {
		keepers[id].kill()
		if err := os.RemoveAll(keepers[id].dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []int{2, 3} {
		keepers[id].start(t)
	}
	await("the ensemble to be recovered", func() bool { return keepers[1].output.Says("is recovered from this log") })
	allReady(1, 3)
	n.unite(1, 2)
	allReady(1, 2, 3)
}
