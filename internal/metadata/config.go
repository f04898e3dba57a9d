package metadata

import (
	"iter"

	"github.com/google/btree"
)

// ResourceType is the kind of thing that dynamic settings belong to, as its keys spell it.
type ResourceType string

const (
	TopicResource         ResourceType = "topic"
	BrokerResource        ResourceType = "broker"
	GroupResource         ResourceType = "group"
	ClientMetricsResource ResourceType = "client-metrics"
)

// Resource is something that dynamic settings belong to. The BrokerResource without a name stands
// for the default of all brokers.
type Resource struct {
	Type ResourceType
	Name string
}

// configIndex holds the settings of each resource that has any.
type configIndex struct{ tree *btree.BTreeG[configEntry] }

type configEntry struct {
	resource Resource
	values   map[string]string
}

func newConfigIndex() configIndex {
	return configIndex{btree.NewG(topicDegree, func(a, b configEntry) bool {
		if a.resource.Type != b.resource.Type {
			return a.resource.Type < b.resource.Type
		}
		return a.resource.Name < b.resource.Name
	})}
}

func (x configIndex) clone() configIndex { return configIndex{x.tree.Clone()} }

func (x configIndex) get(r Resource) map[string]string {
	entry, _ := x.tree.Get(configEntry{resource: r})
	return entry.values
}

func (x configIndex) set(r Resource, values map[string]string) {
	if len(values) == 0 {
		x.tree.Delete(configEntry{resource: r})
		return
	}
	x.tree.ReplaceOrInsert(configEntry{r, values})
}

func (x configIndex) ofType(t ResourceType) iter.Seq2[string, map[string]string] {
	return func(yield func(string, map[string]string) bool) {
		from := configEntry{resource: Resource{Type: t}}
		x.tree.AscendGreaterOrEqual(from, func(e configEntry) bool {
			return e.resource.Type == t && yield(e.resource.Name, e.values)
		})
	}
}
