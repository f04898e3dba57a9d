package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"barnabas/internal/broker"
	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

// Machine has a disk, a boot, an address and a broker, which may be down. Its methods are the scheduler's: one
// at a time.
type Machine struct {
	ID      ident.BrokerID
	Host    string
	Address string
	Dirs    []string // log directories

	network  *Network
	port     *Port // of the broker that runs, or ran last
	memory   *memstore.Memory
	settings []string
	logger   *slog.Logger
	rng      *rand.Rand // the keepers' slowness; under rngMu
	rngMu    sync.Mutex

	disk    *vfs.Mem
	boot    ident.BootID
	boots   byte
	broker  *broker.Broker
	store   atomic.Pointer[memstore.Store]
	zombies sync.WaitGroup

	hook   atomic.Pointer[vfs.Hook]
	syncs  atomic.Int64 // the most that a sync takes for which acknowledgements wait
	slow   atomic.Int64 // the most that a call of the keepers takes
	unsure atomic.Bool  // one answer in four of the keepers is lost
	skew   atomic.Int64 // what the wall clock is ahead by

	connecting sync.Mutex // held while a new connection to the keepers takes its place, or one is cut
	cut        bool       // from the keepers

	// Bugs are planted ones, for tests of the checkers. Set before the first Start.
	Bugs Bugs
}

// Bugs are what a broker could do wrong, made by the world around it.
type Bugs struct {
	// Disk stands between the broker and its disk; nil: nothing does.
	Disk func(vfs.FS) vfs.FS
	// AcknowledgesEarly: what is not synced is in the process and not yet in the page cache, so kill -9 takes it.
	AcknowledgesEarly bool
	// TrustsEmpty: a store that was destroyed comes back under its old identity.
	TrustsEmpty bool
}

// Options are what a machine is made of.
type Options struct {
	ID       int // of the broker; the address is made of it
	Seed     uint64
	Network  *Network
	Memory   *memstore.Memory
	Settings []string // name=value
	Logger   *slog.Logger
	// Directories are how many log directories it has; 0: one.
	Directories int
}

func (o *Options) directories() []string {
	return []string{"/data", "/more"}[:max(1, o.Directories)]
}

// NewMachine makes one with an empty disk; its broker is down.
func NewMachine(o Options) *Machine {
	m := &Machine{
		ID: ident.BrokerID(o.ID), Host: fmt.Sprintf("10.0.0.%d", o.ID), Address: AddressOf(int32(o.ID)),
		network: o.Network, memory: o.Memory, logger: o.Logger, disk: vfs.NewMem(),
		rng: rand.New(rand.NewPCG(o.Seed, uint64(o.ID))),
	}
	m.settings = append([]string{
		"listeners=PLAINTEXT://" + m.Address, "node.id=" + strconv.Itoa(o.ID), "log.dirs=" + strings.Join(o.directories(), ","),
	}, o.Settings...)
	m.Dirs = o.directories()
	m.newBoot()
	return m
}

// AddressOf is where the broker with that id listens.
func AddressOf(id int32) string { return fmt.Sprintf("10.0.0.%d:9092", id) }

func (m *Machine) newBoot() {
	m.boots++
	m.boot = ident.BootID{1, byte(m.ID), m.boots}
}

// startWithin bounds a start; what takes longer has failed.
const startWithin = 2 * time.Minute

// Start brings the broker up on what the disk holds.
func (m *Machine) Start() error {
	if m.broker != nil {
		return errors.New("it runs already")
	}
	settings, _, err := config.Load(config.Sources{Overrides: m.settings})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	m.port = m.network.Plug(m.Host)
	b, err := broker.Start(ctx, broker.Options{
		Config: settings, Logger: m.logger, Version: "sim", FS: m.files(), Listen: m.port.Listen,
		Dial: m.port.Dial, Boot: m.boot, Guest: true, WallClock: m.wallClock,
		OpenMetadata: func(context.Context) (metadata.Store, error) {
			store := m.memory.Open(m.keepers())
			m.connecting.Lock()
			defer m.connecting.Unlock()
			m.store.Store(store)
			if m.cut {
				store.Cut()
			}
			return store, nil
		},
	})
	if err != nil {
		return err
	}
	m.broker = b
	return nil
}

// SetClock sets the machine's wall clock, for its broker of now and those to come, that much ahead of the truth. Periods are
// measured by another one, which nobody sets.
func (m *Machine) SetClock(ahead time.Duration) { m.skew.Store(int64(ahead)) }

func (m *Machine) wallClock() time.Time { return time.Now().Add(time.Duration(m.skew.Load())) }

// files is the disk as the broker of this run sees it.
func (m *Machine) files() vfs.FS {
	files := vfs.WithFaults(m.disk, func(op vfs.Op) error {
		if most := m.syncs.Load(); most > 0 && op.Kind == vfs.OpSync && forAcknowledgements() {
			time.Sleep(m.upTo(most))
		}
		if hook := m.hook.Load(); hook != nil {
			return (*hook)(op)
		}
		return nil
	})
	if m.Bugs.Disk != nil {
		return m.Bugs.Disk(files)
	}
	return files
}

// upTo is some time.
func (m *Machine) upTo(most int64) time.Duration {
	m.rngMu.Lock()
	defer m.rngMu.Unlock()
	return time.Duration(m.rng.Int64N(most))
}

// forAcknowledgements tells whether the caller syncs what acknowledgements wait for (fsync.on.ack). Nobody holds a mutex then. Others
// who sync do now and then, and virtual time never passes while somebody waits for a mutex.
func forAcknowledgements() bool {
	var callers [48]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers[:])])
	for {
		frame, more := frames.Next()
		if strings.Contains(frame.Function, "storage.(*syncGroups).work") || strings.Contains(frame.Function, "storage.(*Store).SyncRecords") {
			return true
		}
		if !more {
			return false
		}
	}
}

// keepers are as slow as SlowKeepers has said last.
func (m *Machine) keepers() memstore.Faults {
	slow := func() time.Duration {
		most := m.slow.Load()
		if most == 0 {
			return 0
		}
		return m.upTo(most)
	}
	return memstore.Faults{
		Before: func(call memstore.Call) error {
			if call != memstore.CallWatch {
				time.Sleep(slow())
			}
			return nil
		},
		After: func(memstore.Call) error {
			if !m.unsure.Load() {
				return nil
			}
			m.rngMu.Lock()
			defer m.rngMu.Unlock()
			if m.rng.IntN(4) == 0 {
				return metadata.ErrUnavailable
			}
			return nil
		},
		WatchDelay: func(metadata.Change) time.Duration { return slow() },
	}
}

// Running tells whether the broker is up.
func (m *Machine) Running() bool { return m.broker != nil }

// Broker is the one that runs, or nil.
func (m *Machine) Broker() *broker.Broker { return m.broker }

// SlowKeepers makes every call of the metadata store, and every change that comes from it, take up to most.
func (m *Machine) SlowKeepers(most time.Duration) { m.slow.Store(int64(most)) }

// SlowSyncs makes every sync that acknowledgements wait for take up to most.
func (m *Machine) SlowSyncs(most time.Duration) { m.syncs.Store(int64(most)) }

// LoseAnswers has some of the keepers' answers not arrive, though what was asked for is done.
func (m *Machine) LoseAnswers(some bool) { m.unsure.Store(some) }

// CutKeepers breaks the connection to the metadata store, for a while.
func (m *Machine) CutKeepers(cut bool) {
	m.connecting.Lock()
	defer m.connecting.Unlock()
	m.cut = cut
	store := m.store.Load()
	switch {
	case store == nil:
	case cut:
		store.Cut()
	default:
		store.Mend()
	}
}

// Freeze has the broker stand still as far as anyone can tell, and go on: what it has sent and what is sent to it
// waits, and what it asks of the keepers; its lease runs out. Its own clock goes on.
func (m *Machine) Freeze(frozen bool) {
	m.network.Isolate(m.Host, frozen)
	if store := m.store.Load(); store != nil {
		store.Freeze(frozen)
	}
}

// FailDisk has a hook decide on every operation of the disk; nil mends it.
func (m *Machine) FailDisk(hook vfs.Hook) {
	if hook == nil {
		m.hook.Store(nil)
		return
	}
	m.hook.Store(&hook)
}

// FullDisk leaves no room, or room again.
func (m *Machine) FullDisk(full bool) {
	if full {
		m.disk.SetCapacity(1)
	} else {
		m.disk.SetCapacity(1 << 40)
	}
}

// ResetConnections breaks all connections of the broker.
func (m *Machine) ResetConnections() { m.network.Reset(m.Host) }

// Stop ends the broker as SIGTERM does.
func (m *Machine) Stop() error {
	b := m.broker
	if b == nil {
		return nil
	}
	m.broker = nil
	defer m.store.Store(nil)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return b.Stop(ctx)
}

// Kill ends the broker as kill -9 does: what was written is in the page cache.
func (m *Machine) Kill() {
	m.CutOff(false)
	m.Keep()
}

// Crash is a crash of the machine, decided by the seed: what was not synced may be gone, or torn.
func (m *Machine) Crash(seed uint64) {
	m.CutOff(false)
	m.Tear(seed)
}

// Wipe kills the broker and empties the disk.
func (m *Machine) Wipe() {
	m.CutOff(false)
	m.Empty()
}

// CutOff is the first half of a death: it takes the broker off the network and away from the keepers, so that from
// here on nobody hears of it. Keep, Tear or Empty says what is left of its disk.
func (m *Machine) CutOff(silent bool) {
	if m.port != nil {
		m.port.Unplug(silent)
	}
	if store := m.store.Load(); store != nil {
		store.Close()
	}
}

// Keep leaves what was written.
func (m *Machine) Keep() {
	if m.Bugs.AcknowledgesEarly {
		m.disk = m.disk.Crash(m.rng.Uint64())
	} else {
		m.disk = m.disk.Restart()
	}
	m.bury()
}

// Tear leaves what was synced, and of the rest what the seed says.
func (m *Machine) Tear(seed uint64) {
	m.disk = m.disk.Crash(seed)
	m.newBoot()
	m.bury()
}

// Empty leaves an empty disk.
func (m *Machine) Empty() {
	old := m.disk
	m.disk = vfs.NewMem()
	if m.Bugs.TrustsEmpty {
		m.copyIdentity(old, m.Dirs[0])
	}
	m.newBoot()
	m.bury()
}

// EmptyDirectory leaves what was written, but in one log directory, which is empty.
func (m *Machine) EmptyDirectory(dir string) {
	old := m.disk
	m.disk = old.Restart()
	if err := m.disk.RemoveAll(dir); err != nil {
		panic(err)
	}
	if m.Bugs.TrustsEmpty {
		m.copyIdentity(old, dir)
	}
	m.bury()
}

// Disk is what the machine holds now, for those who look at it while its broker is down.
func (m *Machine) Disk() *vfs.Mem { return m.disk }

// Stores are the identities of the log directories on the disk, of those that have one, without that of one.
func (m *Machine) Stores(without string) (stores []ident.StoreID) {
	for _, dir := range m.Dirs {
		if found, _, err := storage.ReadMetaProperties(m.disk, dir); err == nil && dir != without {
			stores = append(stores, found.StoreID)
		}
	}
	return stores
}

// copyIdentity gives a log directory the identity that it had.
func (m *Machine) copyIdentity(from *vfs.Mem, dir string) {
	name := dir + "/meta.properties"
	data, err := vfs.ReadFile(from, name)
	if err == nil {
		err = errors.Join(m.disk.MkdirAll(dir, 0o755), vfs.WriteFileAtomic(m.disk, name, data))
	}
	if err != nil {
		panic(err)
	}
}

// bury ends the goroutines of a broker that is dead to the world. It has only the disk of before.
func (m *Machine) bury() {
	dead := m.broker
	m.broker = nil
	m.store.Store(nil)
	if dead == nil {
		return
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	m.zombies.Go(func() { dead.Stop(now) })
}

// Close stops the broker and waits for all goroutines that the machine has begun.
func (m *Machine) Close() error {
	m.FailDisk(nil)
	m.SlowKeepers(0)
	m.SlowSyncs(0)
	err := m.Stop()
	m.zombies.Wait()
	return err
}

// Failures of a disk.
var (
	ErrIO   error = syscall.EIO
	ErrFull error = syscall.ENOSPC
)
