package step

import (
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/group"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

// machine has a disk, a boot and a broker, of which the parts that decide are real.
type machine struct {
	*world
	id      ident.BrokerID
	disk    *vfs.Mem
	boot    ident.BootID
	volumes []*volume
	stores  byte          // counts the identities that the volumes have had
	named   atomic.Uint32 // counts what the store has named

	// life counts the broker's processes: what was on its way to or from another one never arrives.
	life   int
	up     bool
	store  *storage.Store
	parts  *replication.Manager
	groups *group.Groups // nil in runs without groups
	view   view
	// lanes are those to the leader that follows tells of.
	lanes   *replication.Lanes
	follows replication.Upstream
	// registered is the registration of this life, 0 while there is none that this life knows of.
	registered metadata.Revision
	entering   bool // a registration is under way
	// said is the revision at which the registration said last what it says.
	said     metadata.Revision
	released bool
	waiting  []*rec // appended here with acks=all, and not acknowledged yet
	marks    map[record.Epoch]record.Offset
	ambush   atomic.Pointer[ambush]
	syncing  bool // what was copied is on its way to the disk
	asking   bool // the mover waits for the answer to an exchange
	// heard is when this life of the coordinator, in this leader epoch, has told a member of each group last that it is one; removing are
	// the requests to delete that it has not answered yet.
	heard    map[*consumers]time.Duration
	removing []*deletion
	cleaned  int64        // how often the log was compacted in this life, as far as is known
	changed  *atomic.Bool // a directory of this life has failed, or come back
	told     metadata.Broker

	cutOff bool          // from the metadata store
	frozen time.Duration // until then nothing happens here
	skew   atomic.Int64  // what its wall clock is ahead by; storage reads it too
}

// newDisk gives the machine an empty disk with identities of its own, or with those of the one before.
func (m *machine) newDisk(anew bool) {
	m.disk = vfs.NewMem()
	for _, v := range m.volumes {
		v.format(anew)
	}
	m.newBoot()
}

func (m *machine) newBoot() {
	m.boots++
	m.boot = ident.BootID{1, byte(m.boots >> 8), byte(m.boots)}
}

// The periods of storage's goroutines are multiples of moment, so that they stay beside the events.
const (
	chores = 105 * time.Millisecond
	beside = 5 * time.Nanosecond
)

// start brings the broker up on what the disk holds.
func (m *machine) start() {
	if m.up {
		return
	}
	time.Sleep(beside)
	changed := &atomic.Bool{}
	m.spare()
	store, err := storage.OpenStore(storage.Options{
		FS:   vfs.WithFaults(m.disk, m.watched(m.life+1)),
		Dirs: m.paths(), BrokerID: m.id, BootID: m.boot, Config: m.logs, Logger: m.logger(),
		Settings: storage.Settings{
			ProbeInterval: chores, HighWatermarkCheckpointInterval: 3 * chores, RecoveryCheckpointInterval: 2 * chores,
			RetentionCheckInterval: math.MaxInt64 / 4, ProducerIDExpirationCheckInterval: math.MaxInt64 / 4, RecoveryThreads: 1,
		},
		Cleaner: m.cleaner(),
		Clock:   m.wallClock,
		SyncBy:  m.syncBy(m.life + 1),
		NewID:   m.newID,
		// It is called by goroutines of the store, too.
		DirectoryChanged: func(*storage.Directory, error) { changed.Store(true) },
	})
	time.Sleep(moment - beside)
	m.now += moment
	if err != nil {
		m.violation("broker %d can't open its store: %v", m.id, err)
		return
	}
	m.life++
	m.up, m.store, m.registered, m.said, m.released, m.entering = true, store, 0, 0, false, false
	m.waiting, m.marks, m.syncing, m.asking = nil, map[record.Epoch]record.Offset{}, false, false
	m.changed, m.cleaned, m.told = changed, 0, metadata.Broker{}
	m.coordinate()
	m.parts = replication.NewManager(replication.Options{
		Broker: m.id, Store: store, Settings: m.settings, Propose: m.propose, MaxLag: maxLag,
		Logger: m.logger(), Held: true, Clock: m.clock, Turned: m.turned, MoveChunk: moveChunk,
	})
	for _, v := range m.volumes {
		d := v.directory()
		m.fault("broker %d starts: store %v, torn %v%s", m.id, v.identity, d.Torn(), map[bool]string{true: ", offline"}[d.Err() != nil])
		if v.online = d.Err() == nil; v.online {
			v.readBack()
		}
	}
	old := metadata.NewImage()
	var delta *metadata.Delta
	m.view, delta = m.keepers.newView()
	if m.options.Bugs.KeepsLeading {
		m.view.garble = m.keepLeading
	}
	if m.options.Bugs.ForgetsTorn {
		for _, v := range m.volumes {
			_ = v.directory().Settle()
		}
	}
	m.parts.Apply(old, m.view.image, delta)
	m.register()
	m.lanes, m.follows = replication.NewLanes(maxPause), replication.Upstream{}
	m.every(m.between(3*time.Millisecond, 9*time.Millisecond), "fetch", func() { m.fetch(replication.LevelLane) })
	m.every(m.between(3*time.Millisecond, 9*time.Millisecond), "fetch", func() { m.fetch(replication.LaggingLane) })
	m.every(maxLag/2, "check in-sync sets", m.parts.CheckInSync)
	if len(m.tornDirs()) > 0 || len(m.volumes) > 1 {
		m.every(3*time.Millisecond, "settle", m.settle)
	}
	if len(m.volumes) > 1 {
		m.parts.TakeUpMoves()
		m.every(m.between(time.Millisecond, 9*time.Millisecond), "mover", m.moveOn)
	}
}

// logger is that of the parts; silent unless the trace is shown.
func (m *machine) logger() *slog.Logger {
	if m.options.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return m.options.Logger.With("on", m.id)
}

func (m *machine) settings(image *metadata.Image, _ string) replication.TopicSettings {
	view := m.settingsView.ForTopic(image.Config(topicResource))
	return replication.TopicSettings{Log: m.logs, MinISR: func(replicas int) int { return config.MinISR(view, replicas) }}
}

// clock is what the machine measures periods by: it is never set.
func (m *machine) clock() time.Time { return epoch.Add(m.now) }

// wallClock is set now and then.
func (m *machine) wallClock() time.Time { return time.Now().Add(time.Duration(m.skew.Load())) }

// epoch is when the simulation begins, by the clocks of a bubble of testing/synctest too.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// here does something on the machine in this life, after a time, or at once if that is 0, when it is not frozen.
func (m *machine) here(d time.Duration, what string, do func()) {
	life := m.life
	var try func()
	try = func() {
		switch {
		case !m.up || m.life != life:
		case m.frozen > m.now:
			m.after(m.frozen-m.now, what, try)
		default:
			do()
		}
	}
	if d == 0 {
		try()
		return
	}
	m.after(d, what, try)
}

// every does something again and again, as long as this life lasts.
func (m *machine) every(d time.Duration, what string, do func()) {
	var again func()
	again = func() {
		do()
		m.here(d, what, again)
	}
	m.here(d, what, again)
}

// part is the machine's replica, nil while it has none.
func (m *machine) part() *replication.Partition {
	p, err := m.parts.Get(topicName, 0)
	if err != nil {
		return nil
	}
	return p
}

// hear has news of the cluster arrive.
func (m *machine) hear(upTo metadata.Revision) {
	if m.cutOff {
		return // mended, it hears of all
	}
	m.view.target = max(m.view.target, upTo)
	m.here(m.between(100*time.Microsecond, m.newsTake), "news", func() { m.takeIn(upTo) })
}

// takeIn does what news ask for.
func (m *machine) takeIn(upTo metadata.Revision) {
	for {
		old, delta := m.keepers.next(&m.view, upTo)
		if delta == nil {
			break
		}
		m.parts.Apply(old, m.view.image, delta)
		m.mirror()
	}
	m.look()
	m.release()
	m.answer()
	m.acknowledge()
}

// keepLeading has a leader that is deposed take the new epoch for its own.
func (m *machine) keepLeading(events []metadata.Event) []metadata.Event {
	events = slices.Clone(events)
	for i, e := range events {
		if e.Key != metadata.PartitionKey(topicID, 0) || e.Deleted || m.part() == nil {
			continue
		}
		state, err := metadata.DecodePartition(e.Value)
		if _, leads := m.part().IsLeader(); err == nil && leads && state.Leader != m.id {
			state.Leader = m.id
			events[i].Value = metadata.EncodePartition(state)
		}
	}
	return events
}

// die ends the broker's process; what becomes of the disk is said by the caller. Its registration ends after a while.
func (m *machine) die(lease time.Duration) {
	if !m.up {
		return
	}
	m.up = false
	m.unregisterAfter(lease)
	_ = m.store.Close(false) // it has only the disk of before
	m.store, m.parts, m.groups = nil, nil, nil
}

// ambush is a death of the machine at an operation of its disk, that of an event or of storage's own goroutines.
type ambush struct {
	life int
	nth  atomic.Int64 // the operation, counted down
	seed uint64       // of what the crash leaves
	left *vfs.Mem     // it, once the machine is dead
	dead chan struct{}
}

// watched is the hook of one life's disk.
func (m *machine) watched(life int) vfs.Hook {
	disk, volumes := m.disk, m.volumes
	return func(op vfs.Op) error {
		for _, v := range volumes {
			if v.failing.Load() && (op.Path == v.path || strings.HasPrefix(op.Path, v.path+"/")) {
				return syscall.EIO
			}
		}
		a := m.ambush.Load()
		if a == nil || a.life != life {
			return nil
		}
		if !op.Kind.Changes() || a.nth.Add(-1) > 0 {
			select {
			case <-a.dead:
				return syscall.EIO
			default:
				return nil
			}
		}
		select {
		case <-a.dead:
		default:
			a.left = disk.Crash(a.seed)
			close(a.dead)
		}
		return syscall.EIO
	}
}

// dying tells whether the machine has died at an operation of its disk and is to be buried.
func (m *machine) dying() bool {
	a := m.ambush.Load()
	if a == nil {
		return false
	}
	select {
	case <-a.dead:
		return true
	default:
		return false
	}
}

// sprung buries a machine that has died at an operation of its disk.
func (m *machine) sprung() {
	if m.dying() {
		m.crashTo(m.ambush.Swap(nil).left)
	}
}
