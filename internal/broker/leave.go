package broker

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/ident"
	"barnabas/internal/kubernetes"
	"barnabas/internal/metadata"
)

// A broker that is told to stop asks to leave (ADR 7): it says so in its registration; others take over what it leads,
// and it goes once every partition that it holds keeps its data without it. The controller has what nobody else would
// hold copied elsewhere meanwhile.

// departure is how far a broker is with leaving, as one image shows it.
type departure struct {
	led    int // partitions that others could lead, or would wait for this broker
	atRisk []controller.Risk
	// received: somebody is there to stay, or comes, who could take over.
	received bool
}

// done tells whether the broker may go.
func (d *departure) done() bool { return d.led == 0 && len(d.atRisk) == 0 }

// leaveWait is how long a broker has waited to leave, and for whom.
type leaveWait struct {
	departure
	waited, alone time.Duration // since it was told; since nobody is there to receive
	kept          bool          // its directories outlive it
}

// over tells whether it is to go although not everything has been taken over.
func (w *leaveWait) over() bool {
	if w.kept {
		return !w.received || w.waited > keptFor
	}
	return w.alone > aloneFor
}

// departureOf looks what an image says of a broker that leaves.
func departureOf(image *metadata.Image, view *config.View, self *metadata.Broker) departure {
	return departure{
		led: needed(image, self), atRisk: controller.AtRisk(image, view, self), received: receivers(image, self.ID),
	}
}

// receivers reports whether there is anybody who could take over for good: another broker that is there to stay, or a
// successor of any of those that leave.
func receivers(image *metadata.Image, self ident.BrokerID) bool {
	for _, b := range image.Brokers() {
		if b.ID != self && !b.Leaving || image.Successor(b.ID) != nil {
			return true
		}
	}
	return false
}

// hasCompany reports whether anybody else is in the cluster at all, be it on the way out.
func hasCompany(image *metadata.Image, self ident.BrokerID) bool {
	return image.NumBrokers() > 1 || image.Broker(self) == nil || image.Successor(self) != nil
}

// needed counts the partitions that would miss the broker now although another one in sync could do without it.
func needed(image *metadata.Image, self *metadata.Broker) int {
	count := 0
	for topic := range image.Topics() {
		for _, p := range topic.Partitions() {
			if m, inSync := p.InISR(self.ID); inSync && isHere(image, m) && othersInSync(image, p, self) {
				count++
			}
		}
	}
	return count
}

// isHere tells whether a copy is on the broker that is registered, and not on its successor.
func isHere(image *metadata.Image, m metadata.Member) bool {
	b := image.Broker(m.Broker)
	return b != nil && image.Holder(m) == b
}

// othersInSync tells whether a partition has a copy in sync with somebody who goes later.
func othersInSync(image *metadata.Image, p *metadata.Partition, self *metadata.Broker) bool {
	for _, m := range p.ISR {
		b := image.Holder(m)
		if m.Broker != self.ID && b != nil && (!b.Leaving || b.Modified > self.Modified) {
			return true
		}
	}
	return false
}

const (
	// leavePoll is how often a broker that leaves looks whether it may go, slowLeavePoll how often after leaveSoon.
	leavePoll     = 2 * time.Millisecond
	slowLeavePoll = 50 * time.Millisecond
	leaveSoon     = time.Second
	// aloneFor is how long a broker waits for a replacement of one of those that leave with it, or have left before it. Where
	// none comes by then the whole cluster is being stopped, and nobody is there to receive anything.
	aloneFor = 5 * time.Second
	// announceWithin bounds one attempt to be heard by the keepers, or by other brokers, before the broker looks whether to
	// go on with that.
	announceWithin = 2 * time.Second
	// silentFor is how long a broker that has said that it leaves, and sees nobody who could receive anything, waits for
	// keepers that do not answer: they may know of somebody.
	silentFor = 8 * time.Second
	// keptFor is how long a broker whose directories outlive it waits for those that could take over. A pod of a StatefulSet
	// that is scaled to zero waits in vain for the one that went before it, and loses nothing by going.
	keptFor = 5 * time.Second
	// reliedOnFor is how long one that does not answer is waited for before others are told: longer than the others take to
	// shut it out.
	reliedOnFor = 5 * time.Second
	// askedAtOnce bounds how many other brokers are asked whether they are there.
	askedAtOnce = 16
	// namedRisks bounds how many partitions are named in the log one by one.
	namedRisks = 100
)

// depart leaves the cluster as far as others have to know of it beforehand; true where they have taken over. It
// gives up after barnabas.leave.timeout.ms, and then names what is at risk.
func (b *Broker) depart(ctx context.Context) bool {
	if b.session == nil || !config.ControlledShutdown.In(b.settings.view()) {
		return false
	}
	if !hasCompany(b.feed.Current(), b.id) && !b.expectsSuccessor(ctx) {
		return false
	}
	began := time.Now()
	alone := began // since when nobody is there to receive
	ctx, cancel := context.WithTimeout(ctx, config.LeaveTimeout.In(b.config.View()))
	defer cancel()
	b.awaitReliedOn(ctx)
	b.leaving.Store(true)
	if !b.announceLeave(ctx) {
		return false
	}
	var left departure
	said := false
	for ctx.Err() == nil {
		me := b.feed.Current().Broker(b.id)
		if me == nil || me.Epoch != b.session.epoch() { // shut out meanwhile
			pause(ctx, slowLeavePoll)
			continue
		}
		b.handOver()
		left = departureOf(b.feed.Current(), b.settings.view(), me)
		if left.received {
			alone = time.Now()
		}
		waited := time.Since(began)
		wait := leaveWait{
			departure: left, waited: waited, alone: time.Since(alone),
			kept: b.keeps(b.feed.Current()),
		}
		switch {
		case left.done() && (wait.kept || b.allAnswer(ctx, controller.ReliedOn(b.feed.Current(), me))):
			b.logger.Info("other brokers lead now, and every partition keeps its data", "took", waited.Round(time.Millisecond).String())
			return true
		case wait.over() && wait.kept:
			b.logger.Info("the broker goes, for what it has will be there when it is back", "led", left.led, "atRisk", len(left.atRisk))
			return false
		case wait.over() && (b.expectsSuccessor(ctx) || waited < silentFor && !b.hearsKeepers(ctx)):
			alone = time.Now()
			continue
		case wait.over():
			b.logger.Info("nobody is there to take over what this broker has", "led", left.led, "atRisk", len(left.atRisk))
			return false
		case left.done(): // somebody it relies on does not answer: the others are about to notice, or it is back soon
			pause(ctx, slowLeavePoll)
			continue
		case waited < leaveSoon || b.feed.Current().Successor(b.id) != nil:
			pause(ctx, leavePoll)
			continue
		case !said:
			said = true
			b.logger.Info("waiting to leave until others have what this broker has", "led", left.led, "atRisk", len(left.atRisk),
				"first", firstRisk(left.atRisk), "at most", config.LeaveTimeout.In(b.config.View()).String())
		}
		pause(ctx, slowLeavePoll)
	}
	b.nameRisks(left)
	return false
}

func firstRisk(risks []controller.Risk) string {
	if len(risks) == 0 {
		return ""
	}
	return risks[0].String()
}

// nameRisks says what may be missed when the broker goes all the same.
func (b *Broker) nameRisks(left departure) {
	b.logger.Warn("the broker goes although not everything has been taken over", "led", left.led, "atRisk", len(left.atRisk))
	if len(left.atRisk) > 0 {
		b.say(kubernetes.Warning, "BrokerLeftAtRisk", "broker %d goes, and %d partitions are at risk without it: %s", b.id, len(left.atRisk), firstRisk(left.atRisk))
	}
	for i, risk := range left.atRisk {
		if i == namedRisks {
			return
		}
		b.logger.Warn("at risk", "partition", risk.TopicPartition.String(), "why", risk.String())
	}
}

// keeps tells whether what this broker has will be there when it is back. What a successor takes over would not be.
func (b *Broker) keeps(image *metadata.Image) bool {
	return b.kept && image.Successor(b.id) == nil
}

// expectsSuccessor tells whether somebody may be about to take over who has not said so yet: the address for clients leads
// elsewhere, to a process that does not answer as this broker. A Deployment without a readiness probe has its old pod told
// to stop before the new one can have said anything, all the more while the keepers are replaced too.
func (b *Broker) expectsSuccessor(ctx context.Context) bool {
	me := b.feed.Current().Broker(b.id)
	if me == nil || ctx.Err() != nil {
		return false
	}
	peer, err := b.roads.try(ctx, me, addressOf(me.Internal), true)
	if err != nil {
		return true
	}
	peer.Close()
	return false
}

// announceLeave says in the registration that this broker leaves, and waits for keepers that do not answer: they may be at an
// election, or be replaced together with the brokers, and what they have not heard nobody receives. False where that is of no
// use, or took too long.
func (b *Broker) announceLeave(ctx context.Context) bool {
	said := false
	for !b.tellLeaving(ctx) {
		if ctx.Err() != nil || !b.mayBeReceived(ctx) {
			b.logger.Warn("leaderships are not handed over: the metadata store can't be reached")
			return false
		}
		if !said {
			said = true
			b.logger.Info("waiting to leave until the metadata store has heard of it", "at most", config.LeaveTimeout.In(b.config.View()).String())
		}
	}
	return true
}

func (b *Broker) tellLeaving(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, announceWithin)
	defer cancel()
	b.session.update(ctx)
	for ctx.Err() == nil {
		if me := b.feed.Current().Broker(b.id); me != nil && me.Leaving {
			return true
		}
		pause(ctx, leavePoll)
	}
	return false
}

// mayBeReceived tells, while the metadata store does not answer, whether somebody may be there who could take over what this
// broker has, and would be lost by going.
func (b *Broker) mayBeReceived(ctx context.Context) bool {
	image := b.feed.Current()
	switch {
	case image.Successor(b.id) != nil:
		return true // it may be known already, and answer in this broker's voice
	case b.keeps(image):
		return false
	}
	return b.expectsSuccessor(ctx) || b.hearsOthers(ctx, image)
}

// hearsOthers tells whether another broker answers. A few are asked at once, for some may be as silent as the keepers.
func (b *Broker) hearsOthers(ctx context.Context, image *metadata.Image) bool {
	ctx, cancel := context.WithTimeout(ctx, announceWithin)
	defer cancel()
	others := slices.DeleteFunc(slices.Clone(image.Brokers()), func(o *metadata.Broker) bool { return o.ID == b.id })
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	return b.answering(ctx, others[:min(len(others), askedAtOnce)], 1) > 0
}

// awaitReliedOn waits, before others are told that this broker leaves, for those that it would rely on to answer, or to be shut
// out: told to leave, it is taken out of in-sync sets in which one stays then that may have died a moment ago.
func (b *Broker) awaitReliedOn(ctx context.Context) {
	for end := time.Now().Add(reliedOnFor); time.Now().Before(end) && ctx.Err() == nil; pause(ctx, slowLeavePoll) {
		image := b.feed.Current()
		me := image.Broker(b.id)
		if me == nil || b.keeps(image) || b.allAnswer(ctx, controller.ReliedOn(image, me)) {
			return
		}
	}
}

// allAnswer tells whether each of some brokers answers now.
func (b *Broker) allAnswer(ctx context.Context, others []*metadata.Broker) bool {
	ctx, cancel := context.WithTimeout(ctx, announceWithin)
	defer cancel()
	for some := range slices.Chunk(others, askedAtOnce) {
		if b.answering(ctx, some, len(some)) < len(some) {
			return false
		}
	}
	return true
}

// answering counts who answers of brokers that are asked side by side, until enough have.
func (b *Broker) answering(ctx context.Context, others []*metadata.Broker, enough int) (count int) {
	heard := make(chan bool, len(others))
	for _, other := range others {
		go func() {
			peer, err := b.roads.reach(ctx, other)
			if err == nil {
				peer.Close()
			}
			heard <- err == nil
		}()
	}
	for range others {
		if <-heard {
			count++
		}
		if count >= enough {
			break
		}
	}
	return count
}

// hearsKeepers tells whether the metadata store answers now: while it does not, the image tells nothing new.
func (b *Broker) hearsKeepers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, announceWithin)
	defer cancel()
	_, _, err := b.meta.store.Get(ctx, metadata.BrokerKey(b.id))
	return err == nil
}

// safeToStop is nil where the broker could go now without anything at risk, and else says what is.
func (b *Broker) safeToStop() error {
	if err := b.ready.err(); errors.Is(err, errStarting) {
		return err
	}
	image := b.feed.Current()
	me := image.Broker(b.id)
	if me == nil {
		return errNotMember
	}
	if risks := controller.AtRisk(image, b.settings.view(), me); len(risks) > 0 {
		return atRiskError(risks)
	}
	return nil
}
