package controller

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// planLeaders looks at every partition and elects where the brokers registered ask for it. It comes with
// each broker that registers or goes, and with each election of a controller.
func planLeaders(s *state) changes {
	made := changes{all: true}
	for topic := range s.img.Topics() {
		for n, p := range topic.Partitions() {
			planPartition(s, topic, n, p, &made)
		}
	}
	return made
}

// planTouched looks at partitions that have changed: whether a reassignment is done now, and who leads where stores have
// been asked.
func planTouched(s *state, touched []metadata.PartitionRef) changes {
	var made changes
	for _, ref := range touched {
		if topic := s.img.TopicByID(ref.Topic); topic != nil {
			if p := topic.Partition(ref.Partition); p != nil {
				planPartition(s, topic, ref.Partition, p, &made)
			}
		}
	}
	return made
}

// planPartition elects, and completes a reassignment.
func planPartition(s *state, topic *metadata.Topic, n int32, p *metadata.Partition, made *changes) {
	if settled(s.img, p) && !p.Reassigning() && !homeless(s.img, p) {
		return
	}
	e := s.election(topic, p)
	e.number = n
	next, loss := e.elect(p)
	made.wait(e.waitsFor)
	now := p
	if next != nil {
		now = next
	}
	if done := e.completed(now); done != nil {
		next = e.moved(p, done)
	}
	if now = next; now == nil {
		now = p
	}
	if homeless(s.img, now) {
		next = withoutHomes(s.img, p, now)
	}
	made.partition(topic, n, p, next, loss)
}

// settled tells, without any work worth naming, that a partition needs no election: its in-sync members all
// live, on whole stores, and one of them leads.
func settled(img *metadata.Image, p *metadata.Partition) bool {
	if p.Inquiry != metadata.NoInquiry {
		return false
	}
	leads := false
	for _, m := range p.ISR {
		if standingOf(img, m) != live {
			return false
		}
		leads = leads || m.Broker == p.Leader
	}
	for _, m := range p.ELR {
		if s := standingOf(img, m); s == destroyed || s == torn {
			return false
		}
	}
	return leads
}

// partition adds a partition's new state, if there is one, and its loss. What stores have said ends with the question.
func (c *changes) partition(topic *metadata.Topic, n int32, p, next *metadata.Partition, loss *metadata.Loss) {
	if next == nil {
		return
	}
	key := metadata.PartitionKey(topic.ID, n)
	ops := []metadata.Op{metadata.Put(key, metadata.EncodePartition(next))}
	if loss != nil {
		loss.TopicID, loss.Topic, loss.Partition = topic.ID, topic.Name, n
		c.losses = append(c.losses, loss)
		ops = append(ops, metadata.Put(metadata.LossKey(topic.ID, n, int32(loss.LeaderEpoch)), metadata.EncodeLoss(loss)))
	}
	if p.Inquiry != metadata.NoInquiry && next.Inquiry == metadata.NoInquiry {
		ops = append(ops, metadata.DeletePrefix(metadata.AnswersOf(topic.ID, n)))
	}
	c.guarded(metadata.ModifiedAt(key, p.Modified), ops...)
}

// planUnregister forgets a broker that is gone: its stores count as destroyed. In Barnabas a registration ends with its
// broker's lease, so one that is registered is alive.
func planUnregister(s *state, id ident.BrokerID) (changes, error) {
	if s.img.Broker(id) != nil {
		return changes{}, refuse(ErrInvalidRequest, "Broker %d is running; stop it before it is unregistered.", id)
	}
	if s.img.Member(id) == nil {
		return changes{}, refuse(ErrBrokerIDNotRegistered, "Broker ID %d is not currently registered", id)
	}
	// What the cluster is without it: its stores count as destroyed then.
	after, _, err := s.img.Apply(s.img.Revision(), []metadata.Event{{
		KV: metadata.KV{Key: metadata.MemberKey(id), Modified: s.img.Revision()}, Deleted: true,
	}})
	if err != nil {
		return changes{}, err
	}
	without := *s
	without.img = after
	made := planLeaders(&without)
	made.add(metadata.Delete(metadata.MemberKey(id))) // last: when leaders come between, all of it is planned anew
	return made, nil
}
