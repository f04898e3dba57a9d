package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/sim/check"
	"barnabas/sim/traffic"
	"barnabas/sim/world"
)

// Options are what a run is made of.
type Options struct {
	Seed uint64
	// Logger is the broker's.
	Logger *slog.Logger
	// Say is told of faults as they happen; nil tells nobody.
	Say func(format string, args ...any)
	// Bugs and Anonymous are planted ones: of the broker's world and of the producers.
	Bugs      world.Bugs
	Anonymous bool
	// Careless runs of a cluster destroy the last copies, too.
	Careless bool
	// Only, if given, are the faults that may happen.
	Only []string
}

// Summary is what came of a run.
type Summary struct {
	History    *check.History
	Violations []error
	Faults     []string
	Took       time.Duration // virtual
}

// run is one run under way.
type run struct {
	Options
	*account
	rng     *rand.Rand
	memory  *memstore.Memory
	machine *world.Machine
	env     *traffic.Env
	offsets *traffic.Topic
	wiped   []check.Partition // held records when the store was destroyed
}

// settings keep a broker small and its chores frequent.
var settings = []string{
	"http.listener=", "offsets.topic.num.partitions=2", "group.initial.rebalance.delay.ms=500",
	"log.retention.check.interval.ms=5000", "log.cleaner.backoff.ms=3000", "log.initial.task.delay.ms=1000",
	"log.cleaner.dedupe.buffer.size=1048577", "log.segment.delete.delay.ms=3000", "zookeeper.session.timeout.ms=6000",
	"log.flush.offset.checkpoint.interval.ms=7000", "log.flush.scheduler.interval.ms=1000",
	"num.recovery.threads.per.data.dir=2", "log.cleaner.io.buffer.size=65536",
}

const group = "workers"

// Run is a whole run: it must be called within a bubble of testing/synctest.
func Run(o Options) Summary {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0x51))
	network := world.NewNetwork(o.Seed, time.Millisecond+time.Duration(rng.IntN(4))*time.Millisecond)
	r := &run{Options: o, rng: rng, memory: memstore.NewMortal(), account: newAccount(o.Say)}
	r.machine = world.NewMachine(world.Options{
		ID: 1, Seed: o.Seed, Network: network, Memory: r.memory, Settings: settings, Logger: o.Logger,
	})
	r.machine.Bugs = o.Bugs
	r.env = &traffic.Env{
		Dial: network.Plug(world.Clients).Dial, Addresses: []string{r.machine.Address}, History: check.New(), Topics: new(traffic.Topics), Seed: o.Seed,
		Anonymous: o.Anonymous, Outlasting: o.Seed%4 == 3,
	}
	r.live()
	if err := r.machine.Close(); err != nil {
		r.fault("the last stop: %v", err)
	}
	time.Sleep(lingering)
	return Summary{
		History: r.env.History, Violations: append(r.broken, check.All(r.env.History)...),
		Faults: r.faults, Took: time.Since(r.began),
	}
}

// lingering is how long a handler may go on for a client that has gone: request timeouts bound it.
const lingering = 5 * time.Minute

// prepareWithin bounds the making of the first topics.
const prepareWithin = time.Minute

// live is everything between the first start and the last stop.
func (r *run) live() {
	if err := r.machine.Start(); err != nil {
		r.violation("the first start: %w", err)
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
	time.Sleep(15 * time.Second) // what was broken comes back, and clients go on for a while
	stop()
	r.conclude()
}

// startTraffic runs the clients until stop is called, which waits for them.
func (r *run) startTraffic() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for n := range 5 {
		running.Go(func() { r.env.Produce(ctx, n) })
	}
	for n := range 2 {
		running.Go(func() { r.env.Read(ctx, n) })
	}
	for n := range 3 {
		running.Go(func() { r.env.Join(ctx, n, group, r.offsets) })
	}
	running.Go(func() { r.env.Administer(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// conclude reads all there is, before and after a clean restart, and holds one against the other.
func (r *run) conclude() {
	before := r.finals()
	for _, f := range before {
		r.env.History.Finally(f)
	}
	if err := r.machine.Stop(); err != nil {
		r.violation("the stop at the end: %w", err)
		return
	}
	if err := r.machine.Start(); err != nil {
		r.violation("the start at the end: %w", err)
		return
	}
	expiring := func(f check.Final) bool {
		p := r.env.History.Promises[f.Partition.Topic]
		return p.Expires || p.Compacted
	}
	r.broken = append(r.broken, check.Same(reject(before, expiring), reject(r.finals(), expiring))...)
	r.checkLosses()
}

func reject(all []check.Final, unwanted func(check.Final) bool) (kept []check.Final) {
	for _, f := range all {
		if !unwanted(f) {
			kept = append(kept, f)
		}
	}
	return kept
}

// finals reads every partition, and what the group has committed.
func (r *run) finals() (all []check.Final) {
	for _, t := range r.env.Topics.All() {
		for number := range t.Partitions {
			r.eventually(fmt.Sprintf("%s-%d can't be read", t.Name, number), func() error {
				f, err := r.env.Final(t, number)
				if err == nil {
					all = append(all, f)
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
	return all
}

// checkLosses looks for a row in the loss ledger for every partition whose only store was destroyed, unless it has been deleted:
// perhaps before anybody had looked.
func (r *run) checkLosses() {
	if len(r.wiped) == 0 {
		return
	}
	store := r.memory.Open(memstore.Faults{})
	defer store.Close()
	feed, err := metadata.StartFeed(context.Background(), store, r.Logger)
	if err != nil {
		r.violation("the metadata can't be read: %w", err)
		return
	}
	defer feed.Stop()
	told, rows := map[string]int{}, map[string][]string{}
	for loss := range feed.Current().Losses() {
		name := fmt.Sprintf("%s-%d", loss.Topic, loss.Partition)
		told[name]++
		rows[name] = append(rows[name], fmt.Sprintf("[%d, %d) epoch %d at %d: %s", loss.Start, loss.End, loss.LeaderEpoch, loss.AtMs, loss.Cause))
	}
	for _, p := range r.wiped {
		topic := feed.Current().Topic(p.Topic)
		if topic == nil {
			continue
		}
		if told[p.String()]--; told[p.String()] < 0 {
			r.violation("loss: %s was destroyed and the ledger does not say so (it says %q; the partition: %+v): %w", p, rows[p.String()],
				topic.Partition(p.Number), errSilent)
		}
	}
}

var errSilent = errors.New("a silent loss")
