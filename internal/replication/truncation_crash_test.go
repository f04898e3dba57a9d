package replication

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

// stretch is records of one leader epoch, up to an offset.
type stretch struct {
	epoch record.Epoch
	end   record.Offset
}

// history is what a log holds.
type history []stretch

// writtenBy appends to a log what a history has from its end on, a batch a record: what stands at an offset is told by the epoch.
func (h history) writtenBy(t testing.TB, log *storage.Log) {
	t.Helper()
	for _, s := range h {
		for at := log.EndOffset(); at < s.end; at++ {
			b := record.NewBuilder(record.Options{BaseOffset: at})
			b.Append(1000, nil, fmt.Appendf(nil, "offset %d of epoch %d", at, s.epoch))
			built, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			built.SetLeaderEpoch(s.epoch)
			if _, err := log.Append(built, storage.AppendOptions{Origin: storage.Follower}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// rule is a leader and the history that it has.
type rule struct {
	epoch record.Epoch
	has   history
}

// truncationStories are logs, on the disk when the story begins, and those whom they follow, one after another. Each
// follower has something that its leader has not.
var truncationStories = []struct {
	name  string
	holds history
	rules []rule
}{
	{"a tail", history{{1, 10}}, []rule{{2, history{{1, 5}, {2, 14}}}}},
	{"all of it", history{{1, 6}}, []rule{{2, history{{2, 9}}}}},
	{"segments", history{{1, 36}}, []rule{{2, history{{1, 19}, {2, 42}}}}},
	{"at the beginning of a segment", history{{1, 30}}, []rule{{2, history{{1, 10}, {2, 35}}}}},
	{"an epoch that was longer", history{{1, 3}, {3, 12}}, []rule{{4, history{{1, 8}, {4, 16}}}}},
	{"twice", history{{1, 20}}, []rule{
		{2, history{{1, 12}, {2, 18}}}, {4, history{{1, 12}, {2, 14}, {4, 24}}},
	}},
	{"twice, the second time further back", history{{1, 20}}, []rule{
		{2, history{{1, 12}, {2, 25}}}, {4, history{{1, 9}, {4, 27}}},
	}},
}

// TestCrashAroundTruncation crashes the machine of a follower at every operation of its disk while it cuts off what its
// leader does not have and copies what it has. Whatever is left, the follower ends with the leader's records.
func TestCrashAroundTruncation(t *testing.T) {
	for _, story := range truncationStories {
		t.Run(story.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &crashes{t: t}
				for _, r := range story.rules {
					c.leaders = append(c.leaders, leaderWith(t, r))
				}
				c.tell(story.holds)
				t.Logf("%d crashes", c.count)
			})
		})
	}
}

// leaderWith is a bench that leads with a history.
func leaderWith(t *testing.T, r rule) *bench {
	b := newBench(t)
	state := b.led(0, otherBroker)
	state.Leader = otherBroker.Broker
	r.has[:len(r.has)-1].writtenBy(t, b.topic(state).Log())
	p := b.topic(b.led(r.epoch, otherBroker))
	r.has.writtenBy(t, p.Log())
	return b
}

// crashes tells one story again and again.
type crashes struct {
	t       *testing.T
	leaders []*bench
	count   int
}

// crashesEach is how many outcomes of a crash are tried at an operation, crashesAgain how many crashes of what is left
// after the first.
const (
	crashesEach  = 3
	crashesAgain = 1
)

func (c *crashes) tell(holds history) {
	disk := vfs.NewMem()
	b := c.follower(disk)
	state := b.led(0, otherBroker)
	state.Leader = otherBroker.Broker
	holds.writtenBy(c.t, b.topic(state).Log())
	if err := b.store.Close(true); err != nil {
		c.t.Fatal(err)
	}
	c.live(disk, 0, 1)
}

// follower is a bench on a disk, with segments of about ten records.
func (c *crashes) follower(fs vfs.FS) *bench {
	b := &bench{
		t: c.t, fs: fs, image: metadata.NewImage(), now: time.Unix(1000, 0),
		settings: TopicSettings{Log: storage.DefaultLogConfig(), MinISR: func(int) int { return 1 }},
	}
	b.settings.Log.SegmentBytes, b.settings.Log.IndexIntervalBytes = 900, 100
	b.open()
	return b
}

// live follows the leaders from one on, and crashes at every operation, if depth allows.
func (c *crashes) live(disk *vfs.Mem, from, depth int) {
	ops := uint64(0)
	following := from
	telling := true
	b := c.follower(vfs.WithFaults(disk, func(op vfs.Op) error {
		if !op.Kind.Changes() || !telling || depth > 2 {
			return nil
		}
		ops++
		each := uint64(crashesEach)
		if depth > 1 {
			each = crashesAgain
			if ops%11 != 0 {
				return nil
			}
		}
		for n := range each {
			c.count++
			c.live(disk.Crash(ops*each+n), following, depth+1)
			if c.t.Failed() {
				c.t.Logf("the crash was before operation %d of life %d, %v %s, outcome %d, under leader %d",
					ops, depth, op.Kind, op.Path, n, following)
				c.t.FailNow()
			}
		}
		return nil
	}))
	defer b.store.Close(false)
	for following = from; following < len(c.leaders); following++ {
		c.follow(c.leaders[following], b)
		if c.t.Failed() {
			break
		}
		if following%2 == 0 {
			_ = b.store.Logs()[0].Flush()
		}
	}
	telling = false
}

// follow copies until the follower has all, some records at a time.
func (c *crashes) follow(leader, b *bench) {
	leads, err := leader.manager.Get("t", 0)
	if err != nil {
		c.t.Fatal(err)
	}
	state := b.led(leads.State().LeaderEpoch, otherBroker)
	state.Leader = otherBroker.Broker
	follows := b.topic(state)
	want := content(c.t, leads)
	for range 60 {
		if err := copyOnce(c.t, leads, follows, 300); err != nil {
			c.t.Errorf("fetch: %v", err)
			return
		}
		if follows.State().LogEnd == leads.State().LogEnd && bytes.Equal(content(c.t, follows), want) {
			c.checkEpochs(follows)
			return
		}
	}
	c.t.Errorf("never the same: follower has %s, leader %s", outline(c.t, follows), outline(c.t, leads))
}

// checkEpochs wants the log to know the epochs of its batches: it may lead next.
func (c *crashes) checkEpochs(p *Partition) {
	for rest := content(c.t, p); len(rest) > 0; {
		b, after, err := record.Next(rest)
		if err != nil {
			c.t.Fatal(err)
		}
		if known := p.Log().EpochAt(b.BaseOffset()); known != b.LeaderEpoch() {
			c.t.Errorf("offset %d is of epoch %d, the log takes it for %d", b.BaseOffset(), b.LeaderEpoch(), known)
		}
		rest = after
	}
}

// outline is where the epochs of the records of a log begin.
func outline(t *testing.T, p *Partition) string {
	var out bytes.Buffer
	last := record.NoEpoch
	for rest := content(t, p); len(rest) > 0; {
		b, after, err := record.Next(rest)
		if err != nil {
			t.Fatal(err)
		}
		if b.LeaderEpoch() != last {
			last = b.LeaderEpoch()
			fmt.Fprintf(&out, "epoch %d from %d, ", last, b.BaseOffset())
		}
		rest = after
	}
	fmt.Fprintf(&out, "end %d", p.State().LogEnd)
	return out.String()
}
