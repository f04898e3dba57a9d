package broker

import (
	"context"
	"slices"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/storage"
)

// settlePoll is how often a broker whose logs may have lost their ends looks whether the cluster has taken that in.
const settlePoll = 2 * time.Millisecond

// settle waits, where the machine went down under the logs, until the controller has put every partition that counts
// this broker into a new leader epoch, or has taken it out of the sets: offsets past the ends may have been
// given out, and must not be given out again under the same epoch. Then the registration says so no more.
func (b *Broker) settle(ctx context.Context) {
	if !torn(b.store.Dirs()) {
		return
	}
	b.logger.Warn("the machine went down while the broker ran: what was not written out is gone from its logs")
	began := time.Now()
	for !b.tornIsKnown() {
		if pause(ctx, settlePoll); ctx.Err() != nil {
			return
		}
	}
	for _, d := range b.store.Dirs() {
		if err := d.Settle(); err != nil {
			b.logger.Warn("log directory can't be marked", "directory", d.Path(), "error", err)
		}
	}
	b.session.update(ctx)
	b.proposer.nudge()
	b.logger.Info("the partitions go on in new leader epochs", "took", time.Since(began).Round(time.Millisecond).String())
}

// proposes is the registration under which leaders here may change their partitions, 0 while none may.
func (b *Broker) proposes() metadata.Revision {
	if torn(b.store.Dirs()) {
		return 0
	}
	return b.session.epoch()
}

func torn(dirs []*storage.Directory) bool {
	for _, d := range dirs {
		if d.Torn() && d.Err() == nil {
			return true
		}
	}
	return false
}

// tornIsKnown tells whether the controller has acted on the registration as it is now.
func (b *Broker) tornIsKnown() bool {
	image, registered := b.feed.Current(), b.session.revision()
	if image.Revision() < registered {
		return false
	}
	for topic := range image.Topics() {
		for n, p := range topic.Partitions() {
			if _, eligible := p.InELR(b.id); eligible && p.Inquiry == metadata.NoInquiry {
				return false // only the controller takes it out, whoever has changed the partition since
			}
			// A copy on a store that can't be read has no say, and nobody looks for its end.
			if !anyOf(p, func(m metadata.Member) bool { return m.Broker == b.id && image.Holder(m) != nil }) {
				continue
			}
			if p.Inquiry == metadata.NoInquiry && p.Looked < registered {
				return false
			}
			if p.Inquiry != metadata.NoInquiry && (p.Modified < registered || !answered(image, topic, n, p, b.id)) {
				return false
			}
		}
	}
	return true
}

// answered tells whether the broker has said what its copy holds, and with it that its end may be missing.
func answered(image *metadata.Image, topic *metadata.Topic, n int32, p *metadata.Partition, id ident.BrokerID) bool {
	return slices.ContainsFunc(image.Answers(topic.ID, n), func(a *metadata.Answer) bool {
		return a.Broker == id && a.LeaderEpoch == p.LeaderEpoch
	})
}

// inSets tells whether the broker is in one of the partition's sets.
func inSets(p *metadata.Partition, id ident.BrokerID) bool {
	return anyOf(p, func(m metadata.Member) bool { return m.Broker == id })
}

// anyOf tells whether any member of the two sets is so.
func anyOf(p *metadata.Partition, is func(metadata.Member) bool) bool {
	return slices.ContainsFunc(p.ISR, is) || slices.ContainsFunc(p.ELR, is)
}
