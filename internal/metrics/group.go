package metrics

import "strconv"

// Group is the state of one consumer group that this broker coordinates, as a scrape shows it.
type Group struct {
	Name    string
	State   string // as DescribeGroups names it: Stable, Empty, PreparingRebalance …
	Members int
	Offsets []GroupOffset
}

// GroupOffset is how far a group has come in one partition.
type GroupOffset struct {
	Topic     string
	Partition int32
	Committed int64 // the offset it reads next
	End       int64 // the partition's high watermark; -1 when this broker does not know it
}

// GroupSource is whoever coordinates groups on this broker.
type GroupSource interface {
	// AppendGroups appends the state of all groups to the list and returns it.
	AppendGroups([]Group) []Group
}

// AddGroups shows the groups of source at every scrape.
func (r *Registry) AddGroups(source GroupSource) { r.Add(groups{source}) }

type groups struct{ source GroupSource }

// groupStates are the states that Kafka counts, and the end of their metric's name.
var groupStates = []struct{ state, suffix string }{
	{"PreparingRebalance", "preparingrebalance"}, {"CompletingRebalance", "completingrebalance"},
	{"Stable", "stable"}, {"Dead", "dead"}, {"Empty", "empty"},
}

// Collect writes Kafka's counts of groups, and kafka_exporter's gauges of members, offsets and lag. Idle groups
// are shown as well as busy ones: what matters is that they lag.
func (c groups) Collect(w *Writer) {
	list := c.source.AppendGroups(nil)
	const manager = "kafka_coordinator_group_groupmetadatamanager_"
	offsets := int64(0)
	states := map[string]int64{}
	for i := range list {
		offsets += int64(len(list[i].Offsets))
		states[list[i].State]++
	}
	w.Family(manager+"numgroups", GaugeType, "Groups that this broker coordinates.")
	w.Count(int64(len(list)))
	w.Family(manager+"numoffsets", GaugeType, "Offsets that these groups have committed.")
	w.Count(offsets)
	for _, s := range groupStates {
		w.Family(manager+"numgroups"+s.suffix, GaugeType, "Groups in the state "+s.state+".")
		w.Count(states[s.state])
	}
	w.Family("kafka_consumergroup_members", GaugeType, "Members of the group.")
	for i := range list {
		w.Count(int64(list[i].Members), "consumergroup", list[i].Name)
	}
	w.perPartition(list, "kafka_consumergroup_current_offset", "The offset that the group reads next.",
		func(o *GroupOffset) (int64, bool) { return o.Committed, true })
	w.perPartition(list, "kafka_consumergroup_lag", "How many offsets the group is behind the high watermark.",
		(*GroupOffset).lag)
	w.perTopic(list, "kafka_consumergroup_current_offset_sum", "The offsets that the group reads next, over a topic's partitions.",
		func(o *GroupOffset) (int64, bool) { return o.Committed, true })
	w.perTopic(list, "kafka_consumergroup_lag_sum", "How many offsets the group is behind, over a topic's partitions.",
		(*GroupOffset).lag)
}

func (o *GroupOffset) lag() (int64, bool) {
	return max(0, o.End-o.Committed), o.End >= 0
}

func (w *Writer) perPartition(list []Group, name, help string, value func(*GroupOffset) (int64, bool)) {
	w.Family(name, GaugeType, help)
	for i := range list {
		group := &list[i]
		for j := range group.Offsets {
			o := &group.Offsets[j]
			if n, known := value(o); known {
				w.Count(n, "consumergroup", group.Name, "topic", o.Topic,
					"partition", strconv.Itoa(int(o.Partition)))
			}
		}
	}
}

func (w *Writer) perTopic(list []Group, name, help string, value func(*GroupOffset) (int64, bool)) {
	w.Family(name, GaugeType, help)
	for i := range list {
		group := &list[i]
		sums := map[string]int64{}
		var order []string
		for j := range group.Offsets {
			o := &group.Offsets[j]
			n, known := value(o)
			if !known {
				continue
			}
			if _, seen := sums[o.Topic]; !seen {
				order = append(order, o.Topic)
			}
			sums[o.Topic] += n
		}
		for _, topic := range order {
			w.Count(sums[topic], "consumergroup", group.Name, "topic", topic)
		}
	}
}
