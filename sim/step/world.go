package step

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// Options say what to run.
type Options struct {
	Seed uint64
	Bugs Bugs
	// Synced has the topic set fsync.on.ack, and machines lose their power together.
	Synced bool
	// Groups has the partition be that of a coordinator, and consumers in groups write it.
	Groups bool
	// Compacted, with Groups, has the coordinators' log compacted, offsets expire, and groups and offsets deleted.
	Compacted bool
	// Minimum has an operator who lowers and raises min.insync.replicas.
	Minimum bool
	// Preferred has an operator who keeps asking that the first replica leads.
	Preferred bool
	// Directories has machines have several log directories, between which replicas are moved, and which fail and are destroyed alone.
	Directories bool
	// Say, if given, is told every event; Logger what the parts say.
	Say    func(format string, args ...any)
	Logger *slog.Logger
}

// Bugs are planted: each has to be found.
type Bugs struct {
	// TrustsEmpty: a destroyed disk comes back under its old identity.
	TrustsEmpty bool
	// AcknowledgesEarly: the high watermark is one short of what is acknowledged.
	AcknowledgesEarly bool
	// ForgetsTorn: a broker whose machine crashed goes on in the old leader epoch, and gives out offsets again.
	ForgetsTorn bool
	// KeepsLeading: a deposed leader takes the epoch of the new one for its own.
	KeepsLeading bool
	// SkipsTruncation: a follower does not say which epoch it has reached, and keeps what its leader has not.
	SkipsTruncation bool
	// AcknowledgesUnsynced: with fsync.on.ack, a record counts as acknowledged once all in sync have it, on their disks or not.
	AcknowledgesUnsynced bool
	// AnswersEarly: a coordinator answers before what it has written is committed.
	AnswersEarly bool
	// LoadsShown: a new coordinator reads its log up to the high watermark that it knows.
	LoadsShown bool
	// KeepsGroups: a coordinator that was deposed goes on with what it had in memory when it is elected again.
	KeepsGroups bool
	// NamesEarly: the in-sync set is asked to name the directory that a replica is moved to when the move begins.
	NamesEarly bool
}

// Summary is what a run has shown.
type Summary struct {
	// Trace is the hash of everything that happened.
	Trace      uint64
	Violations []error
	Faults     []string
	// Counts are faults by kind.
	Counts map[string]int
	// Steps are events, Acked records acknowledged, Reads records shown to consumers.
	Steps, Acked, Reads int
	// Committed are offsets acknowledged, Lookups offsets told, Syncs assignments told.
	Committed, Lookups, Syncs int
	// Removed is how often an offset was told to be no more that there had been.
	Removed int
}

const (
	topicName = "topic"
	// maxLag is replica.lag.time.max.ms, lease what a registration outlives its process by.
	maxLag = 60 * time.Millisecond
	lease  = 80 * time.Millisecond
	// plagued is how long things go wrong, healing how long they may take to be well again: a follower that fetches seldom
	// copies two records in ten milliseconds, and has to catch up with all.
	plagued = 1000 * time.Millisecond
	healing = 10 * time.Second
)

var (
	topicID       = ident.TopicID{7}
	partitionName = ident.TopicPartition{Topic: topicName}
	topicResource = metadata.Resource{Type: metadata.TopicResource, Name: topicName}
)

// world is one run.
type world struct {
	*scheduler
	options  Options
	keepers  *keepers
	machines []*machine
	rulers   []*ruler
	apart    map[[2]*machine]bool
	boots    int
	ids      int64
	acked    int
	reads    int

	groups    []*consumers
	bystander *member       // of no group; nil unless offsets expire, and are deleted
	retention time.Duration // of offsets, where they expire
	removed   int           // how often it was told that an offset is no more
	commits   []*commit     // by number
	committed int
	lookups   int
	syncs     int

	// What the seed decides for the whole run.
	minISR       int
	pace         time.Duration // of the producers
	mercy        time.Duration // the longest time between two faults
	newsTake     time.Duration
	directories  int           // of each machine
	moves        time.Duration // the longest time between two moves of replicas between them
	syncTakes    time.Duration // the longest that a sync takes for which acknowledgements wait
	fates        []string
	logs         storage.LogConfig
	settingsView *config.View

	records  map[place]*rec
	keyed    map[string][]*rec // those of a compacted log, by the keys in them
	unsure   map[int64]bool    // records that may be in a log although they were refused
	promised []*rec
	fresh    []*rec // promised in the event that is under way
	shown    map[record.Offset]*rec
	writers  map[record.Epoch]ident.BrokerID
	leaders  map[record.Epoch]ident.BrokerID
	faults   []string
	counts   map[string]int
	wrong    []error
	state    *metadata.Partition
}

// fates are all faults; each seed leaves some of them out.
var fates = []string{
	"kill", "crash", "crash in the midst", "crash of all", "wipe", "link", "keepers", "freeze", "controller", "clock",
}

// Run runs a seed, within a bubble of testing/synctest.
func Run(o Options) Summary {
	w := newWorld(o)
	w.begin()
	w.run(plagued)
	w.heal()
	w.settle()
	if w.restartStatic() {
		w.settle()
	}
	w.conclude()
	for _, m := range w.machines {
		m.die(lease)
	}
	return Summary{
		Trace: w.trace.Sum64(), Violations: w.wrong, Faults: w.faults, Counts: w.counts,
		Steps: w.steps, Acked: w.acked, Reads: w.reads,
		Committed: w.committed, Lookups: w.lookups, Syncs: w.syncs, Removed: w.removed,
	}
}

// settle waits until all is well again, and groups have stayed at rest for a while: for some time members may not know what has
// become of theirs.
func (w *world) settle() {
	quiet := 0
	for end := w.now + healing; w.now < end; w.run(w.now + 20*time.Millisecond) {
		if quiet++; !w.well() || !w.atRest() {
			quiet = 0
		}
		if quiet > 8 || quiet > 0 && !w.options.Groups {
			return
		}
	}
}

func newWorld(o Options) *world {
	w := &world{
		scheduler: newScheduler(o.Seed, o.Say), options: o, apart: map[[2]*machine]bool{},
		records: map[place]*rec{}, keyed: map[string][]*rec{}, unsure: map[int64]bool{}, shown: map[record.Offset]*rec{},
		writers: map[record.Epoch]ident.BrokerID{}, leaders: map[record.Epoch]ident.BrokerID{}, counts: map[string]int{},
	}
	w.keepers = newKeepers(w.changed)
	w.done = func() {
		for _, m := range w.machines {
			m.sprung()
			m.observe()
		}
		if len(w.fresh) > 0 {
			w.checkSets(w.state, w.fresh...)
			w.fresh = w.fresh[:0]
		}
	}
	w.minISR = 1 + w.rng.IntN(2)
	w.pace = w.between(2*time.Millisecond, 12*time.Millisecond)
	w.mercy = w.between(20*time.Millisecond, 200*time.Millisecond)
	w.newsTake = w.between(time.Millisecond, 30*time.Millisecond)
	for _, f := range fates {
		if !w.oneIn(3) {
			w.fates = append(w.fates, f)
		}
	}
	if o.Synced {
		w.fates = append(w.fates, powerCuts...)
		w.syncTakes = w.between(500*time.Microsecond, 40*time.Millisecond)
	}
	if w.directories = 1; o.Directories {
		w.directories = 2 + w.rng.IntN(mostVolumes-1)
		w.fates = append(w.fates, directoryFates...)
		w.moves = w.between(10*time.Millisecond, 200*time.Millisecond)
	}
	if len(w.fates) == 0 {
		w.fates = fates
	}
	w.logs = storage.DefaultLogConfig()
	w.logs.SyncOnAck = o.Synced
	w.logs.RetentionMs = -1 // records bear timestamps that tell them apart
	w.logs.SegmentBytes, w.logs.IndexIntervalBytes = int32(w.between(700, 6000)), 200
	if o.Compacted {
		w.forget()
	}
	w.settingsView = config.Defaults().WithDynamic(minimum(w.minISR), nil)
	return w
}

// begin has three brokers, all in sync, and clients.
func (w *world) begin() {
	var members []metadata.Member
	var replicas []ident.BrokerID
	for id := ident.BrokerID(1); id <= 3; id++ {
		m := &machine{world: w, id: id}
		for n, path := range []string{"/data", "/more", "/most"}[:w.directories] {
			m.volumes = append(m.volumes, &volume{machine: m, number: n, path: path, newest: map[string]place{}, came: map[*rec]bool{}})
		}
		m.newDisk(true)
		w.machines = append(w.machines, m)
		members = append(members, metadata.Member{Broker: id, Store: m.volumes[0].identity})
		replicas = append(replicas, id)
	}
	for _, m := range w.machines {
		m.after(0, "start", m.start)
	}
	w.run(20 * time.Millisecond)
	w.keepers.txn(metadata.Txn{Then: []metadata.Op{
		metadata.Put(metadata.TopicKey(topicID), metadata.EncodeTopic(topicName, 1)),
		metadata.Put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&metadata.Partition{
			Replicas: replicas, ISR: members, Leader: 1, Ceiling: metadata.CeilingStep,
		})),
	}})
	w.elect()
	if w.gather(); !w.options.Groups {
		w.after(0, "produce", w.produce)
	}
	w.after(0, "consume", w.consume)
	w.after(20*time.Millisecond, "fault", w.plague)
	if w.options.Preferred {
		w.after(w.mercy, "operator", w.operate)
	}
	if w.options.Minimum {
		w.after(w.mercy, "minimum", w.setMinimum)
	}
	if w.options.Directories {
		w.after(w.moves, "move", w.move)
	}
}

func minimum(replicas int) map[string]string {
	return map[string]string{"min.insync.replicas": strconv.Itoa(replicas)}
}

// setMinimum has min.insync.replicas of the topic be another one, until the end. Who leads and who rules hear of it in their own time.
func (w *world) setMinimum() {
	if w.calm() {
		return
	}
	w.after(w.between(10*time.Millisecond, w.mercy), "minimum", w.setMinimum)
	w.minISR = 3 - w.minISR
	w.fault("min.insync.replicas is %d", w.minISR)
	w.keepers.txn(metadata.Txn{Then: []metadata.Op{metadata.Put(metadata.ConfigKey(topicResource), metadata.EncodeConfig(minimum(w.minISR)))}})
}

// operate asks for the preferred leader, until the end.
func (w *world) operate() {
	w.after(w.between(5*time.Millisecond, w.mercy), "operator", w.operate)
	w.rulers[len(w.rulers)-1].prefer()
}

// changed is told of each revision of the metadata.
func (w *world) changed(at metadata.Revision) {
	for _, e := range w.keepers.changes[at-1] {
		if e.Key != metadata.PartitionKey(topicID, 0) || e.Deleted {
			continue
		}
		now, err := metadata.DecodePartition(e.Value)
		if err != nil {
			panic(err)
		}
		w.note("partition", now.Leader, now.LeaderEpoch, now.ISR, now.ELR, now.Inquiry)
		w.named(now)
		w.mended(now)
		w.partitionChanged(w.state, now)
		w.state = now
	}
	for _, m := range w.machines {
		if m.up {
			m.hear(at)
		}
	}
	for _, r := range w.rulers {
		r.hear(at)
	}
}

// mended takes a torn copy for whole once it is in no set, for it comes back only with all there is; and once it leads
// an epoch that the controller has begun since it has heard of the tear: what it holds is what there is.
func (w *world) mended(now *metadata.Partition) {
	for _, m := range w.machines {
		leads := now.Leader == m.id && m.up && m.registered != 0 && now.Looked >= m.registered
		for _, v := range m.volumes {
			if !v.counts(now) || leads {
				v.torn = false
			}
		}
	}
}

func (w *world) machineOf(id ident.BrokerID) *machine { return w.machines[id-1] }

// leader is the machine that leads as far as the metadata store knows, or nil.
func (w *world) leader() *machine {
	if w.state == nil || w.state.Leader < 0 {
		return nil
	}
	return w.machineOf(w.state.Leader)
}

func (w *world) storeDelay() time.Duration {
	if w.oneIn(30) {
		return w.between(0, 80*time.Millisecond)
	}
	return w.between(200*time.Microsecond, 3*time.Millisecond)
}

// calm tells whether nothing goes wrong any more.
func (w *world) calm() bool { return w.now >= plagued }

// heal ends all troubles.
func (w *world) heal() {
	w.note("healed")
	clear(w.apart)
	for _, m := range w.machines {
		m.ambush.Store(nil)
		m.frozen = 0
		for _, v := range m.volumes {
			v.failing.Store(false)
		}
		if !m.up {
			m.after(0, "start", m.start)
		} else if m.cutOff {
			m.cutOff = false
			m.hear(w.keepers.revision)
			m.register()
		}
		m.cutOff = false
	}
}

// well tells whether all replicas are in sync, and as far as their leader.
func (w *world) well() bool {
	leader := w.leader()
	if leader == nil || !leader.up || len(w.state.ISR) < len(w.machines) {
		return false
	}
	for _, m := range w.machines {
		if !m.up || m.part() == nil || len(m.store.Futures()) > 0 || m.part().State().LogEnd != leader.part().State().LogEnd {
			return false
		}
	}
	return true
}

// condition tells how the machines are.
func (w *world) condition() (all string) {
	for _, m := range w.machines {
		if !m.up || m.part() == nil {
			all += fmt.Sprintf(" broker %d is not up, or has no replica;", m.id)
			continue
		}
		state := m.part().State()
		all += fmt.Sprintf(" broker %d: [%d, %d) in %s", m.id, state.LogStart, state.LogEnd, m.main().path)
		if future := m.store.Future(partitionName); future != nil {
			all += fmt.Sprintf(", future [%d, %d) in %s", future.StartOffset(), future.EndOffset(), future.Directory().Path())
		}
		for _, v := range m.volumes {
			if err := v.directory().Err(); err != nil {
				all += ", " + err.Error()
			}
		}
		all += ";"
	}
	return all
}

// conclude holds what is there at the end against what was promised.
func (w *world) conclude() {
	if !w.well() {
		w.violation("never well again: leader %d, epoch %d, in sync %v, eligible %v, inquiry %v; %s",
			w.state.Leader, w.state.LeaderEpoch, w.state.ISR, w.state.ELR, w.state.Inquiry, w.condition())
		return
	}
	leader := w.leader()
	for _, m := range w.machines {
		for _, v := range m.volumes {
			v.readBack()
		}
	}
	crashes := w.counts["crash"] + w.counts["crash in the midst"] + w.counts["crash of all"] + w.counts["power cut"]
	held := map[*rec]bool{}
	for _, r := range leader.main().holds {
		held[r] = true
	}
	for _, r := range w.promised {
		switch {
		case held[r]:
		case !r.excused:
			w.violation("lost: %v", r)
		case (crashes == 0 || r.entered) && !w.outdone(r) && !w.ledgerHas(r.offset):
			w.violation("lost: %v, and the ledger does not say so", r)
		}
	}
	w.concludeGroups()
	if w.options.Compacted {
		w.concludeCompacted(leader)
		return
	}
	want := map[record.Offset]record.Batch{}
	for _, b := range w.batchesOf(leader.part().Log()) {
		want[b.BaseOffset()] = b
	}
	for _, m := range w.machines {
		state := m.part().State()
		for _, b := range w.batchesOf(m.part().Log()) {
			if other := want[b.BaseOffset()]; b.LastOffset() < state.HighWatermark && string(b) != string(other) {
				w.violation("unlike: broker %d, in sync, holds %s, its leader %d %s", m.id, describe(b), leader.id, describe(other))
				break
			}
		}
		if state.LogEnd != leader.part().State().LogEnd {
			w.violation("unlike: broker %d ends at %d, its leader %d at %d", m.id, state.LogEnd, leader.id, leader.part().State().LogEnd)
		}
	}
}

// ledgerHas tells whether an offset was entered as lost.
func (w *world) ledgerHas(o record.Offset) bool {
	v, _ := w.keepers.newView()
	for loss := range v.image.Losses() {
		if loss.Start <= o && o < loss.End {
			return true
		}
	}
	return false
}

func describe(b record.Batch) string {
	if len(b) == 0 {
		return "nothing"
	}
	return fmt.Sprintf("[%d, %d) of epoch %d, record %d", b.BaseOffset(), b.NextOffset(), b.LeaderEpoch(), b.BaseTimestamp()-firstID)
}
