// Package keepers runs real keepers, and brokers on them, wipes and kills them in every order, and looks whether the
// ensemble comes back by itself with what it knew.
package keepers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"barnabas/internal/keeper"
	"barnabas/internal/metadata"
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

// patience bounds every wait, on a machine with much else to do.
const patience = time.Minute

// ensemble is the keepers of a test, and the brokers on it.
type ensemble struct {
	t       *testing.T
	keepers []*process
	brokers []*process
	size    int
	// names are the hosts by which keepers are found, where those are not the ones that they are at.
	names []string
	// outside is an etcd in the keepers' place.
	outside string
	// settings are those of brokers, beside the usual ones.
	settings []string
	// heartbeat is the keepers' own, in milliseconds.
	heartbeat int
	// session is how long brokers' registrations last without a word from them.
	session time.Duration
	// quota is the most that the metadata may take, in bytes; 0 for what keepers take without being told.
	quota int
}

// process is a keeper or a broker; its addresses and its directory stay when it is started again.
type process struct {
	name    string
	number  int
	host    string
	ports   [3]int // of a keeper: members, roll-call, clients
	address string // of a broker
	inside  bool   // of a broker with a keeper inside
	http    string
	dir     string
	command *exec.Cmd
	exited  chan struct{}
	output  launch.Output
}

// newEnsemble prepares keepers without starting them.
func newEnsemble(t *testing.T, size int) *ensemble {
	e := &ensemble{t: t, size: size, heartbeat: 20, session: 9 * time.Second}
	for n := 1; n <= size; n++ {
		k := &process{name: fmt.Sprintf("keeper %d", n), number: n, host: "127.0.0.1", dir: filepath.Join(t.TempDir(), fmt.Sprint(n))}
		for i := range k.ports {
			k.ports[i] = freePort(t)
		}
		k.http = fmt.Sprintf("127.0.0.1:%d", freePort(t))
		e.keepers = append(e.keepers, k)
	}
	t.Cleanup(e.end)
	return e
}

// startEnsemble starts keepers and waits until all are ready.
func startEnsemble(t *testing.T, size int) *ensemble {
	e := newEnsemble(t, size)
	e.launchAll()
	e.allReady()
	return e
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := loopback.Port()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// servers is ZOO_SERVERS as a keeper is given it: it knows itself as 0.0.0.0.
func (e *ensemble) servers(self *process) string {
	var list []string
	for _, k := range e.keepers[:e.size] {
		host := e.hostOf(k)
		if k.number == self.number {
			host = "0.0.0.0"
			if len(e.names) > 0 {
				host = self.host // several on one machine can't listen at every address
			}
		}
		client := fmt.Sprint(k.ports[2])
		if k.number == self.number && len(e.names) > 0 {
			client = self.host + ":" + client
		}
		list = append(list, fmt.Sprintf("server.%d=%s:%d:%d;%s", k.number, host, k.ports[0], k.ports[1], client))
	}
	return strings.Join(list, " ")
}

func (e *ensemble) hostOf(k *process) string {
	if len(e.names) > 0 {
		return e.names[k.number-1]
	}
	return k.host
}

func (e *ensemble) launchAll() {
	for _, k := range e.keepers {
		e.launch(k)
	}
}

// launch starts a keeper.
func (e *ensemble) launch(k *process) {
	env := []string{
		"ZOO_MY_ID=" + fmt.Sprint(k.number), "ZOO_SERVERS=" + e.servers(k), "ZOO_DATA_DIR=" + k.dir,
		"ZOO_HTTP_LISTENER=" + k.http, "ZOO_HEARTBEAT_MS=" + fmt.Sprint(e.heartbeat),
	}
	if e.quota > 0 {
		env = append(env, "ZOO_QUOTA_BYTES="+fmt.Sprint(e.quota))
	}
	e.run(k, env, "keeper")
}

func (e *ensemble) run(p *process, env []string, args ...string) {
	p.command = exec.Command(program, args...)
	p.command.Env = append(os.Environ(), env...)
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	if err := p.command.Start(); err != nil {
		e.t.Fatal(err)
	}
	p.exited = make(chan struct{})
	go func(command *exec.Cmd, exited chan struct{}) {
		command.Wait()
		close(exited)
	}(p.command, p.exited)
}

// readiness is what /readyz says: "ok", or why not.
func (p *process) readiness() string { return p.page("/readyz") }

// page is what a process answers over HTTP.
func (p *process) page(path string) string {
	response, err := http.Get("http://" + p.http + path)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return strings.TrimSpace(string(text))
}

func (e *ensemble) ready(p *process) {
	e.t.Helper()
	e.await(p.name+" to be ready", func() bool {
		select {
		case <-p.exited:
			e.t.Fatalf("%s has ended\n%s", p.name, e.outputs())
		default:
		}
		return p.readiness() == "ok"
	})
}

func (e *ensemble) allReady() {
	e.t.Helper()
	for _, k := range e.keepers {
		e.ready(k)
	}
}

// await looks until something holds.
func (e *ensemble) await(what string, holds func() bool) {
	e.t.Helper()
	launch.Await(e.t, patience, what, e.outputs, holds)
}

// anySays tells whether one of the keepers has printed that: which of them leads may change at any time on a busy machine.
func (e *ensemble) anySays(what string) bool {
	return slices.ContainsFunc(e.keepers, func(k *process) bool { return k.output.Says(what) })
}

func (e *ensemble) outputs() string {
	var all bytes.Buffer
	for _, p := range append(append([]*process{}, e.keepers...), e.brokers...) {
		fmt.Fprintf(&all, "%s (%s):\n%s\n", p.name, p.readiness(), p.output.Tail())
	}
	return all.String()
}

// kill ends a process as a crash does; stop asks it to end, and waits until it has.
func (p *process) kill() {
	p.command.Process.Signal(syscall.SIGKILL)
	<-p.exited
}

func (e *ensemble) stop(p *process) {
	e.t.Helper()
	p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
		e.t.Fatalf("%s does not stop\n%s", p.name, e.outputs())
	}
	if code := p.command.ProcessState.ExitCode(); code != 0 {
		e.t.Errorf("%s stopped with %d\n%s", p.name, code, p.output.Tail())
	}
}

// wipe kills a process and empties its directory.
func (e *ensemble) wipe(p *process) {
	e.t.Helper()
	p.kill()
	if err := os.RemoveAll(p.dir); err != nil {
		e.t.Fatal(err)
	}
}

func (e *ensemble) end() {
	for _, p := range append(append([]*process{}, e.brokers...), e.keepers...) {
		if p.command != nil && p.command.Process != nil {
			p.command.Process.Kill()
			<-p.exited
		}
	}
}

// addresses are those of the keepers for clients.
func (e *ensemble) addresses() []string {
	var all []string
	for _, k := range e.keepers[:e.size] {
		all = append(all, fmt.Sprintf("%s:%d", e.hostOf(k), k.ports[2]))
	}
	return all
}

func (e *ensemble) store() metadata.Store {
	e.t.Helper()
	s, err := keeper.Dial(keeper.Remote{Servers: e.addresses(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { s.Close() })
	return s
}

// put writes a key, until that succeeds.
func (e *ensemble) put(s metadata.Store, key, value string) {
	e.t.Helper()
	e.await("a write", func() bool {
		ctx, cancel := context.WithTimeout(e.t.Context(), time.Second)
		defer cancel()
		_, err := s.Txn(ctx, metadata.Txn{Then: []metadata.Op{metadata.Put(key, []byte(value))}})
		return err == nil
	})
}

// get reads a key, until that succeeds; "" if there is none.
func (e *ensemble) get(s metadata.Store, key string) string {
	e.t.Helper()
	value := ""
	e.await("a read", func() bool {
		ctx, cancel := context.WithTimeout(e.t.Context(), time.Second)
		defer cancel()
		kv, _, err := s.Get(ctx, key)
		value = string(kv.Value)
		return err == nil
	})
	return value
}
