package metadata

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"barnabas/internal/ident"
)

// Apply folds events up to a revision into the next Image and tells what changed. The receiver stays
// as it is. Its cost is that of the events, whatever the size of the Image. Keys of kinds that this
// release does not know are ignored; a value that can't be read is an error that names its key, and
// ErrNewerFormat is one of those.
func (img *Image) Apply(revision Revision, events []Event) (*Image, *Delta, error) {
	b := builder{old: img, next: *img}
	b.next.revision = revision
	for i := range events {
		if err := b.event(&events[i]); err != nil {
			return nil, nil, fmt.Errorf("metadata: key %q at revision %d: %w", events[i].Key, events[i].Modified, err)
		}
	}
	next := b.next
	return &next, b.finish(&next), nil
}

// builder makes one Image out of another. What is shared with the old one is cloned when first touched.
type builder struct {
	old  *Image
	next Image
	// topics are the working copies of those touched, nil when deleted.
	topics map[ident.TopicID]*working
	// configs are the resources touched.
	configs        map[Resource]bool
	losses         []*Loss
	answered       []PartitionRef
	ownsFeatures   bool
	ownsLosses     bool
	ownsAnswers    bool
	ownsDeletions  bool
	touchedBrokers []ident.BrokerID
	// touchedSuccessors are those whose entries came, changed or went; doubts says that one did.
	touchedSuccessors []ident.BrokerID
	doubts            bool
}

// working is a topic under change.
type working struct {
	topic   Topic
	touched map[int32]bool
}

func (b *builder) event(e *Event) error {
	switch {
	case strings.HasPrefix(e.Key, partitionPrefix):
		return b.partition(e)
	case strings.HasPrefix(e.Key, topicPrefix):
		return b.topic(e)
	case strings.HasPrefix(e.Key, brokerPrefix):
		return b.broker(e)
	case strings.HasPrefix(e.Key, memberPrefix):
		return b.member(e)
	case strings.HasPrefix(e.Key, configPrefix):
		return b.config(e)
	case strings.HasPrefix(e.Key, featurePrefix):
		return b.feature(e)
	case strings.HasPrefix(e.Key, lossPrefix):
		return b.loss(e)
	case strings.HasPrefix(e.Key, deletionPrefix):
		return b.deletion(e)
	case strings.HasPrefix(e.Key, answerPrefix):
		return b.answer(e)
	case strings.HasPrefix(e.Key, successorPrefix):
		return b.successor(e)
	case strings.HasPrefix(e.Key, doubtPrefix):
		return b.doubt(e)
	}
	switch e.Key {
	case formatKey:
		return checkFormat(e.Value, e.Deleted)
	case clusterKey:
		return b.cluster(e)
	case controllerKey:
		return b.controller(e)
	case producersKey:
		return b.producers(e)
	}
	return nil
}

func (b *builder) partition(e *Event) error {
	head, number, ok := splitTail(e.Key)
	if !ok {
		return errKey
	}
	id, err := ident.ParseTopicID(strings.TrimPrefix(head, partitionPrefix))
	if err != nil {
		return err
	}
	var p *Partition
	if !e.Deleted {
		if p, err = DecodePartition(e.Value); err != nil {
			return err
		}
		p.Modified = e.Modified
	}
	w := b.work(id)
	w.topic.parts = w.topic.parts.set(int(number), p)
	w.touched[number] = true
	return nil
}

func (b *builder) topic(e *Event) error {
	id, err := ident.ParseTopicID(strings.TrimPrefix(e.Key, topicPrefix))
	if err != nil {
		return err
	}
	w := b.work(id)
	w.topic.Modified = e.Modified
	if e.Deleted {
		w.topic.Name, w.topic.count = "", 0
		return nil
	}
	rec, err := decodeTopic(e.Value)
	if err != nil {
		return err
	}
	w.topic.Name, w.topic.count = rec.Name, rec.Partitions
	return nil
}

// work is the working copy of a topic, made at the first touch.
func (b *builder) work(id ident.TopicID) *working {
	if w := b.topics[id]; w != nil {
		return w
	}
	if b.topics == nil {
		b.topics = make(map[ident.TopicID]*working)
	}
	w := &working{topic: Topic{ID: id}, touched: make(map[int32]bool)}
	if old := b.old.topics.withID(id); old != nil {
		w.topic = *old
	}
	b.topics[id] = w
	return w
}

func (b *builder) broker(e *Event) error {
	brokers, id, err := b.next.brokers.with(e)
	if err == nil {
		b.next.brokers = brokers
		b.touchedBrokers = append(b.touchedBrokers, id)
	}
	return err
}

func (b *builder) member(e *Event) error {
	members, _, err := b.next.members.with(e)
	if err == nil {
		b.next.members = members
	}
	return err
}

func (b *builder) config(e *Event) error {
	kind, name, ok := strings.Cut(strings.TrimPrefix(e.Key, configPrefix), "/")
	if !ok {
		return errKey
	}
	r := Resource{ResourceType(kind), name}
	var values map[string]string
	if !e.Deleted {
		var err error
		if values, err = decodeConfig(e.Value); err != nil {
			return err
		}
	}
	if b.configs == nil {
		b.configs = make(map[Resource]bool)
		b.next.configs = b.next.configs.clone()
	}
	b.configs[r] = true
	b.next.configs.set(r, values)
	return nil
}

func (b *builder) feature(e *Event) error {
	if !b.ownsFeatures {
		b.ownsFeatures = true
		b.next.features = maps.Clone(b.next.features)
		if b.next.features == nil {
			b.next.features = make(map[string]int16)
		}
	}
	name := strings.TrimPrefix(e.Key, featurePrefix)
	if e.Deleted {
		delete(b.next.features, name)
		return nil
	}
	level, err := strconv.ParseInt(string(e.Value), 10, 16)
	if err != nil {
		return err
	}
	b.next.features[name] = int16(level)
	return nil
}

func (b *builder) loss(e *Event) error {
	if !b.ownsLosses {
		b.ownsLosses = true
		b.next.losses = b.next.losses.clone()
	}
	if e.Deleted {
		b.next.losses.tree.Delete(&Loss{Key: e.Key})
		return nil
	}
	loss, err := decodeLoss(e.KV)
	if err != nil {
		return err
	}
	b.next.losses.tree.ReplaceOrInsert(loss)
	b.losses = append(b.losses, loss)
	return nil
}

func (b *builder) cluster(e *Event) (err error) {
	b.next.cluster = Cluster{}
	if !e.Deleted {
		b.next.cluster, err = decodeCluster(e.Value)
	}
	return err
}

func (b *builder) controller(e *Event) (err error) {
	b.next.controller = Election{Broker: ident.NoBroker}
	if !e.Deleted {
		b.next.controller, err = DecodeElection(e.KV)
	}
	return err
}

func (b *builder) producers(e *Event) (err error) {
	b.next.nextProducer = 0
	if !e.Deleted {
		b.next.nextProducer, err = strconv.ParseInt(string(e.Value), 10, 64)
	}
	return err
}

// finish puts the working copies in their place and tells the difference.
func (b *builder) finish(next *Image) *Delta {
	d := &Delta{
		From: b.old.revision, To: next.revision,
		Cluster:    b.old.cluster != next.cluster,
		Controller: b.old.controller != next.controller,
		Features:   b.ownsFeatures && !maps.Equal(b.old.features, next.features),
		Losses:     b.losses,
		Answers:    b.answered,
		Doubts:     b.doubts,
	}
	b.finishTopics(next, d)
	d.Brokers = touched(b.touchedBrokers, b.old.brokers, next.brokers)
	d.Successors = touched(b.touchedSuccessors, b.old.successors, next.successors)
	for r := range b.configs {
		d.Configs = append(d.Configs, r)
	}
	slices.SortFunc(d.Configs, func(a, b Resource) int {
		return strings.Compare(string(a.Type)+"/"+a.Name, string(b.Type)+"/"+b.Name)
	})
	return d
}

// touched are the changes among the brokers touched.
func touched(ids []ident.BrokerID, old, next brokerSet) (changes []BrokerChange) {
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if before, after := old[id], next[id]; before != after {
			changes = append(changes, BrokerChange{id, before, after})
		}
	}
	return changes
}

func (b *builder) finishTopics(next *Image, d *Delta) {
	if len(b.topics) == 0 {
		return
	}
	next.topics = next.topics.clone()
	ids := slices.Collect(maps.Keys(b.topics))
	slices.SortFunc(ids, func(a, b ident.TopicID) int { return strings.Compare(string(a[:]), string(b[:])) })
	for _, id := range ids {
		w := b.topics[id]
		old := b.old.topics.withID(id)
		if w.gone() {
			next.topics.drop(id)
			d.diffTopic(old, nil, w.touched)
			continue
		}
		topic := w.topic
		next.topics.put(&topic)
		d.diffTopic(old, &topic, w.touched)
	}
}

// gone tells whether neither the topic's key nor any partition of it is left.
func (w *working) gone() bool {
	if w.topic.announced() {
		return false
	}
	for n := range w.topic.parts.len() {
		if w.topic.parts.get(n) != nil {
			return false
		}
	}
	return true
}
