package controller

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// planLeaders looks at every partition and elects where the brokers registered ask for it. It comes with
// each broker that registers or goes, and with each election of a controller.
func planLeaders(s *state) changes {
	var made changes
	for topic := range s.img.Topics() {
		e := election{img: s.img, now: s.now, minISR: -1}
		for n, p := range topic.Partitions() {
			if settled(s.img, p) {
				continue
			}
			if e.minISR < 0 {
				e.minISR = s.minISR(topic.Name, len(p.Replicas))
			}
			next, loss := e.elect(p)
			next = uncleanly(s, topic, p, next)
			made.partition(topic, n, p, next, loss)
		}
	}
	return made
}

// settled tells, without any work worth naming, that a partition needs no election: its in-sync members all
// live, on whole stores, and one of them leads.
func settled(img *metadata.Image, p *metadata.Partition) bool {
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

// partition adds a partition's new state, if there is one, and its loss.
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
	c.guarded(metadata.ModifiedAt(key, p.Modified), ops...)
}

// planUnregister takes a broker that is gone out of every in-sync set. In Barnabas a registration ends with its
// broker's lease, so one that is registered is alive.
func planUnregister(s *state, id ident.BrokerID) (changes, error) {
	if s.img.Broker(id) != nil {
		return changes{}, refuse(ErrInvalidRequest, "Broker %d is running; stop it before it is unregistered.", id)
	}
	if s.img.Member(id) == nil {
		return changes{}, refuse(ErrBrokerIDNotRegistered, "Broker ID %d is not currently registered", id)
	}
	var made changes
	made.add(metadata.Delete(metadata.MemberKey(id)))
	for topic := range s.img.Topics() {
		for n, p := range topic.Partitions() {
			made.partition(topic, n, p, withoutBroker(p, id), nil)
		}
	}
	return made, nil
}

// withoutBroker is a partition's state without a broker in its sets, nil when it is in none, or when nobody
// else is.
func withoutBroker(p *metadata.Partition, id ident.BrokerID) *metadata.Partition {
	isr, elr := without(p.ISR, id), without(p.ELR, id)
	if len(isr) == len(p.ISR) && len(elr) == len(p.ELR) || len(isr) == 0 && len(elr) == 0 {
		return nil
	}
	next := *p
	next.ISR, next.ELR = isr, elr
	next.Epoch++
	if next.Leader == id {
		next.Leader = ident.NoBroker
		next.LeaderEpoch++
	}
	return &next
}
