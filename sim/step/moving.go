package step

import (
	"context"
	"slices"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/replication"
)

// Machines with several log directories: replicas that are moved between them, as internal/broker/exchange.go has the in-sync set told
// of it, directories that fail and come back, and such that are destroyed alone.

// directoryFates are the faults of such runs, beside those of all.
var directoryFates = []string{"directory fails", "directory fails", "directory destroyed"}

const (
	// moveChunk is how many bytes of a replica are copied to another directory at a time: a part of what there is.
	moveChunk = 600
	// maxNotice is the longest that a broker takes to look at a directory that has failed or come back.
	maxNotice = 2 * time.Millisecond
	// askedFor is how long the mover waits for the answer to an exchange.
	askedFor = 50 * time.Millisecond
)

// newID names what the store makes. The store's goroutines call it too.
func (m *machine) newID() ident.StoreID {
	n := m.named.Add(1)
	return ident.StoreID{2, byte(m.id), byte(n >> 8), byte(n), 0x80, 0x40}
}

// spare has one directory work when the broker starts: without any it would not.
func (m *machine) spare() {
	if !slices.ContainsFunc(m.volumes, func(v *volume) bool { return !v.failing.Load() }) {
		m.volumes[0].failing.Store(false)
	}
}

// fail has every operation in a directory fail, for a while that may outlast the broker.
func (v *volume) fail() {
	v.fault("directory %s of broker %d fails", v.path, v.machine.id)
	v.failing.Store(true)
	v.after(v.between(5*time.Millisecond, 400*time.Millisecond), "directory mended", func() {
		if v.failing.CompareAndSwap(true, false) {
			v.fault("directory %s of broker %d is mended", v.path, v.machine.id)
		}
	})
}

// destroy kills the broker, which comes back with one of its directories empty.
func (v *volume) destroy() {
	v.fault("directory %s of broker %d is destroyed", v.path, v.machine.id)
	m := v.machine
	m.kill()
	v.failing.Store(false)
	m.destroyed(v.bit())
	if err := m.disk.RemoveAll(v.path); err != nil {
		panic(err)
	}
	v.format(!m.options.Bugs.TrustsEmpty)
}

// move has somebody move a replica to another directory, or back, until the end.
func (w *world) move() {
	if w.calm() {
		return
	}
	w.after(w.between(5*time.Millisecond, w.moves), "move", w.move)
	m := w.machines[w.rng.IntN(len(w.machines))]
	v := m.volumes[w.rng.IntN(len(m.volumes))]
	if !m.up || m.frozen > w.now {
		return
	}
	err := m.parts.MoveReplica(partitionName, v.path)
	w.note("moves", m.id, v.path, err)
	if err != nil {
		return
	}
	w.counts["move"]++
	if w.options.Bugs.NamesEarly {
		m.nameEarly(v)
	}
}

// nameEarly is a planted bug.
func (m *machine) nameEarly(v *volume) {
	state := m.view.image.Partition(partitionName)
	if state == nil {
		return
	}
	if from, ok := state.InISR(m.id); ok && from.Store != v.identity {
		m.exchange(replication.Exchange{From: from, To: v.identity, Modified: state.Modified})
	}
}

// moveOn takes the move of the replica one step on, unless the answer to an exchange is waited for.
func (m *machine) moveOn() {
	if m.asking {
		return
	}
	_, busy := m.parts.MoveSome(context.Background(), func(_ context.Context, e replication.Exchange) { m.exchange(e) })
	if busy {
		m.note("moved on", m.id)
	}
}

// exchange asks that the in-sync set names another directory of the machine.
func (m *machine) exchange(e replication.Exchange) {
	image := m.view.image
	state, me := image.Partition(partitionName), image.Broker(m.id)
	if state == nil || state.Modified != e.Modified || state.Inquiry != metadata.NoInquiry ||
		me == nil || me.Epoch != m.registered || !me.HasStore(e.To) || me.IsTorn(e.To) {
		return
	}
	i := slices.Index(state.ISR, e.From)
	if i < 0 || m.cutOff {
		return
	}
	m.asking = true
	next := *state
	next.Epoch++
	next.ISR = slices.Clone(state.ISR)
	next.ISR[i].Store = e.To
	txn := metadata.Txn{
		If: []metadata.Compare{
			metadata.ModifiedAt(metadata.PartitionKey(topicID, 0), state.Modified), metadata.CreatedAt(metadata.BrokerKey(m.id), me.Epoch),
		},
		Then: []metadata.Op{metadata.Put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&next))},
	}
	life, lost := m.life, m.oneIn(12)
	m.after(m.storeDelay(), "exchange arrives", func() { // also of one that has died meanwhile
		result := m.keepers.txn(txn)
		m.note("exchange", m.id, e.To, result.OK)
		if result.OK {
			m.counts["exchange"]++
		}
		if m.up && m.life == life && !lost {
			m.here(m.storeDelay(), "exchange's outcome", func() { m.asking = false })
		}
	})
	if lost {
		m.here(askedFor, "exchange without an outcome", func() { m.asking = false })
	}
}
