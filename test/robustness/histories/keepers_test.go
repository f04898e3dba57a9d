package histories

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"barnabas/internal/keeper"
	"barnabas/test/launch"
	"barnabas/test/trials/nodes"
)

// program is the keeper under test: $BARNABAS, or what is built once from the tree.
var program string

func TestMain(m *testing.M) {
	os.Exit(launch.Main(m, func(dir string) (_ func(), err error) {
		program, err = launch.Given(dir)
		return nil, err
	}))
}

// askedWithin is how long a client waits for an answer; with a keeper that sleeps it waits in vain.
const askedWithin = time.Second

// ensemble is three keepers, and six clients at work: of each keeper one that knows no other, and three that know all.
type ensemble struct {
	t       *testing.T
	keepers []*nodes.Node
	history *history
	end     func()
}

func startEnsemble(t *testing.T, seed uint64) *ensemble {
	prefix, err := nodes.Net()
	if err != nil {
		launch.Cannot(t, "keepers want addresses of their own: %v", err)
	}
	cluster := nodes.Barnabas{Program: program, Layout: nodes.Six, Dir: t.TempDir(), Net: prefix}.Cluster()
	e := &ensemble{t: t, keepers: cluster.Nodes, history: newHistory()}
	t.Cleanup(func() { cluster.Close(true) })
	var all []string
	for _, n := range e.keepers {
		e.launch(n)
		all = append(all, n.Host+":2181")
	}
	e.allReady()
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range 6 {
		servers := all
		if i < 3 {
			servers = all[i : i+1]
		}
		store, err := keeper.Dial(keeper.Remote{Servers: servers, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(e.history, i, store, seed)
		c.within = askedWithin
		clients.Go(func() {
			defer store.Close()
			for ctx.Err() == nil {
				c.ask(ctx)
			}
		})
	}
	e.end = func() {
		cancel()
		clients.Wait()
	}
	t.Cleanup(e.end)
	return e
}

func (e *ensemble) launch(n *nodes.Node) {
	e.t.Helper()
	if err := n.Keeper.Start(); err != nil {
		e.t.Fatal(err)
	}
}

// allReady waits until each says that it is ready: level with the leader, and a member that counts.
func (e *ensemble) allReady() {
	e.t.Helper()
	for _, n := range e.keepers {
		e.await(n.Keeper.Name+" to be ready", func() bool {
			if !n.Keeper.Running() {
				e.t.Fatalf("%s has ended:\n%s", n.Keeper.Name, n.Keeper.Tail())
			}
			asker := http.Client{Timeout: 2 * time.Second}
			response, err := asker.Get("http://" + n.Host + ":8081/readyz")
			if err != nil {
				return false
			}
			defer response.Body.Close()
			_, _ = io.Copy(io.Discard, response.Body)
			return response.StatusCode == http.StatusOK
		})
	}
}

func (e *ensemble) await(what string, holds func() bool) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 2*patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			for _, n := range e.keepers {
				e.t.Logf("%s:\n%s", n.Keeper.Name, n.Keeper.Tail())
			}
			e.t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// goesOn waits for answers, enough of them that keys change.
func (e *ensemble) goesOn(when string) {
	e.t.Helper()
	before := e.history.answers()
	e.await("answers "+when, func() bool { return e.history.answers() > before+200 })
}

// trouble is one that befalls keepers while clients ask, and passes.
type trouble struct {
	name string
	has  func(e *ensemble, n *nodes.Node)
}

var troubles = []trouble{
	{"is killed", func(e *ensemble, n *nodes.Node) {
		n.Keeper.Kill()
		e.goesOn("with two of three")
		e.launch(n)
	}},
	{"sleeps, and the others go on", func(e *ensemble, n *nodes.Node) {
		e.signal(n, syscall.SIGSTOP)
		e.goesOn("while one sleeps")
		e.signal(n, syscall.SIGCONT)
	}},
	{"is wiped", func(e *ensemble, n *nodes.Node) {
		n.Keeper.Kill()
		if err := n.Keeper.Wipe(); err != nil {
			e.t.Fatal(err)
		}
		e.launch(n)
	}},
	{"is killed with all others", func(e *ensemble, _ *nodes.Node) {
		for _, n := range e.keepers {
			n.Keeper.Kill()
		}
		for _, n := range e.keepers {
			e.launch(n)
		}
	}},
	{"sleeps with another, and the third has no quorum", func(e *ensemble, n *nodes.Node) {
		other := e.keepers[n.ID%len(e.keepers)]
		e.signal(n, syscall.SIGSTOP)
		e.signal(other, syscall.SIGSTOP)
		lost := e.history.lost()
		e.await("questions without an answer", func() bool { return e.history.lost() > lost+3 })
		e.signal(n, syscall.SIGCONT)
		e.signal(other, syscall.SIGCONT)
	}},
}

func (e *ensemble) signal(n *nodes.Node, s syscall.Signal) {
	e.t.Helper()
	if err := n.Keeper.Signal(s); err != nil {
		e.t.Fatal(err)
	}
}

// Keepers are a register for each key whatever befalls them, as long as what is wiped is one at a time.
func TestKeepers(t *testing.T) {
	t.Parallel()
	seed := launch.Seed(t, os.Getenv("LONG") != "")
	random := rand.New(rand.NewPCG(seed, 0))
	e := startEnsemble(t, seed)
	e.goesOn("at the beginning")
	each := func(what trouble) {
		n := e.keepers[random.IntN(len(e.keepers))]
		t.Logf("%s: %s %s", time.Duration(e.history.now()).Round(time.Millisecond), n.Keeper.Name, what.name)
		what.has(e, n)
		e.allReady()
		e.goesOn("after " + fmt.Sprint(n.Keeper.Name, " ", what.name))
	}
	for _, what := range troubles {
		each(what)
	}
	if long := os.Getenv("LONG"); long != "" {
		for end := time.Now().Add(lasting(t, long)); time.Now().Before(end) && !t.Failed(); {
			each(troubles[random.IntN(len(troubles))])
		}
	}
	e.end()
	if !e.history.holds(t) {
		t.Error("the keepers are not linearizable")
	}
}

// lasting is a duration as $LONG has it.
func lasting(t *testing.T, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("LONG=%s: a duration is wanted, such as 5m", text)
	}
	return d
}
