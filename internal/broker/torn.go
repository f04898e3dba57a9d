package broker

import (
	"context"
	"slices"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/storage"
)

const (
	// settlePoll is how often a broker whose logs may have lost their ends looks whether the cluster has taken that in.
	settlePoll = 2 * time.Millisecond
	// settleRetry is the pause before the cluster is told again, where it could not be.
	settleRetry = 200 * time.Millisecond
)

// settle waits, where the machine went down under logs, until the controller has put every partition that counts
// them into a new leader epoch, or has taken them out of the sets: offsets past the ends may have been
// given out, and must not be given out again under the same epoch. Then the registration says so no more, and what
// waited for it leads. What is in other directories goes on meanwhile.
func (b *Broker) settle(ctx context.Context) {
	dirs := tornDirs(b.store.Dirs())
	if len(dirs) == 0 {
		return
	}
	b.logger.Warn("the machine went down while the broker ran, or records were missing when a disk came back: "+
		"what was not written out is gone from these logs", "directories", paths(dirs))
	began := time.Now()
	for !b.tornIsKnown(ctx, dirs) {
		if pause(ctx, settlePoll); ctx.Err() != nil {
			return
		}
		if dirs = slices.DeleteFunc(dirs, func(d *storage.Directory) bool { return d.Err() != nil }); len(dirs) == 0 {
			return // it is torn still when it comes back
		}
	}
	// Nothing here may lead in an epoch that is over: the partitions have to know what the image says.
	if b.feed.Await(ctx, b.feed.Current().Revision()) != nil {
		return
	}
	for _, d := range dirs {
		if err := d.Settle(); err != nil {
			b.logger.Warn("log directory can't be marked", "directory", d.Path(), "error", err)
		}
	}
	b.partitions.Retry()
	b.session.update(ctx)
	b.proposer.nudge()
	b.logger.Info("the partitions go on in new leader epochs", "directories", paths(dirs),
		"took", time.Since(began).Round(time.Millisecond).String())
}

// tornDirs are the directories that are there and torn.
func tornDirs(dirs []*storage.Directory) []*storage.Directory {
	return slices.DeleteFunc(slices.Clone(dirs), func(d *storage.Directory) bool { return !d.Torn() || d.Err() != nil })
}

func paths(dirs []*storage.Directory) []string {
	var names []string
	for _, d := range dirs {
		names = append(names, d.Path())
	}
	return names
}

// tornIsKnown tells whether the controller has acted on the registration as it is now, which names these directories. It
// tells the cluster where that has not come about.
func (b *Broker) tornIsKnown(ctx context.Context, dirs []*storage.Directory) bool {
	said, registered := b.session.said()
	if slices.ContainsFunc(dirs, func(d *storage.Directory) bool { return !said.HasStore(d.ID()) || !said.IsTorn(d.ID()) }) {
		if b.session.update(ctx); b.session.revision() == registered {
			pause(ctx, settleRetry)
		}
		return false
	}
	image := b.feed.Current()
	if image.Revision() < registered {
		return false
	}
	copies := tornCopies{broker: b.id, dirs: dirs, image: image, registered: registered}
	for topic := range image.Topics() {
		for n, p := range topic.Partitions() {
			if !copies.seen(topic, n, p) {
				return false
			}
		}
	}
	return true
}

// tornCopies are those in a broker's torn directories, as an image has them.
type tornCopies struct {
	broker     ident.BrokerID
	dirs       []*storage.Directory
	image      *metadata.Image
	registered metadata.Revision
}

// has tells whether a member of a partition's sets is such a copy. One on a store that nobody knows may be.
func (c *tornCopies) has(m metadata.Member) bool {
	return m.Broker == c.broker && (m.Store.IsZero() ||
		slices.ContainsFunc(c.dirs, func(d *storage.Directory) bool { return d.ID() == m.Store }))
}

// seen tells whether the controller has looked at a partition since the registration said that its copy is torn.
func (c *tornCopies) seen(topic *metadata.Topic, n int32, p *metadata.Partition) bool {
	if m, eligible := p.InELR(c.broker); eligible && c.has(m) && p.Inquiry == metadata.NoInquiry {
		return false // only the controller takes it out, whoever has changed the partition since
	}
	// A copy on a store that can't be read has no say, and nobody looks for its end.
	if !p.AnyMember(func(m metadata.Member) bool { return c.has(m) && c.image.Holder(m) != nil }) {
		return true
	}
	if p.Inquiry == metadata.NoInquiry {
		return p.Looked >= c.registered
	}
	return c.answered(topic, n, p)
}

// answered tells whether the broker has said, since then, what its copy holds, and with it that its end may be missing. Whether
// the others have answered does not matter: they may be away for long, and whoever is elected then begins a leader epoch.
func (c *tornCopies) answered(topic *metadata.Topic, n int32, p *metadata.Partition) bool {
	return slices.ContainsFunc(c.image.Answers(topic.ID, n), func(a *metadata.Answer) bool {
		return a.Broker == c.broker && a.LeaderEpoch == p.LeaderEpoch && a.Modified >= c.registered
	})
}

// inSets tells whether the broker is in one of the partition's sets.
func inSets(p *metadata.Partition, id ident.BrokerID) bool {
	return p.AnyMember(func(m metadata.Member) bool { return m.Broker == id })
}
