package step

import (
	"slices"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/storage"
)

// What a broker tells the cluster about itself, and hears back: as internal/broker has it in session.go, torn.go and
// answers.go, with events in the place of goroutines.

// registration is what the broker says of itself.
func (m *machine) registration() *metadata.Broker {
	b := &metadata.Broker{ID: m.id, Boot: m.boot}
	for _, v := range m.volumes {
		d := v.directory()
		if d.Err() != nil {
			b.Failed++
			continue
		}
		b.Stores = append(b.Stores, d.ID())
		if d.Torn() && !m.options.Bugs.ForgetsTorn {
			b.Torn, b.TornStores = true, append(b.TornStores, d.ID())
		}
	}
	return b
}

// register enters the broker, in the place of its life before. One registration is under way at a time, until its
// revision is known: of two the broker could take the one that has gone for its own, and hear of nothing any more.
func (m *machine) register() {
	if m.entering || m.cutOff {
		return
	}
	m.entering = true
	m.here(m.storeDelay(), "register", func() {
		key := metadata.BrokerKey(m.id)
		m.keepers.txn(metadata.Txn{Then: []metadata.Op{metadata.Delete(key)}})
		m.told = *m.registration()
		value := metadata.EncodeBroker(&m.told)
		result := m.keepers.txn(metadata.Txn{Then: []metadata.Op{metadata.Put(key, value), metadata.Put(metadata.MemberKey(m.id), value)}})
		m.here(m.storeDelay(), "registered", func() {
			m.entering = false
			m.registered, m.said = result.Revision, result.Revision
			m.look() // it may be over already
			m.release()
			m.answer()
		})
	})
}

// look sees whether the registration is still there; without it the broker enters anew.
func (m *machine) look() {
	if m.registered == 0 || m.view.image.Revision() < m.registered {
		return
	}
	if b := m.view.image.Broker(m.id); b == nil || b.Epoch != m.registered {
		m.registered = 0
		m.register()
	}
}

// release lets high watermarks move once the broker is registered and has heard of all that was written before.
func (m *machine) release() {
	if !m.released && m.registered != 0 && m.view.image.Revision() >= m.registered {
		m.released = true
		m.parts.Release()
		m.acknowledge()
	}
}

// unregisterAfter ends the registration of a process that is gone, or can't be heard.
func (m *machine) unregisterAfter(lease time.Duration) {
	kv, found := m.keepers.keys[metadata.BrokerKey(m.id)]
	if !found {
		return
	}
	m.after(lease, "lease", func() {
		if m.up && !m.cutOff && m.frozen <= m.now && m.registered == kv.Created {
			return // it was kept alive in time
		}
		m.keepers.txn(metadata.Txn{
			If:   []metadata.Compare{metadata.CreatedAt(kv.Key, kv.Created)},
			Then: []metadata.Op{metadata.Delete(kv.Key)},
		})
	})
}

// settle waits, where directories may have lost the ends of logs, until the controller has looked.
func (m *machine) settle() {
	torn := m.tornDirs()
	if len(torn) == 0 || m.registered == 0 || !m.tornIsKnown(torn) {
		return
	}
	for _, d := range torn {
		if err := d.Settle(); err != nil {
			return
		}
		if v := m.volumeIn(d); !v.counts(m.state) { // nor will it by anything that was asked before the crash
			v.torn = false
		}
	}
	m.parts.Retry()
	m.mirror()
	m.update()
}

// tornDirs are the directories that are there and torn.
func (m *machine) tornDirs() []*storage.Directory {
	return slices.DeleteFunc(slices.Clone(m.store.Dirs()), func(d *storage.Directory) bool { return !d.Torn() || d.Err() != nil })
}

// isTorn tells whether a log is in a torn directory.
func (m *machine) isTorn(log *storage.Log) bool { return log != nil && log.Directory().Torn() }

// mend brings the partition back when a directory has come back, and tells the cluster which are here.
func (m *machine) mend() {
	m.parts.Retry()
	m.parts.ClearDeleted(m.view.image)
	m.mirror()
	m.update()
}

// update tells the cluster what has changed of the broker: of a registration that is being made anew once that is known, and not at
// all where the next one says it.
func (m *machine) update() {
	m.here(m.storeDelay(), "registration without its tear", func() {
		switch {
		case m.entering || m.cutOff:
			m.update()
			return
		case m.registered == 0:
			return
		}
		key := metadata.BrokerKey(m.id)
		result := m.keepers.txn(metadata.Txn{
			If:   []metadata.Compare{metadata.CreatedAt(key, m.registered)},
			Then: []metadata.Op{metadata.Put(key, metadata.EncodeBroker(m.registration()))},
		})
		if result.OK {
			m.said, m.told = result.Revision, *m.registration()
		}
	})
}

// tornIsKnown tells whether the controller has acted on a registration that says that these directories are torn.
func (m *machine) tornIsKnown(torn []*storage.Directory) bool {
	image := m.view.image
	if slices.ContainsFunc(torn, func(d *storage.Directory) bool { return !m.told.HasStore(d.ID()) || !m.told.IsTorn(d.ID()) }) {
		return false // mend tells
	}
	if image.Revision() < m.said {
		return false
	}
	p := image.Partition(partitionName)
	if p == nil {
		return true
	}
	is := func(c metadata.Member) bool {
		return c.Broker == m.id && (c.Store.IsZero() || slices.ContainsFunc(torn, func(d *storage.Directory) bool { return d.ID() == c.Store }))
	}
	if slices.ContainsFunc(p.ELR, is) && p.Inquiry == metadata.NoInquiry {
		return false
	}
	if !p.AnyMember(func(c metadata.Member) bool { return is(c) && image.Holder(c) != nil }) {
		return true
	}
	if p.Inquiry == metadata.NoInquiry {
		return p.Looked >= m.said
	}
	return p.Modified >= m.said && m.answered(p) != nil
}

// answered is what the broker has said in answer to the question that is asked now, nil for nothing.
func (m *machine) answered(p *metadata.Partition) *metadata.Answer {
	for _, a := range m.view.image.Answers(topicID, 0) {
		if a.Broker == m.id && a.LeaderEpoch == p.LeaderEpoch {
			return a
		}
	}
	return nil
}

// answer tells the controller what the log holds, where that is asked.
func (m *machine) answer() {
	state := m.view.image.Partition(partitionName)
	me := m.view.image.Broker(m.id)
	if state == nil || state.Inquiry == metadata.NoInquiry || me == nil || me.Epoch != m.registered {
		return
	}
	said := m.answered(state)
	// A directory that has come back, or gone, is another answer; with one directory there is none.
	if said != nil && said.BrokerEpoch == m.registered && (said.Modified > me.Modified || len(m.volumes) == 1) || m.part() == nil {
		return
	}
	held, ok := m.part().Holding(topicID, state.LeaderEpoch)
	if !ok {
		return
	}
	if held.Offline {
		named, _ := state.InISR(m.id)
		if eligible, ok := state.InELR(m.id); ok {
			named = eligible
		}
		held.Store = named.Store
	}
	isTorn := slices.ContainsFunc(m.store.Dirs(), func(d *storage.Directory) bool { return d.Torn() && d.ID() == held.Store })
	a := &metadata.Answer{
		Torn:        isTorn && !m.options.Bugs.ForgetsTorn || said != nil && said.Torn && said.Store == held.Store,
		BrokerEpoch: me.Epoch, LeaderEpoch: held.LeaderEpoch, Offline: held.Offline, Store: held.Store,
		Start: held.LogStart, End: held.Offset, LastEpoch: held.LastEpoch, HighWatermark: held.HighWatermark,
	}
	m.here(m.storeDelay(), "answer", func() {
		if m.cutOff {
			m.here(20*time.Millisecond, "answer again", m.answer)
			return
		}
		m.keepers.txn(metadata.Txn{
			If:   []metadata.Compare{metadata.CreatedAt(metadata.BrokerKey(m.id), me.Epoch)},
			Then: []metadata.Op{metadata.Put(metadata.AnswerKey(topicID, 0, m.id), metadata.EncodeAnswer(a))},
		})
	})
}
