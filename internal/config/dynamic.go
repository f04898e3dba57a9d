package config

import (
	"fmt"
	"strings"
)

// refusal is an error whose words are exactly Kafka's.
type refusal string

func (r refusal) Error() string { return string(r) }

// CheckTopic checks the settings that a topic is to have of its own, all together, on a broker with the given
// View. The error is worded as Kafka's, which answers INVALID_CONFIG with it.
func CheckTopic(v *View, own map[string]string) error {
	names := sortedKeys(own)
	for _, name := range names {
		if topics[name] == nil {
			return refusal("Unknown topic config name: " + name)
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
		return refusal("Tiered Storage functionality is disabled in the broker. " +
			"Topic cannot be configured with remote log storage.")
	}
	return nil
}

// CheckDynamic checks the dynamic settings that one broker, or all of them, are to have. The
// error is worded as Kafka's, which answers INVALID_REQUEST with it. A name that nobody knows is allowed, as
// Kafka allows it for its plug-ins.
func CheckDynamic(values map[string]string, oneBroker bool) error {
	var fixed, perListener, perBroker []string
	for _, name := range sortedKeys(values) {
		d, base := server[name], listenerPrefix().ReplaceAllString(name, "")
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
		if d := server[listenerPrefix().ReplaceAllString(name, "")]; d != nil {
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

// cleanerThreadBytes is what each thread of the cleaner must have more than of the dedupe buffer, as in Kafka.
const cleanerThreadBytes = 1 << 20

// CheckTogether checks the settings of a broker that mean something only with others. The error is worded as
// Kafka's, which refuses to start with it, and answers INVALID_REQUEST where a dynamic setting is the cause.
func CheckTogether(v *View) error {
	threads, buffer := int64(CleanerThreads.In(v)), CleanerDedupeBuffer.In(v)
	if threads > 0 && buffer/threads <= cleanerThreadBytes {
		return refusal("requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.")
	}
	return nil
}

func refuseNames(why string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return refusal(why + ": [" + strings.Join(names, ", ") + "]")
}

func clusterWideListener(base string) bool {
	return base == MaxConnections.Name || base == MaxConnectionCreationRate.Name || base == "num.network.threads"
}
