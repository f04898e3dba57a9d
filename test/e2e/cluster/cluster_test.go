// Package cluster runs three real brokers, the first with the keeper inside, kills and stops them under a load of
// numbered records, and counts what became of those.
package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"barnabas/test/launch"
	"barnabas/test/loopback"
)

// program is what is tested, built once by TestMain.
var program string

func TestMain(m *testing.M) {
	os.Exit(launch.Main(m, func(dir string) (_ func(), err error) {
		program, err = launch.Build(dir)
		return nil, err
	}))
}

// cluster is three brokers of a test; the first is the keeper's home and stays.
type cluster struct {
	t      *testing.T
	nodes  []*node
	keeper string
	// outside says that the keeper is not in the first broker.
	outside bool
	// settings are those of every broker that is started from now on, beside the usual ones.
	settings []string
}

// node is a broker; address and directory stay when it is started again.
type node struct {
	id            int
	address, http string
	dir           string
	front         *service // what is advertised in its place, or nil
	command       *exec.Cmd
	exited        chan struct{}
	output        launch.Output
}

func start(t *testing.T, brokers int) *cluster {
	c := &cluster{t: t, keeper: loopback.Free(t)}
	for id := range brokers {
		c.nodes = append(c.nodes, &node{
			id: id, address: loopback.Free(t), http: loopback.Free(t), dir: filepath.Join(t.TempDir(), strconv.Itoa(id)),
		})
	}
	t.Cleanup(c.end)
	for _, n := range c.nodes {
		c.launch(n)
	}
	for _, n := range c.nodes {
		c.ready(n)
	}
	return c
}

func (c *cluster) launch(n *node) {
	settings := []string{
		"broker.id=" + strconv.Itoa(n.id), "listeners=PLAINTEXT://" + n.address, "http.listener=" + n.http,
		"log.dirs=" + n.dir, "group.initial.rebalance.delay.ms=0", "leader.imbalance.check.interval.seconds=1",
	}
	if n.front != nil {
		settings = append(settings, "advertised.listeners=PLAINTEXT://"+n.front.address)
	}
	if n.id == 0 && !c.outside {
		settings = append(settings, "keeper.listener="+c.keeper)
	} else {
		settings = append(settings, "zookeeper.connect="+c.keeper)
	}
	settings = append(settings, c.settings...)
	args := []string{"server"}
	for _, s := range settings {
		args = append(args, "--override", s)
	}
	n.command = exec.Command(program, args...)
	n.command.Stdout, n.command.Stderr = &n.output, &n.output
	if err := n.command.Start(); err != nil {
		c.t.Fatal(err)
	}
	n.exited = make(chan struct{})
	go func(command *exec.Cmd, exited chan struct{}) {
		command.Wait()
		close(exited)
	}(n.command, n.exited)
}

// patience bounds every wait, on a machine with much else to do.
const patience = time.Minute

func (c *cluster) ready(n *node) {
	c.await(fmt.Sprintf("broker %d to be ready", n.id), func() bool {
		select {
		case <-n.exited:
			c.t.Fatalf("broker %d ended while starting:\n%s", n.id, n.output.Tail())
		default:
		}
		return launch.IsReady(n.http)
	})
}

// await looks until something holds.
func (c *cluster) await(what string, holds func() bool) {
	c.t.Helper()
	launch.Await(c.t, patience, what, c.outputs, holds)
}

func (c *cluster) outputs() string {
	var all bytes.Buffer
	for _, n := range c.nodes {
		fmt.Fprintf(&all, "broker %d:\n%s\n", n.id, n.output.Tail())
	}
	return all.String()
}

// kill ends a broker as a crash does; stop asks it to end, and waits until it has.
func (c *cluster) kill(n *node) {
	n.command.Process.Signal(syscall.SIGKILL)
	<-n.exited
}

func (c *cluster) stop(n *node) {
	c.t.Helper()
	n.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-n.exited:
	case <-time.After(patience):
		c.t.Fatalf("broker %d does not stop\n%s", n.id, n.output.Tail())
	}
	if code := n.command.ProcessState.ExitCode(); code != 0 {
		c.t.Errorf("broker %d stopped with %d\n%s", n.id, code, n.output.Tail())
	}
}

func (c *cluster) again(n *node) {
	c.launch(n)
	c.ready(n)
}

func (c *cluster) end() {
	for i := len(c.nodes) - 1; i >= 0; i-- {
		if n := c.nodes[i]; n.command != nil && n.command.Process != nil {
			if err := n.command.Process.Kill(); err == nil || errors.Is(err, os.ErrProcessDone) {
				<-n.exited
			}
		}
	}
}

func (c *cluster) addresses() []string {
	var all []string
	for _, n := range c.nodes {
		if n.front != nil {
			all = append(all, n.front.address)
			continue
		}
		all = append(all, n.address)
	}
	return all
}
