package broker

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/replication"
	"barnabas/internal/storage"
)

// answers tell the controller what the replicas here hold of partitions of which no whole copy is left
// (metadata.Partition.Inquiry). The feed's goroutine says which are asked, one goroutine of its own answers.
type answers struct {
	broker     ident.BrokerID
	image      func() *metadata.Image
	partitions *replication.Manager
	store      metadata.Store
	dirs       func() []*storage.Directory
	logger     *slog.Logger
	wake       chan struct{}

	mu      sync.Mutex
	pending map[metadata.PartitionRef]struct{} // guarded by mu; bounded by the replicas here
}

const (
	// answersAtOnce bounds the answers of one transaction.
	answersAtOnce = metadata.MaxOps - 1
	// tellWithin bounds a transaction, tellAgain is the pause before another try.
	tellWithin = 10 * time.Second
	tellAgain  = 100 * time.Millisecond
)

func (b *Broker) newAnswers() *answers {
	return &answers{
		broker: b.id, image: b.feed.Current, partitions: b.partitions, store: b.meta.store, dirs: b.store.Dirs,
		logger: b.logger, wake: make(chan struct{}, 1), pending: map[metadata.PartitionRef]struct{}{},
	}
}

// apply takes in which replicas are asked. It is called by the feed once the partitions have taken their roles.
func (a *answers) apply(image *metadata.Image, delta *metadata.Delta) {
	var asked []metadata.PartitionRef
	for _, c := range delta.Partitions {
		if c.New != nil && c.New.Inquiry != metadata.NoInquiry && c.New.HasReplica(a.broker) {
			asked = append(asked, metadata.PartitionRef{Topic: c.TopicID, Partition: c.Number})
		}
	}
	if slices.ContainsFunc(delta.Brokers, func(c metadata.BrokerChange) bool { return c.ID == a.broker && c.New != nil }) {
		asked = append(asked, a.askedNow(image)...) // an answer counts under the registration that it was given under
	}
	a.add(asked)
}

func (a *answers) askedNow(image *metadata.Image) (asked []metadata.PartitionRef) {
	for _, p := range a.partitions.All() {
		if state := image.Partition(p.Name()); state != nil && state.Inquiry != metadata.NoInquiry {
			asked = append(asked, metadata.PartitionRef{Topic: p.State().TopicID, Partition: p.Name().Partition})
		}
	}
	return asked
}

func (a *answers) add(asked []metadata.PartitionRef) {
	if len(asked) == 0 {
		return
	}
	a.mu.Lock()
	for _, ref := range asked {
		a.pending[ref] = struct{}{}
	}
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *answers) take() []metadata.PartitionRef {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := slices.Collect(maps.Keys(a.pending))
	clear(a.pending)
	return asked
}

// run answers until ctx ends.
func (a *answers) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		}
		for some := range slices.Chunk(a.take(), answersAtOnce) {
			if !a.answer(ctx, some) {
				pause(ctx, tellAgain)
				a.add(some)
			}
		}
	}
}

// answer writes what replicas hold; false when it has to be tried again. What nobody asks any more is left out.
func (a *answers) answer(ctx context.Context, asked []metadata.PartitionRef) bool {
	// Before the image: a directory that is settled by now had all its answers in the image of that moment.
	torn := a.torn()
	image := a.image()
	me := image.Broker(a.broker)
	if me == nil || !a.isMe(me) {
		return true // the registration comes, and with it all that is asked
	}
	txn := metadata.Txn{If: []metadata.Compare{metadata.CreatedAt(metadata.BrokerKey(a.broker), me.Epoch)}}
	for _, ref := range asked {
		if held := a.holding(image, ref, me.Epoch); held != nil {
			held.Torn = held.Torn || slices.Contains(torn, held.Store)
			txn.Then = append(txn.Then, metadata.Put(
				metadata.AnswerKey(ref.Topic, ref.Partition, a.broker), metadata.EncodeAnswer(held)))
		}
	}
	if len(txn.Then) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	result, err := a.store.Txn(ctx, txn)
	if err != nil && ctx.Err() == nil {
		a.logger.Warn("the controller can't be told what the stores here hold, trying again", "error", err)
	}
	return err == nil && result.OK
}

// isMe tells this process's registration from that of the broker which it is to succeed.
func (a *answers) isMe(b *metadata.Broker) bool {
	return slices.ContainsFunc(a.dirs(), func(d *storage.Directory) bool { return b.HasStore(d.ID()) }) || len(b.Stores) == 0
}

// holding is the answer about one replica; nil where it is not asked any more. It is called torn where that has been said before.
func (a *answers) holding(image *metadata.Image, ref metadata.PartitionRef, epoch metadata.Revision) *metadata.Answer {
	topic := image.TopicByID(ref.Topic)
	if topic == nil {
		return nil
	}
	state := topic.Partition(ref.Partition)
	p, err := a.partitions.Get(topic.Name, ref.Partition)
	if err != nil || state == nil || state.Inquiry == metadata.NoInquiry {
		return nil
	}
	held, ok := p.Holding(ref.Topic, state.LeaderEpoch)
	if !ok {
		return nil
	}
	if held.Offline { // where it would be looked for is what the sets say, and that directory may be torn, and another one offline
		named, _ := state.InSets(a.broker)
		held.Store = named.Store
	}
	a.logger.Info("no whole copy is left: this store tells what it holds", "partition", p.Name().String(),
		"leaderEpoch", int32(held.LeaderEpoch), "start", int64(held.LogStart), "end", int64(held.Offset),
		"lastEpoch", int32(held.LastEpoch), "offline", held.Offline)
	own := metadata.Member{Broker: a.broker, Store: held.Store}
	return &metadata.Answer{
		BrokerEpoch: epoch, LeaderEpoch: held.LeaderEpoch, Offline: held.Offline, Store: held.Store,
		Torn:  state.SaidTorn(own, image.Answers(ref.Topic, ref.Partition)),
		Start: held.LogStart, End: held.Offset, LastEpoch: held.LastEpoch, HighWatermark: held.HighWatermark,
	}
}

// torn are the stores of the directories here that are torn.
func (a *answers) torn() (stores []ident.StoreID) {
	for _, d := range a.dirs() {
		if d.Torn() {
			stores = append(stores, d.ID())
		}
	}
	return stores
}
