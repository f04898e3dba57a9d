package config

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Kind is the type of a setting. Its numbers are those of ConfigType in DescribeConfigs.
type Kind int8

// The kinds of settings that Kafka knows.
const (
	Boolean  Kind = 1
	String   Kind = 2
	Int      Kind = 3
	Short    Kind = 4
	Long     Kind = 5
	Double   Kind = 6
	List     Kind = 7
	Class    Kind = 8
	Password Kind = 9
)

var kindNames = [...]string{
	Boolean: "boolean", String: "string", Int: "int", Short: "short", Long: "long",
	Double: "double", List: "list", Class: "class", Password: "password",
}

// String is the kind as Kafka's documentation prints it.
func (k Kind) String() string { return kindNames[k] }

// UpdateMode says how a broker's setting may change while it runs (KIP-226).
type UpdateMode uint8

// The update modes, named in the reference page as Kafka names them.
const (
	ReadOnly    UpdateMode = iota // a restart is needed
	PerBroker                     // each broker has its own dynamic value
	ClusterWide                   // one dynamic value for all, which a broker's own overrides
)

var updateModeNames = [...]string{
	ReadOnly: "read-only", PerBroker: "per-broker", ClusterWide: "cluster-wide",
}

// String is the mode as Kafka's documentation prints it.
func (m UpdateMode) String() string { return updateModeNames[m] }

// Room names a part of Barnabas that reads a setting.
type Room string

// The rooms that read settings.
const (
	inAPI         Room = "api"
	inBroker      Room = "broker"
	inController  Room = "controller"
	inGroup       Room = "group"
	inKeeper      Room = "keeper"
	inReplication Room = "replication"
	inServer      Room = "server"
	inStorage     Room = "storage"
	inTLSStore    Room = "tlsstore"
)

// Row is one line of the table: everything said about a setting but its type.
type Row struct {
	Name string
	// Default is the value as one would write it; Null means that there is none.
	Default string
	Null    bool
	// Kafka is Kafka's own default where ours differs, with Why.
	Kafka, Why string
	Doc        string
	Update     UpdateMode
	Room       Room
	// Family are the names that mean the same setting, best first, this row's own included
	// (log.retention.ms, log.retention.minutes, log.retention.hours).
	Family []Synonym
	// Aliases are other names under which a configuration file may give this row's value.
	Aliases []string
	// auto allows the word `auto`, which the handle returns as Auto.
	auto  bool
	check check
}

// Synonym is a broker's setting that stands in for another, in a unit of its own.
type Synonym struct {
	Name string
	// Milliseconds is how many milliseconds one of its units has; 0 means that the value needs no conversion.
	Milliseconds int64
	// Default is the value by which a family's default is written: log.retention.hours is 168, and the others
	// are null. A family of one needs none.
	Default string
}

// Def is a row that has its place in the table.
type Def struct {
	Row
	Kind  Kind
	Topic bool // a topic's setting; a broker's otherwise
	index int
	value any // the default, parsed
	parse func(*Def, string) (any, error)
}

// Setting is the typed handle of a row.
type Setting[T any] struct{ *Def }

// In returns the setting's value as the view resolves it. It does not allocate.
func (s Setting[T]) In(v *View) T { return v.value(s.Def).(T) }

// Parse reads a value as a configuration file would give it, and checks it. The error is worded
// as Kafka words it.
func (s Setting[T]) Parse(value string) (T, error) {
	parsed, err := s.Def.Parse(value)
	if err != nil {
		var none T
		return none, err
	}
	return parsed.(T), nil
}

// Parse reads and checks a value. Its dynamic type is that of the handle.
func (d *Def) Parse(value string) (any, error) { return d.parse(d, value) }

// Sensitive reports whether the value must never be shown.
func (d *Def) Sensitive() bool { return d.Kind == Password }

// The table: rows in the order of their declaration, and by name. Filled while the package is
// initialised, and never written afterwards.
var (
	table  []*Def
	topics = map[string]*Def{}
	server = map[string]*Def{}
)

// Table returns all rows: the broker's and the topic's.
func Table() []*Def { return slices.Clone(table) }

// BrokerSetting finds a broker's setting by its name or one of its aliases; nil when there is none.
func BrokerSetting(name string) *Def { return server[name] }

// TopicSetting finds a topic's setting by its name; nil when there is none.
func TopicSetting(name string) *Def { return topics[name] }

func define[T any](row Row, kind Kind, topic bool, parse func(*Def, string) (any, error)) Setting[T] {
	d := &Def{Row: row, Kind: kind, Topic: topic, index: len(table), parse: parse}
	switch {
	case row.Null:
		var none T
		d.value = none
	case row.auto && topic:
		d.value = Auto
	default:
		v, err := d.Parse(row.Default)
		if err != nil {
			panic(fmt.Sprintf("config: the default of %s: %v", row.Name, err))
		}
		d.value = v
	}
	names := server
	if topic {
		names = topics
	}
	enter(names, row.Name, d)
	for _, alias := range row.Aliases {
		enter(names, alias, d)
	}
	table = append(table, d)
	return Setting[T]{d}
}

func enter(names map[string]*Def, name string, d *Def) {
	if names[name] != nil {
		panic("config: two rows for " + name)
	}
	names[name] = d
}

// milliseconds turns a count of milliseconds into a Duration. What a Duration can't hold becomes the
// longest one, and a negative count, Kafka's "none", becomes -1.
func milliseconds(ms int64) time.Duration {
	switch {
	case ms < 0:
		return -1
	case ms > math.MaxInt64/int64(time.Millisecond):
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}
