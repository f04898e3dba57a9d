package registry

import (
	"maps"
	"slices"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/zookeeper/jute"
)

// Picture is one cluster, as of the last revision that it was told of. It is not safe for use by several goroutines.
type Picture struct {
	zxidOf func(metadata.Revision) int64
	image  *metadata.Image

	// born is when the cluster's own key was made; everything that is always there is of then.
	born metadata.Revision
	// elected is when the controller's key was made. It outlasts the controller, as /controller_epoch does.
	elected metadata.Revision
	// ids, topics, brokerConfigs and moving are when the lists last gained or lost an entry, or may have: what went before
	// the picture was begun has left no trace.
	ids, topics, brokerConfigs metadata.Revision
	// created are when topics were made, configured when settings were last written or taken away.
	created    map[ident.TopicID]metadata.Revision
	configured map[metadata.Resource]metadata.Revision
	// moved are the partitions whose replicas are being reassigned, moving when that set last changed, and movingFrom when
	// it last ceased to be empty.
	moved              map[ident.TopicPartition]struct{}
	moving, movingFrom metadata.Revision
}

// New is the picture of no cluster. zxidOf tells the zxid of a revision.
func New(zxidOf func(metadata.Revision) int64) *Picture {
	return &Picture{
		zxidOf: zxidOf, image: metadata.NewImage(),
		created: make(map[ident.TopicID]metadata.Revision), configured: make(map[metadata.Resource]metadata.Revision),
		moved: make(map[ident.TopicPartition]struct{}),
	}
}

// Event is something that happened to a node.
type Event struct {
	Type jute.EventType
	Path string
}

// Image is the cluster's metadata.
func (p *Picture) Image() *metadata.Image { return p.image }

// Exists tells whether there is a cluster to be seen.
func (p *Picture) Exists() bool { return !p.image.ClusterID().IsZero() }

// Load begins with what the store holds at a revision.
func (p *Picture) Load(at metadata.Revision, kvs []metadata.KV) error {
	events := make([]metadata.Event, len(kvs))
	for i, kv := range kvs {
		events[i] = metadata.Event{KV: kv}
	}
	if _, err := p.Apply(at, events); err != nil {
		return err
	}
	// When something went last nobody knows: a client that comes back to its watches is better told once too often.
	p.ids, p.topics, p.brokerConfigs = at, at, at
	if len(p.moved) > 0 {
		p.moving, p.movingFrom = at, at
	}
	return nil
}

// Apply takes the events of one revision, with keys relative to the cluster's root, and tells what that does to nodes, in
// an order in which it could have happened.
func (p *Picture) Apply(at metadata.Revision, events []metadata.Event) ([]Event, error) {
	image, delta, err := p.image.Apply(at, events)
	if err != nil {
		return nil, err
	}
	before := p.image
	p.image = image
	p.stamp(events)
	return p.changes(before, delta), nil
}

// stamp notes when what came and went that the Image doesn't say.
func (p *Picture) stamp(events []metadata.Event) {
	for i := range events {
		e := &events[i]
		switch e.Key {
		case metadata.ClusterKey():
			p.born = max(e.Created, e.Modified)
			if !e.Deleted {
				p.born = e.Created
			}
			continue
		case metadata.ControllerKey():
			if !e.Deleted {
				p.elected = e.Created
			}
			continue
		}
		if id, ok := metadata.TopicOfKey(e.Key); ok && !e.Deleted {
			p.created[id] = e.Created
		} else if r, ok := metadata.ResourceOfKey(e.Key); ok {
			p.configured[r] = e.Modified
			if r.Type == metadata.BrokerResource {
				p.brokerConfigs = max(p.brokerConfigs, e.Modified)
			}
		}
	}
}

// tidy forgets what is known of a topic that is gone.
func (p *Picture) tidy(t *metadata.Topic) {
	delete(p.created, t.ID)
	if p.image.Topic(t.Name) == nil {
		delete(p.configured, metadata.Resource{Type: metadata.TopicResource, Name: t.Name})
	}
}

// follow keeps the set of partitions that are being reassigned, and tells what became of the node that shows it.
func (p *Picture) follow(d *metadata.Delta) (events []Event) {
	before, changed := len(p.moved), false
	for i := range d.Partitions {
		c := &d.Partitions[i]
		name := c.TopicPartition()
		_, was := p.moved[name]
		switch is := c.New != nil && c.New.Reassigning(); {
		case is:
			p.moved[name] = struct{}{}
			changed = changed || !was || c.Old == nil || !slices.Equal(target(c.Old), target(c.New))
		case was && (c.New != nil || p.image.Partition(name) == nil):
			delete(p.moved, name)
			changed = true
		}
	}
	if !changed {
		return nil
	}
	p.moving = d.To
	switch {
	case before == 0:
		p.movingFrom = d.To
		return []Event{{jute.EventCreated, reassignPath}}
	case len(p.moved) == 0:
		return []Event{{jute.EventDeleted, reassignPath}}
	}
	return []Event{{jute.EventDataChanged, reassignPath}}
}

// target are the replicas that a reassignment leads to.
func target(p *metadata.Partition) []ident.BrokerID {
	var replicas []ident.BrokerID
	for _, id := range p.Replicas {
		if !slices.Contains(p.Removing, id) {
			replicas = append(replicas, id)
		}
	}
	return replicas
}

// movedInOrder are the partitions under reassignment by topic and number.
func (p *Picture) movedInOrder() []ident.TopicPartition {
	return slices.SortedFunc(maps.Keys(p.moved), func(a, b ident.TopicPartition) int {
		if a.Topic != b.Topic {
			if a.Topic < b.Topic {
				return -1
			}
			return 1
		}
		return int(a.Partition) - int(b.Partition)
	})
}
