package broker

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/metadata"
	"barnabas/internal/topicfile"
)

// declaredPlan is what is to be done so that the cluster's topics are as their documents say.
type declaredPlan struct {
	create  []controller.NewTopic
	grow    []controller.MorePartitions
	move    []controller.Reassignment // to have more replicas, or fewer
	alter   []controller.AlterResource
	remove  []controller.TopicRef
	pending map[string]bool // the topics of all of these
	// problems are what documents ask for and can't have.
	problems []topicfile.Problem
}

// planDeclared compares documents with the cluster. A topic that has no document, and a setting that its document does not name, stay
// as they are; nothing is deleted that is not said to be.
func planDeclared(set *topicfile.Set, image *metadata.Image, deletable bool) declaredPlan {
	plan := declaredPlan{pending: map[string]bool{}, problems: slices.Clone(set.Problems)}
	for i := range set.Topics {
		plan.topic(&set.Topics[i], image, deletable)
	}
	return plan
}

func (p *declaredPlan) problem(t *topicfile.Topic, format string, args ...any) {
	p.problems = append(p.problems, topicfile.Problem{Where: t.Where, Topic: t.Name, Message: fmt.Sprintf(format, args...)})
}

func (p *declaredPlan) topic(t *topicfile.Topic, image *metadata.Image, deletable bool) {
	topic := image.Topic(t.Name)
	switch {
	case t.Delete && topic == nil:
	case t.Delete && !deletable:
		p.problem(t, "it shall be deleted, and delete.topic.enable is false")
	case t.Delete:
		p.remove = append(p.remove, controller.TopicRef{Name: t.Name})
		p.pending[t.Name] = true
	case topic == nil:
		p.create = append(p.create, declaredTopic(t))
		p.pending[t.Name] = true
	default:
		p.adapt(t, topic, image)
	}
}

// adapt plans the differences of a topic that is there.
func (p *declaredPlan) adapt(t *topicfile.Topic, topic *metadata.Topic, image *metadata.Image) {
	switch have := topic.NumPartitions(); {
	case t.Partitions > have:
		p.grow = append(p.grow, controller.MorePartitions{Topic: t.Name, Count: t.Partitions})
		p.pending[t.Name] = true
	case t.Partitions >= 0 && t.Partitions < have:
		p.problem(t, "it has %d partitions, and a topic can't have fewer than it has: write %d, or make another topic", have, have)
	}
	if t.Replicas > 0 {
		begin, differ, why := controller.Resize(image, topic, int(t.Replicas))
		if why != "" {
			p.problem(t, "it can't have other than %d replicas yet: %s", len(topic.Partition(0).Replicas), why)
		}
		p.move = append(p.move, begin...)
		if differ > 0 && why == "" {
			p.pending[t.Name] = true // and it stays so until all have been copied
		}
	}
	resource := metadata.Resource{Type: metadata.TopicResource, Name: t.Name}
	if changes := configChanges(t, image.Config(resource)); len(changes) > 0 {
		p.alter = append(p.alter, controller.AlterResource{Resource: resource, Changes: changes})
		p.pending[t.Name] = true
	}
}

func configChanges(t *topicfile.Topic, have map[string]string) []controller.ConfigChange {
	var changes []controller.ConfigChange
	for _, name := range slices.Sorted(maps.Keys(t.Config)) {
		value := t.Config[name]
		if now, set := have[name]; !set || now != value {
			changes = append(changes, controller.ConfigChange{Name: name, Op: controller.ConfigSet, Value: &value})
		}
	}
	for _, name := range t.Reset {
		if _, set := have[name]; set {
			changes = append(changes, controller.ConfigChange{Name: name, Op: controller.ConfigDelete})
		}
	}
	return changes
}

func declaredTopic(t *topicfile.Topic) controller.NewTopic {
	return newTopic(config.NewTopic{
		Name: t.Name, Partitions: int(t.Partitions), Replicas: int(t.Replicas), Configs: t.Config,
	})
}

// words are the plan as a line of the log.
func (p *declaredPlan) words() string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", what, n))
		}
	}
	add(len(p.create), "create")
	add(len(p.grow), "lengthen")
	add(len(p.move), "give more or fewer replicas to partitions:")
	add(len(p.alter), "set settings of")
	add(len(p.remove), "delete")
	return strings.Join(parts, ", ")
}
