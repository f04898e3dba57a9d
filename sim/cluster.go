package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata/memstore"
	"barnabas/sim/check"
	"barnabas/sim/traffic"
	"barnabas/sim/world"
)

// clusterRun is a run of several brokers that share a metadata store.
//
// Three seeds in four respect what the promise rests on: of the copies that count for a partition one always stays
// whole. The fourth destroys what it likes; then what is lost has to be in the ledger.
type clusterRun struct {
	Options
	*account
	rng      *rand.Rand
	careless bool
	// directories are how many log directories each broker has. Where there are several, replicas are moved between them.
	directories int
	outages     int // how often all machines lose their power at once
	memory      *memstore.Memory
	network     *world.Network
	nodes       []*node
	truth       *truth
	env         *traffic.Env
	offsets     *traffic.Topic
	busy        chan struct{} // a place for each fault that may be under way
	only        chan struct{} // held by who takes all places
	losses      []check.Partition

	dying sync.Mutex // held while it is decided what a death leaves
}

// node is a machine with its fate.
type node struct {
	*world.Machine
	rng *rand.Rand
	// turn has one place, for who decides about the machine, where there may be two. (No mutex: virtual time stands still for who waits
	// for one.)
	turn chan struct{}
}

// clusterSettings keep a broker of a cluster small, its chores frequent and its patience short.
var clusterSettings = append(slices.Clone(settings),
	"replica.lag.time.max.ms=3000", "replica.fetch.backoff.ms=500", "replica.socket.timeout.ms=3000",
	"leader.imbalance.check.interval.seconds=10", "offsets.topic.replication.factor=3", "default.replication.factor=3", "offsets.topic.num.partitions=1",
)

// RunCluster is a whole run of a cluster: it must be called within a bubble of testing/synctest.
func RunCluster(o Options) Summary {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0xc1))
	r := &clusterRun{
		Options: o, rng: rng, memory: memstore.NewMortal(), account: newAccount(o.Say), careless: o.Seed%4 == 3 || o.Careless,
		network: world.NewNetwork(o.Seed, time.Millisecond+time.Duration(rng.IntN(4))*time.Millisecond),
	}
	brokers := []int{3, 3, 3, 3, 4, 5}[rng.IntN(6)]
	r.busy, r.only = make(chan struct{}, 1+rng.IntN(3)), make(chan struct{}, 1)
	r.env = &traffic.Env{
		Dial: r.network.Plug(world.Clients).Dial, At: world.AddressOf, History: check.New(), Topics: new(traffic.Topics),
		Seed: o.Seed, Anonymous: o.Anonymous, Replicas: r.replicas, Counts: r.counts, Leads: r.leads,
	}
	r.env.History.Cluster, r.env.Reassigning = true, r.byHand()
	if r.Seed%5 == 4 {
		r.directories = 2
		r.env.Directories = []string{"/data", "/more"}
	}
	if r.Seed%4 == 2 || r.Seed%8 == 7 {
		r.outages, r.env.Outlasting = 2, true
	}
	for id := 1; id <= brokers; id++ {
		m := world.NewMachine(world.Options{
			ID: id, Seed: o.Seed, Network: r.network, Memory: r.memory, Settings: clusterSettings,
			Logger: o.Logger.With("on", id), Directories: r.directories,
		})
		m.Bugs = o.Bugs
		r.nodes = append(r.nodes, &node{Machine: m, rng: rand.New(rand.NewPCG(o.Seed, 0xfa7e<<8|uint64(id))), turn: make(chan struct{}, 1)})
		r.env.Addresses = append(r.env.Addresses, m.Address)
	}
	truth, err := newTruth(r)
	if err != nil {
		panic(err)
	}
	r.truth = truth
	r.live()
	for _, n := range r.nodes {
		if err := n.Close(); err != nil {
			r.fault("the last stop of %d: %v", n.ID, err)
		}
	}
	truth.close()
	time.Sleep(lingering)
	return Summary{
		History: r.env.History, Violations: append(append(r.broken, truth.wrong...), check.All(r.env.History)...),
		Faults: r.faults, Took: time.Since(r.began),
	}
}

// replicas are how often a new topic is kept. Only careless and homely runs have topics with one copy.
func (r *clusterRun) replicas(rng *rand.Rand) (factor int16, minISR int) {
	choices := [][2]int{{3, 2}, {3, 2}, {3, 2}, {3, 1}, {2, 1}, {2, 2}}
	switch {
	case r.homely():
		choices = append(choices, [2]int{1, 1}, [2]int{1, 1}, [2]int{1, 1}, [2]int{1, 1}, [2]int{1, 1}, [2]int{1, 1})
	case r.careless:
		choices = append(choices, [2]int{1, 1})
	}
	c := choices[rng.IntN(len(choices))]
	return int16(c[0]), c[1]
}

// counts tells whether a broker is the coordinator indeed.
func (r *clusterRun) counts(coordinator string) bool {
	for _, n := range r.nodes {
		if n.Address == coordinator {
			return r.truth.leads(check.GroupTopic, 0, n.ID)
		}
	}
	return false
}

// leads tells whether a broker leads a partition indeed.
func (r *clusterRun) leads(t *traffic.Topic, number int32, broker string) bool {
	for _, n := range r.nodes {
		if n.Address == broker {
			return r.truth.leads(t.Name, number, n.ID)
		}
	}
	return false
}

// live is everything between the first start and the last stop.
func (r *clusterRun) live() {
	if !r.startAll() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), prepareWithin)
	offsets, ok := r.env.Prepare(ctx)
	cancel()
	if !ok {
		r.violation("no topics after %v: %w", prepareWithin, errors.ErrUnsupported)
		return
	}
	r.offsets = offsets
	stop := r.startTraffic()
	r.plague()
	r.heal()
	r.recover()
	r.comeHome()
	r.fault("%d homecomings, %d called off", r.truth.homes.begun, r.truth.homes.calledOff)
	time.Sleep(3 * time.Second) // clients go on for a while
	stop()
	r.conclude()
}

func (r *clusterRun) startAll() bool {
	var starting sync.WaitGroup
	for _, n := range r.nodes {
		starting.Go(func() {
			if err := n.Start(); err != nil {
				r.violation("the first start of broker %d: %w", n.ID, err)
			}
		})
	}
	starting.Wait()
	return len(r.broken) == 0
}

func (r *clusterRun) startTraffic() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, kind := range []int{0, 1, 2, 3, 6} { // three are idempotent
		running.Go(func() { r.env.Produce(ctx, kind) })
	}
	running.Go(func() { r.env.Read(ctx, 0) })
	for n := range 2 {
		running.Go(func() { r.env.Join(ctx, n, group, r.offsets) })
	}
	running.Go(func() { r.env.Administer(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// heal ends all faults and has all brokers run.
func (r *clusterRun) heal() {
	r.network.Heal()
	var starting sync.WaitGroup
	for _, n := range r.nodes {
		n.mend()
		starting.Go(func() { r.up(n) })
	}
	starting.Wait()
	r.fault("healed")
}

// recoversWithin is how long a healed cluster may take until every partition has its leader and its replicas in sync.
const recoversWithin = time.Minute

// recover waits for that.
func (r *clusterRun) recover() {
	var bad []string
	for end := time.Now().Add(recoversWithin); time.Now().Before(end); {
		if bad = r.truth.unsettled(); len(bad) == 0 {
			r.fault("all in sync")
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	r.violation("not served %v after all is well again: %s", recoversWithin, strings.Join(bad, "; "))
}

// conclude reads all there is, ends the brokers and compares their disks.
func (r *clusterRun) conclude() {
	for _, t := range r.env.Topics.All() {
		for number := range t.Partitions {
			r.eventually(fmt.Sprintf("%s-%d can't be written", t.Name, number), func() error { return r.env.Probe(t, number) })
			r.eventually(fmt.Sprintf("%s-%d can't be read", t.Name, number), func() error {
				f, err := r.env.Final(t, number)
				if err == nil {
					r.env.History.Finally(f)
				}
				return err
			})
		}
	}
	r.eventually("committed offsets can't be read", func() error {
		if !r.env.FinalOffsets(group, r.offsets) {
			return errors.New("no answer")
		}
		return nil
	})
	time.Sleep(time.Second)
	image := r.truth.now()
	machines := map[ident.BrokerID]*world.Machine{}
	for _, n := range r.nodes { // at once: a stop that is asked for would move data
		machines[n.ID] = n.Machine
		n.CutOff(false)
	}
	for _, n := range r.nodes {
		n.Keep()
	}
	r.broken = append(r.broken, sameReplicas(image, machines, r.env.History)...)
	r.broken = append(r.broken, strays(image, machines)...)
	r.checkLosses()
}

// checkLosses looks for a row in the ledger for each partition whose every copy was destroyed, unless it has been deleted.
func (r *clusterRun) checkLosses() {
	told, image := map[check.Partition]bool{}, r.truth.now()
	for loss := range image.Losses() {
		if topic := image.TopicByID(loss.TopicID); topic != nil {
			told[partitionOf(topic, loss.Partition)] = true
		}
	}
	r.env.History.Ledger = told
	for _, p := range r.losses {
		if topic := image.Topic(p.Topic); topic != nil && partitionOf(topic, p.Number) == p && !told[p] {
			r.violation("loss: every copy of %s was destroyed and the ledger does not say so: %w", p, errSilent)
		}
	}
}
