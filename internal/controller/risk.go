package controller

import (
	"fmt"
	"slices"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// RiskKind says what a partition would lack without a broker.
type RiskKind int

const (
	// RiskRecords: no other live store holds all that was acknowledged.
	RiskRecords RiskKind = iota + 1
	// RiskWrites: other stores hold the records, but too few of them for acks=all.
	RiskWrites
)

// Risk is a partition that a broker can't leave behind yet (ADR 7).
type Risk struct {
	ident.TopicPartition
	Kind RiskKind
	// Others are the live stores beside the broker's that hold all that was acknowledged. Need is how many there
	// should be: min.insync.replicas, or what the other replicas can amount to, but at least one.
	Others, Need int
}

// String says it to a person.
func (r Risk) String() string {
	if r.Kind == RiskRecords {
		return fmt.Sprintf("%s: no other live store holds its records", r.TopicPartition)
	}
	return fmt.Sprintf("%s: %d of %d other stores are in sync", r.TopicPartition, r.Others, r.Need)
}

// AtRisk are the partitions that would lose records, or their minimum of in-sync copies, if a registered broker went
// now: those for which it can't be let go. The registration's stores are what counts as its own, so that a
// successor under the same id counts as another.
//
// Of brokers that leave at the same time the one told first goes first: it counts those told after it, and they
// do not count it. So two that look at the same image never both go relying on each other, as long
// as each looks at an image that has its own mark.
func AtRisk(img *metadata.Image, view *config.View, leaver *metadata.Broker) []Risk {
	var risks []Risk
	for topic := range img.Topics() {
		minISR := -1
		for n, p := range topic.Partitions() {
			if !holds(p, leaver) {
				continue
			}
			if minISR < 0 {
				own := img.Config(metadata.Resource{Type: metadata.TopicResource, Name: topic.Name})
				minISR = config.MinISR(view.ForTopic(own), len(p.Replicas)-len(p.Adding))
			}
			r := Risk{
				TopicPartition: ident.TopicPartition{Topic: topic.Name, Partition: n},
				Others:         len(othersHolding(img, p, leaver)),
				Need:           max(1, min(minISR, len(p.Replicas)-1)),
			}
			if r.Kind = r.kind(p, leaver); r.Kind != 0 {
				risks = append(risks, r)
			}
		}
	}
	return risks
}

// holds tells whether a broker has to do with a partition at all.
func holds(p *metadata.Partition, leaver *metadata.Broker) bool {
	own := func(m metadata.Member) bool { return isOf(m, leaver) }
	return p.HasReplica(leaver.ID) || slices.ContainsFunc(p.ISR, own) || slices.ContainsFunc(p.ELR, own)
}

// isOf tells whether a copy is on one of the stores of a registration.
func isOf(m metadata.Member, b *metadata.Broker) bool {
	return m.Broker == b.ID && (m.Store.IsZero() || b.HasStore(m.Store))
}

// kind judges the numbers. A copy in no set is missed only where no whole one lives: it may be the fullest then.
func (r *Risk) kind(p *metadata.Partition, leaver *metadata.Broker) RiskKind {
	own := func(m metadata.Member) bool { return isOf(m, leaver) }
	switch {
	case r.Others == 0:
		return RiskRecords
	case r.Others < r.Need && (slices.ContainsFunc(p.ISR, own) || slices.ContainsFunc(p.ELR, own)):
		return RiskWrites
	}
	return 0
}

// othersHolding are the copies on the other live stores that hold every acknowledged record: those in sync, and the eligible,
// for below the minimum nothing is acknowledged that they lack (KIP-966).
func othersHolding(img *metadata.Image, p *metadata.Partition, leaver *metadata.Broker) []metadata.Member {
	if p.Inquiry == metadata.InquiryRestored {
		return nil // whose copy has everything is not known yet
	}
	others := filter(p.ISR, func(m metadata.Member) bool { return !isOf(m, leaver) && stays(img, m, leaver) })
	return append(others, filter(p.ELR, func(m metadata.Member) bool {
		return !isOf(m, leaver) && standingOf(img, m) != torn && stays(img, m, leaver)
	})...)
}

// ReliedOn are the registrations, by broker, of the other live stores for whose sake a broker may go: who leaves had better hear
// that they are there. A machine that has just gone down is registered for a moment longer, and may come back without its end.
func ReliedOn(img *metadata.Image, leaver *metadata.Broker) []*metadata.Broker {
	var all []*metadata.Broker
	for topic := range img.Topics() {
		for _, p := range topic.Partitions() {
			if !holds(p, leaver) {
				continue
			}
			for _, m := range othersHolding(img, p, leaver) {
				if b := img.Holder(m); !slices.Contains(all, b) {
					all = append(all, b)
				}
			}
		}
	}
	return all
}

// stays tells whether a copy lives, and will when the leaver has gone.
func stays(img *metadata.Image, m metadata.Member, leaver *metadata.Broker) bool {
	switch standingOf(img, m) {
	case live, torn:
		return true
	case leaving:
		return leaver.Leaving && img.Broker(m.Broker).Modified > leaver.Modified
	}
	return false
}
