package config

import (
	"slices"
	"strconv"
	"strings"
)

// Source says where a value comes from. Its numbers are those of ConfigSource in DescribeConfigs.
type Source int8

// The sources of DescribeConfigs.
const (
	DynamicTopic          Source = 1
	DynamicBroker         Source = 2
	DynamicClusterDefault Source = 3
	StaticBroker          Source = 4
	Default               Source = 5
	ClientMetrics         Source = 7
)

// Entry is one setting as DescribeConfigs answers it.
type Entry struct {
	Name      string
	Value     *string // nil for null, and where it must not be shown
	ReadOnly  bool
	Source    Source
	Sensitive bool
	// Synonyms are all values that were given for the setting, the one that counts first.
	Synonyms []SynonymEntry
	Kind     Kind // 0 for a setting that is not Barnabas's
	Doc      string
}

// SynonymEntry is a value that was given for a setting, under this or another name, somewhere.
type SynonymEntry struct {
	Name   string
	Value  *string
	Source Source
}

// DescribeTopic answers DescribeConfigs for a topic: v is its View, and replicas its partitions' number of
// replicas, on which what is `auto` depends. The entries are in the order of their names.
func (v *View) DescribeTopic(replicas int) []Entry {
	var entries []Entry
	for _, name := range sortedKeys(topics) {
		d := topics[name]
		own, has := v.topic[name]
		if d.Null && !has {
			continue // Kafka's internal settings show only where they are set
		}
		e := Entry{Name: name, Kind: d.Kind, Doc: d.Doc, Sensitive: d.Sensitive()}
		if has {
			e.Synonyms = append(e.Synonyms, SynonymEntry{name, text(own), DynamicTopic})
		}
		e.Synonyms = append(e.Synonyms, v.layers.given(d.Family, first(d.Family), replicas)...)
		e.Value = text(d.print(v.value(d), replicas))
		e.finish()
		entries = append(entries, e)
	}
	return entries
}

// DescribeBroker answers DescribeConfigs for this broker, in a cluster of so many brokers. The entries are in the
// order of their names; a setting with two names appears under both.
func (v *View) DescribeBroker(brokers int) []Entry {
	var entries []Entry
	replicas := ReplicationFactor(Auto, brokers)
	for _, name := range sortedKeys(server) {
		d := server[name]
		e := Entry{Name: name, Kind: d.Kind, Doc: d.Doc, Sensitive: d.Sensitive(), ReadOnly: d.Update == ReadOnly}
		family := d.Family
		if family == nil {
			family = one(d.Name)
		}
		e.Synonyms = v.layers.given(family, name, replicas)
		if slices.Contains(d.Aliases, name) { // each of the two names is a setting to Kafka, and has its values under that name
			for i := range e.Synonyms {
				e.Synonyms[i].Name = name
			}
		}
		if written, ok := v.Broker().Text(d.Name); ok {
			e.Value = text(d.resolveAuto(written, replicas))
		}
		e.finish()
		entries = append(entries, e)
	}
	entries = append(entries, v.layers.describeUnlisted()...)
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries
}

// describeUnlisted answers for the dynamic settings of this broker that have no row: those of plug-ins, of listeners,
// and Kafka's own without a meaning here.
func (l *layers) describeUnlisted() []Entry {
	names := map[string]bool{}
	for _, layer := range []map[string]string{l.brokerDynamic, l.clusterDynamic, l.static} {
		for name := range layer {
			names[name] = server[name] == nil
		}
	}
	var entries []Entry
	for _, name := range sortedKeys(names) {
		if !names[name] {
			continue
		}
		e := Entry{Name: name, Sensitive: sensitiveUnlisted(name), ReadOnly: !dynamicUnlisted(name)}
		if value, ok := l.static[name]; ok {
			e.Value, e.Synonyms = text(value), []SynonymEntry{{name, text(value), StaticBroker}}
		}
		if value, ok := l.clusterDynamic[name]; ok {
			e.Value, e.Synonyms = text(value), append([]SynonymEntry{{name, text(value), DynamicClusterDefault}}, e.Synonyms...)
		}
		if value, ok := l.brokerDynamic[name]; ok {
			e.Value, e.Synonyms = text(value), append([]SynonymEntry{{name, text(value), DynamicBroker}}, e.Synonyms...)
		}
		if base := listenerPrefix().ReplaceAllString(name, ""); base != name && server[base] != nil { // which it stands before
			e.Synonyms = append(e.Synonyms, l.given(one(base), base, 0)...)
		}
		e.finish()
		entries = append(entries, e)
	}
	return entries
}

// DescribeClusterDefaults answers DescribeConfigs for the settings that all brokers share: only what is set.
func (v *View) DescribeClusterDefaults() []Entry {
	var entries []Entry
	for _, name := range sortedKeys(v.layers.clusterDynamic) {
		value := v.layers.clusterDynamic[name]
		e := Entry{Name: name, Value: text(value), Sensitive: sensitiveUnlisted(name), ReadOnly: !dynamicUnlisted(name)}
		if d := server[name]; d != nil {
			e.Kind, e.Doc, e.Sensitive, e.ReadOnly = d.Kind, d.Doc, d.Sensitive(), d.Update == ReadOnly
		}
		e.Synonyms = []SynonymEntry{{name, text(value), DynamicClusterDefault}}
		e.finish()
		entries = append(entries, e)
	}
	return entries
}

// finish derives the source, and hides what is sensitive.
func (e *Entry) finish() {
	if e.Name == KeeperConnect.Name || slices.Contains(KeeperConnect.Aliases, e.Name) {
		e.hidePassword()
	}
	e.Source = Default
	if len(e.Synonyms) > 0 {
		e.Source = e.Synonyms[0].Source
	}
	if !e.Sensitive {
		return
	}
	e.Value = nil
	for i := range e.Synonyms {
		e.Synonyms[i].Value = nil
	}
}

// hidePassword shows all of an address but the password in it.
func (e *Entry) hidePassword() {
	if e.Value != nil {
		e.Value = text(withoutPassword(*e.Value))
	}
	for i, s := range e.Synonyms {
		if s.Value != nil {
			e.Synonyms[i].Value = text(withoutPassword(*s.Value))
		}
	}
}

// given lists the values of a family of broker's settings in Kafka's order: by layer, then by name. As in
// Kafka, what comes before the first value under the setting's own name is not listed: a topic's
// retention.ms that log.retention.hours decides is said to be a default, without synonyms.
func (l *layers) given(family []Synonym, own string, replicas int) []SynonymEntry {
	var list []SynonymEntry
	for _, layer := range []struct {
		values map[string]string
		source Source
	}{
		{l.brokerDynamic, DynamicBroker},
		{l.clusterDynamic, DynamicClusterDefault},
		{l.static, StaticBroker},
	} {
		for _, synonym := range family {
			if value, ok := layer.values[synonym.Name]; ok {
				value = server[synonym.Name].resolveAuto(value, replicas)
				list = append(list, SynonymEntry{synonym.Name, text(value), layer.source})
			}
		}
	}
	for _, synonym := range family {
		if d := server[synonym.Name]; !d.Null {
			list = append(list, SynonymEntry{synonym.Name, text(d.resolveAuto(d.Default, replicas)), Default})
		}
	}
	if !slices.ContainsFunc(family, func(s Synonym) bool { return s.Name == own }) {
		return list
	}
	for len(list) > 0 && list[0].Name != own {
		list = list[1:]
	}
	return list
}

// first is the setting of the broker that a topic's is named after.
func first(family []Synonym) string {
	if len(family) == 0 {
		return ""
	}
	return family[0].Name
}

// resolveAuto replaces `auto` by the number that it stands for: clients expect a number.
func (d *Def) resolveAuto(written string, replicas int) string {
	if !d.auto || strings.TrimSpace(written) != "auto" {
		return written
	}
	switch d.Name {
	case MinInsyncReplicas.Name:
		return strconv.Itoa(autoMinISR(replicas))
	case DataBudget.Name:
		return written // each directory's own
	}
	return strconv.Itoa(replicas)
}

// print writes a topic's value as Kafka does.
func (d *Def) print(value any, replicas int) string {
	if n, ok := value.(int); ok && d.auto && n == Auto {
		return d.resolveAuto("auto", replicas)
	}
	if list, ok := value.([]string); ok {
		return strings.Join(list, ",")
	}
	return javaNumber(value)
}

func text(s string) *string { return &s }
