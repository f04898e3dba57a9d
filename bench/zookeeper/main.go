// Command zookeeper measures what one keeper, pinned to one core, does of ZooKeeper's protocol: reads, writes and creations a
// second, from sessions that have several requests under way each. The keeper's processor time is measured too: on a shared
// machine, requests for a second of it say more than requests for a second of the clock.
//
//	go run ./bench/zookeeper                          bin/barnabas, 16 sessions of 32 requests, 5 s for each kind
//	go run ./bench/zookeeper -address 127.0.0.1:2181  a server that runs already, Apache ZooKeeper for one
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"barnabas/internal/zookeeper/jute"
)

// The cores of the keeper and of the generator.
const (
	keeperCore    = "1"
	generatorCore = "0"
)

func main() {
	program := flag.String("program", "bin/barnabas", "the program that is measured")
	address := flag.String("address", "", "a server that is there already, instead of a program")
	pid := flag.Int("pid", 0, "the process of that server, for its processor time")
	sessions := flag.Int("sessions", 16, "sessions")
	window := flag.Int("window", 32, "requests that a session has under way")
	period := flag.Duration("for", 5*time.Second, "time for each kind of request")
	flag.Parse()
	if err := measure(*program, *address, *pid, load{*sessions, *window, *period}); err != nil {
		fmt.Fprintln(os.Stderr, "zookeeper:", err)
		os.Exit(1)
	}
}

// load is how much is asked at once, and for how long.
type load struct {
	sessions, window int
	period           time.Duration
}

// kinds are what is measured: a node of 100 bytes read, one set, and nodes made.
var kinds = []struct {
	name    string
	request func(session int) jute.Request
}{
	{"getData of 100 bytes", func(int) jute.Request { return jute.Request{Op: jute.OpGetData, Path: "/bench"} }},
	{"exists with a watch", func(int) jute.Request { return jute.Request{Op: jute.OpExists, Path: "/bench", Watch: true} }},
	{"setData of 100 bytes", func(n int) jute.Request {
		return jute.Request{Op: jute.OpSetData, Path: fmt.Sprintf("/bench/%d", n), Data: make([]byte, 100), Version: -1}
	}},
	{"create, sequential", func(int) jute.Request {
		return jute.Request{Op: jute.OpCreate, Path: "/bench/n-", ACL: jute.OpenACL, Flags: jute.FlagSequential, TTL: -1}
	}},
}

func measure(program, address string, pid int, l load) error {
	if err := exec.Command("taskset", "-a", "-p", "-c", generatorCore, fmt.Sprint(os.Getpid())).Run(); err != nil {
		return fmt.Errorf("pin the generator: %w", err)
	}
	if address == "" {
		k, err := startKeeper(program)
		if err != nil {
			return err
		}
		defer k.stop()
		address, pid = k.address, k.cmd.Process.Pid
	}
	clients := make([]*client, l.sessions)
	for i := range clients {
		c, err := connect(address)
		if err != nil {
			return err
		}
		defer c.net.Close()
		clients[i] = c
	}
	if err := prepare(clients[0], l.sessions); err != nil {
		return err
	}
	for _, kind := range kinds {
		before, began := processorTime(pid), time.Now()
		counts := make([]int, len(clients))
		failed := make([]error, len(clients))
		var all sync.WaitGroup
		for i, c := range clients {
			all.Go(func() { counts[i], failed[i] = c.repeat(kind.request(i), l.window, l.period) })
		}
		all.Wait()
		took, busy, done := time.Since(began), processorTime(pid)-before, 0
		for i := range clients {
			if failed[i] != nil {
				return fmt.Errorf("%s: %w", kind.name, failed[i])
			}
			done += counts[i]
		}
		fmt.Printf("%-22s %9.0f/s of the clock", kind.name, float64(done)/took.Seconds())
		if busy > 0 {
			fmt.Printf(" %9.0f/s of the keeper's core (busy for %.0f %%)", float64(done)/busy.Seconds(), 100*busy.Seconds()/took.Seconds())
		}
		fmt.Println()
	}
	return nil
}

func prepare(c *client, sessions int) error {
	paths := []string{"/bench"}
	for n := range sessions {
		paths = append(paths, fmt.Sprintf("/bench/%d", n))
	}
	for _, path := range paths {
		err := c.once(jute.Request{Op: jute.OpCreate, Path: path, Data: make([]byte, 100), ACL: jute.OpenACL, TTL: -1})
		if err != nil {
			return fmt.Errorf("create %s: %w", path, err)
		}
	}
	return nil
}

// measured is the keeper that is measured.
type measured struct {
	cmd     *exec.Cmd
	address string
	dir     string
}

func startKeeper(program string) (*measured, error) {
	dir, err := os.MkdirTemp("", "bench-zookeeper")
	if err != nil {
		return nil, err
	}
	k := &measured{dir: dir}
	var ports [3]int
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	k.address = fmt.Sprintf("127.0.0.1:%d", ports[0])
	file := filepath.Join(dir, "zoo.cfg")
	settings := fmt.Sprintf("dataDir=%s/data\nmaxClientCnxns=0\nhttp.listener=127.0.0.1:0\nserver.1=127.0.0.1:%d:%d;%s\n", dir, ports[1], ports[2], k.address)
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	k.cmd = exec.Command("taskset", "-c", keeperCore, program, "keeper", file)
	k.cmd.Env = append(os.Environ(), "ZOO_MY_ID=1", "GOMAXPROCS=1")
	k.cmd.Stdout, k.cmd.Stderr = log, log
	if err := k.cmd.Start(); err != nil {
		return nil, err
	}
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(50 * time.Millisecond) {
		if c, err := connect(k.address); err == nil {
			c.net.Close()
			return k, nil
		}
	}
	k.stop()
	return nil, fmt.Errorf("the keeper does not serve; see %s", log.Name())
}

func (k *measured) stop() {
	_ = k.cmd.Process.Kill()
	_ = k.cmd.Wait()
	os.RemoveAll(k.dir)
}
