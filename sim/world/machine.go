package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"barnabas/internal/broker"
	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/vfs"
)

// Machine has a disk, a boot, an address and a broker, which may be down. Its methods are the scheduler's: one
// at a time.
type Machine struct {
	Address string

	network  *Network
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

	hook atomic.Pointer[vfs.Hook]
	slow atomic.Int64 // the most that a call of the keepers takes

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
}

// NewMachine makes one with an empty disk; its broker is down.
func NewMachine(o Options) *Machine {
	m := &Machine{
		Address: fmt.Sprintf("10.0.0.%d:9092", o.ID),
		network: o.Network, memory: o.Memory, logger: o.Logger, disk: vfs.NewMem(),
		rng: rand.New(rand.NewPCG(o.Seed, uint64(o.ID))),
	}
	m.settings = append([]string{
		"listeners=PLAINTEXT://" + m.Address, "node.id=" + strconv.Itoa(o.ID), "log.dirs=/data",
	}, o.Settings...)
	m.newBoot()
	return m
}

func (m *Machine) newBoot() {
	m.boots++
	m.boot = ident.BootID{1, m.boots}
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
	b, err := broker.Start(ctx, broker.Options{
		Config: settings, Logger: m.logger, Version: "sim", FS: m.files(), Listen: m.network.Listen,
		Dial: func(_ context.Context, address string) (net.Conn, error) { return m.network.Dial(address) },
		Boot: m.boot, Guest: true,
		OpenMetadata: func(context.Context) (metadata.Store, error) {
			store := m.memory.Open(m.keepers())
			m.store.Store(store)
			return store, nil
		},
	})
	if err != nil {
		return err
	}
	m.broker = b
	return nil
}

// files is the disk as the broker of this run sees it.
func (m *Machine) files() vfs.FS {
	files := vfs.WithFaults(m.disk, func(op vfs.Op) error {
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

// keepers are as slow as SlowKeepers has said last.
func (m *Machine) keepers() memstore.Faults {
	slow := func() time.Duration {
		most := m.slow.Load()
		if most == 0 {
			return 0
		}
		m.rngMu.Lock()
		defer m.rngMu.Unlock()
		return time.Duration(m.rng.Int64N(most))
	}
	return memstore.Faults{
		Before: func(call memstore.Call) error {
			if call != memstore.CallWatch {
				time.Sleep(slow())
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

// CutKeepers breaks the connection to the metadata store, for a while.
func (m *Machine) CutKeepers(cut bool) {
	store := m.store.Load()
	switch {
	case store == nil:
	case cut:
		store.Cut()
	default:
		store.Mend()
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
func (m *Machine) ResetConnections() { m.network.Reset(m.Address) }

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
	m.cutOff()
	if m.Bugs.AcknowledgesEarly {
		m.disk = m.disk.Crash(m.rng.Uint64())
	} else {
		m.disk = m.disk.Restart()
	}
	m.bury()
}

// Crash is a crash of the machine, decided by the seed: what was not synced may be gone, or torn.
func (m *Machine) Crash(seed uint64) {
	m.cutOff()
	m.disk = m.disk.Crash(seed)
	m.newBoot()
	m.bury()
}

// Wipe kills the broker and empties the disk.
func (m *Machine) Wipe() {
	m.cutOff()
	old := m.disk
	m.disk = vfs.NewMem()
	if m.Bugs.TrustsEmpty {
		m.copyIdentity(old)
	}
	m.newBoot()
	m.bury()
}

// copyIdentity gives the disk the identity that another had.
func (m *Machine) copyIdentity(from *vfs.Mem) {
	const name = "/data/meta.properties"
	data, err := vfs.ReadFile(from, name)
	if err == nil {
		err = errors.Join(m.disk.MkdirAll("/data", 0o755), vfs.WriteFileAtomic(m.disk, name, data))
	}
	if err != nil {
		panic(err)
	}
}

// cutOff takes the broker off the network and away from the keepers: from here on nobody hears of it.
func (m *Machine) cutOff() {
	m.network.Down(m.Address)
	if store := m.store.Load(); store != nil {
		store.Close()
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
	err := m.Stop()
	m.zombies.Wait()
	return err
}

// Failures of a disk.
var (
	ErrIO   error = syscall.EIO
	ErrFull error = syscall.ENOSPC
)
