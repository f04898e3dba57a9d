package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/kubernetes"
	"barnabas/internal/metrics"
	"barnabas/internal/overview"
	"barnabas/internal/topicfile"
)

// Topics may be declared in files. Every broker that has the directory reads it and compares, so that each can tell what is wrong;
// the one that is the controller carries out. There is nothing to remember: what differs is done, whenever it differs.

// declared is what a broker knows of the documents. A nil one knows of none.
type declared struct {
	dir    string
	status atomic.Pointer[overview.Declared]
	said   map[string]bool // the problems that the log has; the goroutine's
}

const (
	// namedPending and namedProblems bound what a status, and the log, name of them.
	namedPending  = 100
	namedProblems = 100
)

func (b *Broker) newDeclared() *declared {
	dir := config.TopicsDir.In(b.config.View())
	if dir == "" {
		return nil
	}
	return &declared{dir: dir, said: map[string]bool{}}
}

// keepDeclared compares the documents with the cluster, now and then, until ctx ends.
func (b *Broker) keepDeclared(ctx context.Context) {
	if b.declared == nil {
		return
	}
	for ctx.Err() == nil {
		b.compareDeclared(ctx)
		pause(ctx, config.TopicsInterval.In(b.config.View()))
	}
}

// compareDeclared reads the documents, and where this broker is the controller does what they ask for.
func (b *Broker) compareDeclared(ctx context.Context) {
	set := topicfile.ReadDir(b.declared.dir)
	plan := planDeclared(set, b.feed.Current(), config.DeleteTopicEnable.In(b.settings.view()))
	if plan.words() != "" && b.controller.Elected() {
		plan.problems = append(plan.problems, b.carryOut(ctx, set, &plan)...)
		if ctx.Err() != nil {
			return
		}
		after := planDeclared(set, b.feed.Current(), true)
		plan.pending = after.pending
	}
	b.declared.tell(b, set, &plan)
}

// carryOut asks the controller for what a plan has, and returns what it refused.
func (b *Broker) carryOut(ctx context.Context, set *topicfile.Set, plan *declaredPlan) (refused []topicfile.Problem) {
	b.logger.Info("topics are not as their documents say", "to do", plan.words())
	outcome := func(name string, err error, done string) {
		switch {
		case err == nil:
			b.logger.Info("topic becomes as its document says", "topic", name, "done", done)
		case errors.Is(err, controller.ErrTopicExists), errors.Is(err, controller.ErrNotController):
		default:
			refused = append(refused, topicfile.Problem{Where: whereOf(set, name), Topic: name, Message: "it could not be " + done + ": " + err.Error()})
		}
	}
	made, err := b.controller.CreateTopics(ctx, plan.create, false)
	for i, t := range plan.create {
		outcome(t.Name, outcomeAt(err, i, func(i int) error { return made[i].Err }), "created")
	}
	grown, err := b.controller.CreatePartitions(ctx, plan.grow, false)
	for i, t := range plan.grow {
		outcome(t.Topic, outcomeAt(err, i, func(i int) error { return grown[i] }), fmt.Sprintf("given %d partitions", t.Count))
	}
	moved, err := b.controller.AlterReassignments(ctx, plan.move, true)
	for i, r := range plan.move {
		outcome(r.Topic, outcomeAt(err, i, func(i int) error { return moved[i] }), fmt.Sprintf("given the replicas %v of partition %d", r.Replicas, r.Partition))
	}
	altered, err := b.controller.AlterConfigs(ctx, plan.alter, false)
	for i, r := range plan.alter {
		outcome(r.Resource.Name, outcomeAt(err, i, func(i int) error { return altered[i] }), "given its settings")
	}
	removed, err := b.controller.DeleteTopics(ctx, plan.remove)
	for i, t := range plan.remove {
		outcome(t.Name, outcomeAt(err, i, func(i int) error { return removed[i].Err }), "deleted")
	}
	return refused
}

// outcomeAt is what became of one item: the whole request's error, or its own.
func outcomeAt(whole error, i int, own func(int) error) error {
	if whole != nil {
		return whole
	}
	return own(i)
}

func whereOf(set *topicfile.Set, name string) string {
	for i := range set.Topics {
		if set.Topics[i].Name == name {
			return set.Topics[i].Where
		}
	}
	return ""
}

// tell publishes how things stand, and says each problem once.
func (d *declared) tell(b *Broker, set *topicfile.Set, plan *declaredPlan) {
	status := &overview.Declared{Directory: d.dir, Topics: len(set.Topics), Pending: []string{}, Problems: []string{}}
	for i := range set.Topics {
		if name := set.Topics[i].Name; plan.pending[name] && len(status.Pending) < namedPending {
			status.Pending = append(status.Pending, name)
		}
	}
	now := map[string]bool{}
	for i, p := range plan.problems {
		if i == namedProblems {
			status.Problems = append(status.Problems, fmt.Sprintf("… and %d more", len(plan.problems)-i))
			break
		}
		text := p.String()
		status.Problems, now[text] = append(status.Problems, text), true
		if d.said[text] {
			continue
		}
		b.logger.Warn("a KafkaTopic document is not followed", "where", p.Where, "topic", p.Topic, "why", p.Message)
		if b.controller.Elected() {
			b.say(kubernetes.Warning, "TopicNotFollowed", "%s", text)
		}
	}
	d.said = now
	d.status.Store(status)
}

func (d *declared) current() *overview.Declared {
	if d == nil {
		return nil
	}
	return d.status.Load()
}

func (d *declared) warnings() []string {
	status := d.current()
	if status == nil {
		return nil
	}
	return slices.Clone(status.Problems)
}

// DeclaredTopics implements metrics.PodSource.
func (b *Broker) DeclaredTopics() (metrics.Declared, bool) {
	status := b.declared.current()
	if status == nil {
		return metrics.Declared{}, false
	}
	return metrics.Declared{Topics: status.Topics, Pending: len(status.Pending), Problems: len(status.Problems)}, true
}

// DroppedEvents implements metrics.PodSource.
func (b *Broker) DroppedEvents() int64 { return b.around.events.Dropped() }
