package replication

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// TopicSettings are the settings of a topic that matter here.
type TopicSettings struct {
	Log storage.LogConfig
	// MinISR is min.insync.replicas of a partition with that many replicas.
	MinISR func(replicas int) int
	// Throttled, if given, says of which partitions the copying is throttled on this broker.
	Throttled func(partition int32) Throttled
}

// Options are what a Manager is made of.
type Options struct {
	Broker ident.BrokerID
	Store  *storage.Store
	// Settings are a topic's, as the image and the broker's configuration have them.
	Settings func(image *metadata.Image, topic string) TopicSettings
	// Propose carries a leader's proposal to the metadata store. It must return at once.
	Propose func(Proposal)
	// Turned, if given, is told that this broker has begun or ceased to lead a partition. It is called by
	// Apply's caller, in order, with no lock held.
	Turned func(Turn)
	// MaxLag is replica.lag.time.max.ms.
	MaxLag time.Duration
	Logger *slog.Logger
	// Held has the high watermarks of what this broker leads stay where they are until Release.
	Held bool
	// Clock is time.Now unless given.
	Clock func() time.Time
	// MoveChunk is how many bytes of a replica are copied to another log directory at a time; 0: 1 MiB.
	MoveChunk int
}

// Turn says that a partition's leadership has come to this broker, or has gone.
type Turn struct {
	Partition *Partition
	Epoch     record.Epoch
	Leads     bool
}

// Manager holds all partitions of this broker and makes of them what the cluster image says.
//
// Apply is called by the feed of images, in order. Anyone may call the rest.
type Manager struct {
	options Options
	local   *local
	logger  *slog.Logger
	// throttles are shared by all partitions, and have locks of their own.
	throttles Throttles

	applying sync.Mutex    // held by Apply, Retry and MoveReplica, over the making of logs
	mover    chan struct{} // one place: a replica is to be moved, or may go on with it

	mu     sync.RWMutex // guards what follows; never held over I/O
	topics map[string]*topicReplicas
	count  int
	image  *metadata.Image // the last one applied
}

// topicReplicas are the replicas of one topic here, by partition number; nil where there is none.
type topicReplicas struct {
	id         ident.TopicID
	partitions []*Partition
}

// NewManager returns a manager without partitions; the first Apply fills it.
func NewManager(options Options) *Manager {
	if options.Clock == nil {
		options.Clock = time.Now
	}
	if options.Turned == nil {
		options.Turned = func(Turn) {}
	}
	m := &Manager{
		options: options,
		local: &local{
			broker: options.Broker, store: options.Store, maxLag: options.MaxLag,
			clock: options.Clock, propose: options.Propose,
		},
		logger: options.Logger,
		mover:  make(chan struct{}, 1),
		topics: map[string]*topicReplicas{},
	}
	m.local.held.Store(options.Held)
	m.local.successor, m.local.eligible = m.isSuccessor, m.mayBeInSync
	return m
}

// mayBeInSync tells whether a replica's store is registered by somebody who stays.
func (m *Manager) mayBeInSync(replica metadata.Member, wanted bool) (bool, metadata.Revision) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.image == nil {
		return false, 0
	}
	return registered(m.image)(replica, wanted)
}

// isSuccessor tells whether a replica is on a store of somebody who waits to take its broker's place.
func (m *Manager) isSuccessor(of metadata.Member) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.image == nil {
		return false
	}
	s := m.image.Successor(of.Broker)
	return s != nil && s.HasStore(of.Store)
}

// Get finds a partition. ErrUnknownPartition when this broker holds no replica of it; it may exist elsewhere.
func (m *Manager) Get(topic string, partition int32) (*Partition, error) {
	m.mu.RLock()
	t := m.topics[topic]
	var p *Partition
	if t != nil && partition >= 0 && int(partition) < len(t.partitions) {
		p = t.partitions[partition]
	}
	m.mu.RUnlock()
	if p == nil {
		return nil, ErrUnknownPartition
	}
	return p, nil
}

// All lists the partitions held here, in no order.
func (m *Manager) All() []*Partition {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make([]*Partition, 0, m.count)
	for _, t := range m.topics {
		for _, p := range t.partitions {
			if p != nil {
				all = append(all, p)
			}
		}
	}
	return all
}

// Len is the number of partitions held here.
func (m *Manager) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.count
}

// ofTopic are the replicas of one topic here.
func (m *Manager) ofTopic(topic string) []*Partition {
	m.mu.RLock()
	defer m.mu.RUnlock()
	t := m.topics[topic]
	if t == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(t.partitions), func(p *Partition) bool { return p == nil })
}

func (m *Manager) topicNames() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Collect(maps.Keys(m.topics))
}

// applyPartition makes one replica, or moves it to its new state.
func (m *Manager) applyPartition(
	image *metadata.Image, change metadata.PartitionChange, settings TopicSettings, isNew bool,
) {
	p, _ := m.Get(change.Topic, change.Number)
	if p != nil && p.view.Load().topic != change.TopicID {
		m.dropDeleted(image, p, "the topic was deleted, and made again under the same name")
		p = nil
	}
	if !change.New.HasReplica(m.options.Broker) {
		if p != nil {
			m.drop(p, "the replica was moved to other brokers")
		} else {
			m.clearAway(change)
		}
		return
	}
	fresh := p == nil
	if fresh {
		p = newPartition(change.TopicPartition(), m.local)
	}
	log, nameless := p.Log(), false
	m.dropSecond(change, log)
	if log == nil {
		m.resolve(change)
		log, nameless = m.logFor(image, change, settings, isNew)
	}
	t, err := p.assume(assignment{
		topic: change.TopicID, state: change.New, settings: settings, eligible: registered(image), nameless: nameless,
	}, log)
	if err != nil {
		m.logger.Error("partition can't take its role", "partition", p.name.String(), "error", err)
	}
	if fresh {
		m.put(change.TopicID, p)
	}
	m.tell(p, t)
	m.moveOn(p)
}

func (m *Manager) put(id ident.TopicID, p *Partition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.topics[p.name.Topic]
	if t == nil {
		t = &topicReplicas{id: id}
		m.topics[p.name.Topic] = t
	}
	for int(p.name.Partition) >= len(t.partitions) {
		t.partitions = append(t.partitions, nil)
	}
	t.partitions[p.name.Partition] = p
	m.count++
}

// drop ends a replica and deletes its log.
func (m *Manager) drop(p *Partition, why string) {
	id := p.view.Load().topic
	m.release(p)
	if log := m.options.Store.Log(p.name); log != nil && log.TopicID() != id && !log.TopicID().IsZero() {
		return // another topic's, which has kept this one from its place
	}
	m.complain(p.name, m.options.Store.DropFuture(p.name))
	if err := m.options.Store.Delete(p.name); err != nil && !errors.Is(err, storage.ErrUnknownLog) {
		m.logger.Error("log can't be removed", "partition", p.name.String(), "error", err)
		return
	}
	m.logger.Info("replica removed", "partition", p.name.String(), "why", why)
}

// release ends a replica.
func (m *Manager) release(p *Partition) {
	m.mu.Lock()
	if t := m.topics[p.name.Topic]; t != nil {
		t.partitions[p.name.Partition] = nil
		m.count--
		if !slices.ContainsFunc(t.partitions, func(p *Partition) bool { return p != nil }) {
			delete(m.topics, p.name.Topic)
		}
	}
	m.mu.Unlock()
	m.tell(p, p.resign())
}

func (m *Manager) tell(p *Partition, t turn) {
	if t.changed() {
		m.options.Turned(Turn{Partition: p, Epoch: t.epoch, Leads: t.leads})
	}
}

// Strays lists the logs on disk that the image knows nothing of. They are left alone: an image may be
// older than a log, and a directory is easier deleted than brought back.
func (m *Manager) Strays(image *metadata.Image) []string {
	var strays []string
	for _, log := range m.options.Store.Logs() {
		topic := image.TopicByID(log.TopicID())
		if topic == nil || topic.Partition(log.TopicPartition().Partition) == nil {
			strays = append(strays, fmt.Sprintf("%s in %s", log.TopicPartition(), log.Directory().Path()))
		}
	}
	slices.Sort(strays)
	return strays
}

// Retry makes the logs, and has replicas take the roles, for which no directory was online, or only a torn one. The
// broker calls it when one has come back, and when one is settled.
func (m *Manager) Retry() {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.mu.RLock()
	image := m.image
	m.mu.RUnlock()
	for _, p := range m.All() {
		v := p.view.Load()
		var state *metadata.Partition
		if image != nil {
			state = image.Partition(p.name)
		}
		if state != nil {
			change := metadata.PartitionChange{TopicID: v.topic, Topic: p.name.Topic, Number: p.name.Partition, New: state}
			if v.log == nil || v.unfit || v.doubtful {
				m.applyPartitions(image, []metadata.PartitionChange{change}, false)
			} else {
				m.dropSecond(change, v.log)
			}
		}
		m.adopt(p) // both directories of a move may have come back
	}
	m.nudgeMover()
}
