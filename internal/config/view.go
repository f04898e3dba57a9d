package config

import (
	"maps"
	"strings"
)

// layers are a broker's settings as they were written, by where. Immutable.
type layers struct {
	static         map[string]string // file, environment and command line, by the row's own name
	clusterDynamic map[string]string // dynamic, for all brokers
	brokerDynamic  map[string]string // dynamic, for this one
}

// View is what every setting is at one moment, for a broker or for one topic on it. It is immutable and
// shared: all topics without a setting of their own use the broker's, and the View of a topic with some
// holds only these.
type View struct {
	base   []any // by Def.index; the same slice for a broker and all its topics
	layers *layers
	own    []ownValue        // a topic's own values, parsed
	topic  map[string]string // and as they were written
}

type ownValue struct {
	index int
	value any
}

// Defaults is the View of a broker that was told nothing.
func Defaults() *View { return newView(&layers{}) }

func newView(l *layers) *View {
	v := &View{base: make([]any, len(table)), layers: l}
	for _, d := range table {
		v.base[d.index] = l.resolve(d)
	}
	return v
}

// WithDynamic returns the View with the dynamic settings of the cluster: those for all brokers, and those of
// this broker, as the metadata stores them. A value that does not parse is passed over, as if it were not there.
func (v *View) WithDynamic(cluster, broker map[string]string) *View {
	return newView(&layers{
		static:         v.layers.static,
		clusterDynamic: maps.Clone(cluster),
		brokerDynamic:  maps.Clone(broker),
	})
}

// ForTopic returns the View of a topic with the given settings of its own; it is v itself when there are
// none. The View keeps the map, which must not change any more.
func (v *View) ForTopic(own map[string]string) *View {
	if len(own) == 0 {
		return v
	}
	t := &View{base: v.base, layers: v.layers, topic: own, own: make([]ownValue, 0, len(own))}
	for name, written := range own {
		d := topics[name]
		if d == nil {
			continue
		}
		if value, err := d.Parse(written); err == nil {
			t.own = append(t.own, ownValue{d.index, value})
		}
	}
	return t
}

// Broker returns the View without a topic's own settings.
func (v *View) Broker() *View {
	if len(v.topic) == 0 {
		return v
	}
	return &View{base: v.base, layers: v.layers}
}

func (v *View) value(d *Def) any {
	for _, o := range v.own {
		if o.index == d.index {
			return o.value
		}
	}
	return v.base[d.index]
}

// resolve finds a setting's value: the first layer that has any name of its family, best name first.
func (l *layers) resolve(d *Def) any {
	names := d.Family
	if !d.Topic || names == nil {
		names = []Synonym{{Name: d.Name}}
	}
	if d.Topic && d.Family == nil {
		return d.value
	}
	for _, layer := range []map[string]string{l.brokerDynamic, l.clusterDynamic, l.static} {
		for _, name := range names {
			written, ok := layer[name.Name]
			if !ok {
				continue
			}
			if value, err := readSynonym(d, name, written); err == nil {
				return value
			}
		}
	}
	return d.value
}

// readSynonym reads the value of a broker's setting as that of a topic's, which may be in another unit.
func readSynonym(d *Def, name Synonym, written string) (any, error) {
	if d.auto && d.Topic && strings.TrimSpace(written) == "auto" { // a broker's own parser knows the word
		return Auto, nil
	}
	if name.Milliseconds == 0 {
		return d.Parse(written)
	}
	value, err := server[name.Name].Parse(written)
	if err != nil {
		return nil, err
	}
	n := int64(value.(int))
	if n < 0 {
		return int64(-1), nil
	}
	return n * name.Milliseconds, nil
}

// Text returns a setting's value as one would write it, and whether it has one. It is for setting names that
// only a file or a command line knows; rooms use handles.
func (v *View) Text(name string) (string, bool) {
	if written, ok := v.topic[name]; ok {
		return strings.TrimSpace(written), true
	}
	d := server[name]
	if d == nil {
		return "", false
	}
	for _, layer := range []map[string]string{v.layers.brokerDynamic, v.layers.clusterDynamic, v.layers.static} {
		if written, ok := layer[d.Name]; ok {
			return strings.TrimSpace(written), true
		}
	}
	return d.Default, !d.Null
}
