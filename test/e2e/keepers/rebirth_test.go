package keepers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// All three keepers are wiped at once while records are produced: the brokers serve on, and put back what the
// keepers have lost.
func TestAllKeepersWipedUnderLoad(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	e.startBrokers(3, false)
	admin := kadm.NewClient(e.client())
	before := e.createTopic(admin)
	cluster := e.cluster(admin)
	p := e.produce()
	p.goesOn()
	committed := e.commit(admin)
	for _, k := range e.keepers {
		e.wipe(k)
	}
	p.goesOn()
	began := time.Now()
	e.launchAll()
	e.allReady()
	e.await("the metadata to be put back", func() bool {
		for _, b := range e.brokers {
			if b.output.Says("was put back") {
				return true
			}
		}
		return false
	})
	t.Logf("the metadata is back after %s", time.Since(began).Round(time.Millisecond))
	p.goesOn()
	after := e.describe(admin)
	if after.ID != before.ID {
		t.Errorf("the topic is %v, it was %v", after.ID, before.ID)
	}
	if got := e.cluster(admin); got != cluster {
		t.Errorf("the cluster is %s, it was %s", got, cluster)
	}
	e.checkSetting(admin)
	e.checkCommitted(admin, committed)
	e.another(admin)
	p.check()
}

// commit has three groups commit an offset of every partition of the topic, each its own.
func (e *ensemble) commit(admin *kadm.Client) map[string]kadm.Offsets {
	e.t.Helper()
	all := map[string]kadm.Offsets{}
	for i, group := range []string{"one", "two", "three"} {
		offsets := kadm.Offsets{}
		for n := range int32(6) {
			offsets.AddOffset(topic, n, int64(i)+10*int64(n), -1)
		}
		e.await("the offsets of group "+group+" to be committed", func() bool {
			ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Second)
			defer cancel()
			done, err := admin.CommitOffsets(ctx, group, offsets)
			return err == nil && done.Error() == nil
		})
		all[group] = offsets
	}
	return all
}

// checkCommitted looks for the offsets that groups have committed: once their coordinators answer, they are the same.
func (e *ensemble) checkCommitted(admin *kadm.Client, committed map[string]kadm.Offsets) {
	e.t.Helper()
	for group, want := range committed {
		var got kadm.OffsetResponses
		e.await("the offsets of group "+group, func() (ok bool) {
			ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Second)
			defer cancel()
			var err error
			got, err = admin.FetchOffsets(ctx, group)
			return err == nil && got.Error() == nil
		})
		count := 0
		got.Each(func(o kadm.OffsetResponse) {
			count++
			if before, _ := want.Lookup(o.Topic, o.Partition); o.At != before.At {
				e.t.Errorf("group %s has committed %d of %s-%d, and now that is %d", group, before.At, o.Topic, o.Partition, o.At)
			}
		})
		if count != 6 {
			e.t.Errorf("group %s has the offsets of %d partitions, and had those of 6", group, count)
		}
	}
}

func (e *ensemble) cluster(admin *kadm.Client) string {
	e.t.Helper()
	cluster := ""
	e.await("the cluster's description", func() bool {
		ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Second)
		defer cancel()
		m, err := admin.BrokerMetadata(ctx)
		cluster = m.Cluster
		return err == nil && len(m.Brokers) == 3
	})
	return cluster
}

// checkSetting looks for the setting that the topic was created with.
func (e *ensemble) checkSetting(admin *kadm.Client) {
	e.t.Helper()
	e.await("the topic's setting", func() bool {
		ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Second)
		defer cancel()
		configs, err := admin.DescribeTopicConfigs(ctx, topic)
		if err != nil {
			return false
		}
		for _, c := range configs {
			for _, setting := range c.Configs {
				if setting.Key == "retention.ms" && setting.MaybeValue() == "123456789" {
					return true
				}
			}
		}
		return false
	})
}

// another creates a topic more: what needs a metadata change works again.
func (e *ensemble) another(admin *kadm.Client) {
	e.t.Helper()
	e.await("another topic to be created", func() bool {
		ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Second)
		defer cancel()
		made, err := admin.CreateTopic(ctx, 3, 3, nil, "another")
		return err == nil && made.Err == nil || errors.Is(made.Err, kerr.TopicAlreadyExists) // an answer was lost
	})
}

// Everything goes down at once, and the keepers lose their disks. The brokers kept theirs, and with them the metadata that they
// have acted on, be it a moment ago.
func TestAllKeepersWipedWhileBrokersAreDown(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	e.startBrokers(3, false)
	admin := kadm.NewClient(e.client())
	before := e.createTopic(admin)
	cluster := e.cluster(admin)
	p := e.produce()
	p.goesOn()
	p.cancel()
	<-p.done
	if err := p.client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, b := range e.brokers {
		b.kill()
	}
	for _, k := range e.keepers {
		e.wipe(k)
	}
	began := time.Now()
	e.launchAll()
	for _, b := range e.brokers {
		e.launchBroker(b)
	}
	for _, b := range e.brokers {
		e.ready(b)
	}
	t.Logf("all are ready again after %s", time.Since(began).Round(time.Millisecond))
	after := e.describe(admin)
	if got := e.cluster(admin); got != cluster || after.ID != before.ID {
		t.Errorf("cluster %s with topic %v, it was %s with %v", got, after.ID, cluster, before.ID)
	}
	e.checkSetting(admin)
	p.check()
}

// Two of the keepers are wiped at once, and the third has been away while things changed: of the logs its old one is the furthest. Brokers
// know more, and what they know is put back.
func TestOldLogIsAllThatIsLeft(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	e.startBrokers(3, false)
	admin := kadm.NewClient(e.client())
	before := e.createTopic(admin)
	p := e.produce()
	p.goesOn()
	e.keepers[2].kill()
	e.another(admin)
	made := e.idOf(admin, "another")
	e.brokers[2].kill() // and leaders change
	p.goesOn()
	e.launchBroker(e.brokers[2])
	e.ready(e.brokers[2])
	e.wipe(e.keepers[0])
	e.wipe(e.keepers[1])
	e.launchAll()
	e.allReady()
	e.await("the old log to be what the keepers go on from", func() bool { return e.keepers[2].output.Says("is recovered from this log") })
	p.goesOn()
	if after := e.describe(admin); after.ID != before.ID {
		t.Errorf("the topic is %v, it was %v", after.ID, before.ID)
	}
	if after := e.idOf(admin, "another"); after != made {
		t.Errorf("the topic that was made while keeper 3 was away is %v, it was %v", after, made)
	}
	p.check()
}

// idOf is a topic's, once its partitions are led.
func (e *ensemble) idOf(admin *kadm.Client, name string) kadm.TopicID {
	e.t.Helper()
	var id kadm.TopicID
	e.await("topic "+name, func() bool {
		ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Second)
		defer cancel()
		topics, err := admin.ListTopics(ctx, name)
		if err != nil || topics[name].Err != nil {
			return false
		}
		id = topics[name].ID
		for _, p := range topics[name].Partitions {
			if p.Err != nil || p.Leader < 0 {
				return false
			}
		}
		return len(topics[name].Partitions) > 0
	})
	return id
}
