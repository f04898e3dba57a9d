package config

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnknownName is wrapped by what CheckTopic says of a name that is no topic's setting.
var ErrUnknownName = errors.New("unknown setting")

// refusal is an error whose words are exactly Kafka's, and which may wrap a kind.
type refusal struct {
	words string
	kind  error
}

func (r refusal) Error() string { return r.words }
func (r refusal) Unwrap() error { return r.kind }

// CheckTopic checks the settings that a topic is to have of its own, all together, on a broker with the given
// View. The error is worded as Kafka's, which answers INVALID_CONFIG with it.
func CheckTopic(v *View, own map[string]string) error {
	names := sortedKeys(own)
	for _, name := range names {
		if topics[name] == nil {
			return refusal{"Unknown topic config name: " + name, ErrUnknownName}
		}
	}
	for _, name := range names {
		if _, err := topics[name].Parse(own[name]); err != nil {
			return err
		}
	}
	t := v.ForTopic(own)
	if low, high := MinCompactionLagMs.In(t), MaxCompactionLagMs.In(t); low > high {
		return fmt.Errorf("conflict topic config setting %s (%d) > %s (%d)",
			MinCompactionLagMs.Name, low, MaxCompactionLagMs.Name, high)
	}
	if RemoteStorageEnable.In(t) {
		return refusal{"Tiered Storage functionality is disabled in the broker. " +
			"Topic cannot be configured with remote log storage.", nil}
	}
	return nil
}

// CheckDynamic checks the dynamic settings that one broker, or all of them, are to have. The
// error is worded as Kafka's, which answers INVALID_REQUEST with it. A name that nobody knows is allowed, as
// Kafka allows it for its plug-ins.
func CheckDynamic(values map[string]string, oneBroker bool) error {
	var fixed, perListener, perBroker []string
	for _, name := range sortedKeys(values) {
		d, base := server[name], listenerPrefix.ReplaceAllString(name, "")
		prefixed := base != name
		switch {
		case d != nil && d.Update == ReadOnly || d == nil && !prefixed && fixedInKafka(name):
			fixed = append(fixed, name)
		case !prefixed && listenerSecurity(name):
			perListener = append(perListener, name)
		case d != nil && d.Update == PerBroker, d == nil && dynamicPerBroker(name), prefixed && !clusterWideListener(base):
			perBroker = append(perBroker, name)
		}
	}
	if err := refuseNames("Cannot update these configs dynamically", fixed); err != nil {
		return err
	}
	if err := refuseNames("These security configs can be dynamically updated only per-listener using the listener prefix", perListener); err != nil {
		return err
	}
	for _, name := range sortedKeys(values) {
		if d := server[listenerPrefix.ReplaceAllString(name, "")]; d != nil {
			if _, err := d.Parse(values[name]); err != nil {
				return err
			}
		}
	}
	if oneBroker {
		return nil
	}
	return refuseNames("Cannot update these configs at default cluster level, broker id must be specified", perBroker)
}

func refuseNames(why string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return refusal{why + ": [" + strings.Join(names, ", ") + "]", nil}
}

func clusterWideListener(base string) bool {
	return base == MaxConnections.Name || base == MaxConnectionCreationRate.Name || base == "num.network.threads"
}

// Level is whose settings an operation is on.
type Level int8

// The levels.
const (
	TopicLevel Level = iota
	BrokerLevel
)

// IsList reports whether a setting is a list, to which values can be appended; and whether there is
// such a setting.
func IsList(level Level, name string) (list, known bool) {
	d := topics[name]
	if level == BrokerLevel {
		d = server[name]
	}
	if d == nil {
		return false, false
	}
	return d.Kind == List, true
}

// Append adds the values of a list to those a setting has, leaving out what is there already; an unset one
// starts from its default (KIP-339). The setting must be a list.
func Append(level Level, name string, current *string, values string) string {
	list := currentList(level, name, current)
	for _, value := range splitList(values) {
		if !contains(list, value) {
			list = append(list, value)
		}
	}
	return strings.Join(list, ",")
}

// Subtract takes the values of a list out of those a setting has. The setting must be a list.
func Subtract(level Level, name string, current *string, values string) string {
	var left []string
	remove := splitList(values)
	for _, value := range currentList(level, name, current) {
		if !contains(remove, value) {
			left = append(left, value)
		}
	}
	return strings.Join(left, ",")
}

func currentList(level Level, name string, current *string) []string {
	if current != nil {
		return splitList(*current)
	}
	d := topics[name]
	if level == BrokerLevel {
		d = server[name]
	}
	if d == nil {
		return nil
	}
	return splitList(d.Default)
}
