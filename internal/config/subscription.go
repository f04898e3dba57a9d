package config

// The settings of a subscription to clients' metrics (KIP-714): which clients push which metrics, how often. They are kept
// and told as Kafka does where no plug-in receives metrics: there too no client is asked for any.

// The range of interval.ms, in milliseconds.
const (
	MinPushIntervalMs = 100
	MaxPushIntervalMs = 3_600_000
)

// The names of a subscription's settings.
const (
	PushInterval  = "interval.ms"
	ClientMatch   = "match"
	PushedMetrics = "metrics"
)

var subscription = map[string]*Def{
	PushInterval: {Kind: Int, parse: parseInt, Row: Row{Name: PushInterval, Default: "300000",
		Doc: "How many milliseconds a client waits between two pushes of its metrics, 100 to 3600000."}},
	ClientMatch: {Kind: List, parse: parseSet, Row: Row{Name: ClientMatch,
		Doc: "Which clients are meant: a list of name=pattern, all of which have to match; an empty one means all clients."}},
	PushedMetrics: {Kind: List, parse: parseSet, Row: Row{Name: PushedMetrics,
		Doc: "Prefixes of the metrics' names, or `*` for all metrics."}},
}

// SubscriptionSetting finds a setting of a subscription by its name; nil when there is none.
func SubscriptionSetting(name string) *Def { return subscription[name] }

// parseSet reads a list whose elements are not empty; what is there twice counts once.
func parseSet(d *Def, value string) (any, error) {
	var set []string
	seen := map[string]bool{}
	for _, element := range splitList(value) {
		if element == "" {
			return nil, refusal("Configuration '" + d.Name + "' values must not be empty.")
		}
		if !seen[element] {
			seen[element] = true
			set = append(set, element)
		}
	}
	return set, nil
}

// DescribeSubscription answers DescribeConfigs for a subscription to clients' metrics that has these values. A subscription that
// nobody has made has the defaults.
func DescribeSubscription(own map[string]string) []Entry {
	var entries []Entry
	for _, name := range sortedKeys(subscription) {
		d := subscription[name]
		e := Entry{Name: name, Value: text(d.Default), Kind: d.Kind, Doc: d.Doc}
		if value, has := own[name]; has {
			if parsed, err := d.Parse(value); err == nil {
				value = d.print(parsed, 0)
			}
			e.Value = text(value)
			e.Synonyms = []SynonymEntry{{name, text(value), ClientMetrics}}
		}
		e.finish()
		entries = append(entries, e)
	}
	return entries
}
