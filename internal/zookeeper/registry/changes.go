package registry

import (
	"slices"
	"strconv"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/zookeeper/jute"
)

// changes are what a step of the metadata does to nodes.
func (p *Picture) changes(before *metadata.Image, d *metadata.Delta) (events []Event) {
	if d.Cluster {
		events = p.clusterChanges(before)
	}
	if d.Controller {
		events = append(events, controllerChanges(before, p.image)...)
	}
	for _, c := range d.Brokers {
		events = append(events, brokerChanges(c)...)
		if c.Old == nil || c.New == nil || c.Old.Epoch != c.New.Epoch {
			p.ids = d.To
		}
	}
	events = append(events, p.topicChanges(d)...)
	for _, r := range d.Configs {
		events = append(events, p.configChange(before, r)...)
	}
	return append(events, p.follow(d)...)
}

// clusterChanges are the nodes that come and go with the cluster's identity.
func (p *Picture) clusterChanges(before *metadata.Image) (events []Event) {
	switch had, has := !before.ClusterID().IsZero(), p.Exists(); {
	case had && has:
		return []Event{{jute.EventDataChanged, clusterIDPath}}
	case has:
		for _, path := range always {
			events = append(events, Event{jute.EventCreated, path})
		}
	default:
		for _, path := range slices.Backward(always) {
			events = append(events, Event{jute.EventDeleted, path})
		}
	}
	return events
}

func controllerChanges(before, after *metadata.Image) (events []Event) {
	old, now := before.Controller(), after.Controller()
	if old.Broker != ident.NoBroker {
		events = append(events, Event{jute.EventDeleted, controllerPath})
	}
	if now.Broker == ident.NoBroker {
		return events
	}
	return append(events, Event{jute.EventCreated, controllerPath}, Event{jute.EventDataChanged, controllerEpochPath})
}

func brokerChanges(c metadata.BrokerChange) (events []Event) {
	path := idsPath + "/" + strconv.Itoa(int(c.ID))
	if c.Old != nil && c.New != nil && c.Old.Epoch == c.New.Epoch {
		return []Event{{jute.EventDataChanged, path}}
	}
	if c.Old != nil {
		events = append(events, Event{jute.EventDeleted, path})
	}
	if c.New != nil {
		events = append(events, Event{jute.EventCreated, path})
	}
	return events
}

func (p *Picture) topicChanges(d *metadata.Delta) (events []Event) {
	// grown are the topics whose own node is told of already.
	grown := make(map[string]bool)
	for _, c := range d.Topics {
		switch {
		case c.Old == nil:
			p.topics = d.To
			grown[c.New.Name] = true
			path := topicsPath + "/" + c.New.Name
			events = append(events, Event{jute.EventCreated, path}, Event{jute.EventCreated, path + partitionsName},
				Event{jute.EventCreated, topicConfigsPath + "/" + c.New.Name})
		case c.New == nil:
			p.topics = d.To
			p.tidy(c.Old)
		default:
			grown[c.New.Name] = true
			events = append(events, Event{jute.EventDataChanged, topicsPath + "/" + c.New.Name})
		}
	}
	for i := range d.Partitions {
		c := &d.Partitions[i]
		topic := topicsPath + "/" + c.Topic
		path := topic + partitionsName + "/" + strconv.Itoa(int(c.Number))
		switch {
		case c.Old == nil:
			events = append(events, Event{jute.EventCreated, path}, Event{jute.EventCreated, path + stateName})
		case c.New == nil:
			events = append(events, Event{jute.EventDeleted, path + stateName}, Event{jute.EventDeleted, path})
		default:
			events = append(events, Event{jute.EventDataChanged, path + stateName})
			if !grown[c.Topic] && !sameAssignment(c.Old, c.New) {
				grown[c.Topic] = true
				events = append(events, Event{jute.EventDataChanged, topic})
			}
		}
	}
	for _, c := range d.Topics {
		if c.New == nil {
			path := topicsPath + "/" + c.Old.Name
			events = append(events, Event{jute.EventDeleted, path + partitionsName}, Event{jute.EventDeleted, path},
				Event{jute.EventDeleted, topicConfigsPath + "/" + c.Old.Name})
		}
	}
	return events
}

func sameAssignment(a, b *metadata.Partition) bool {
	return slices.Equal(a.Replicas, b.Replicas) && slices.Equal(a.Adding, b.Adding) && slices.Equal(a.Removing, b.Removing)
}

func (p *Picture) configChange(before *metadata.Image, r metadata.Resource) []Event {
	switch r.Type {
	case metadata.TopicResource:
		if before.Topic(r.Name) == nil || p.image.Topic(r.Name) == nil {
			return nil // its node comes or goes with the topic
		}
		return []Event{{jute.EventDataChanged, topicConfigsPath + "/" + r.Name}}
	case metadata.BrokerResource:
		kind := jute.EventDataChanged
		switch {
		case before.Config(r) == nil:
			kind = jute.EventCreated
		case p.image.Config(r) == nil:
			kind = jute.EventDeleted
		}
		return []Event{{kind, brokerConfigsPath + "/" + entityOf(r)}}
	}
	return nil
}
