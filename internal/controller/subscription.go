package controller

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"barnabas/internal/config"
)

// matchable is what a subscription to clients' metrics may choose clients by (KIP-714).
var matchable = []string{
	"client_instance_id", "client_id", "client_software_name", "client_software_version",
	"client_source_address", "client_source_port",
}

// checkSubscription checks all settings of a subscription to clients' metrics, in Kafka's order and with its words: what it
// takes for a wrong request, and what for a wrong setting.
func checkSubscription(name string, values map[string]string) error {
	if name == "" {
		return refuse(ErrInvalidRequest, "Subscription name can't be empty")
	}
	names := slices.Sorted(maps.Keys(values))
	for _, setting := range names {
		if config.SubscriptionSetting(setting) == nil {
			return refuse(ErrInvalidRequest, "Unknown client metrics configuration: %s", setting)
		}
	}
	parsed := make(map[string]any, len(values))
	for _, setting := range names {
		value, err := config.SubscriptionSetting(setting).Parse(values[setting])
		if err != nil {
			return refuse(ErrInvalidConfig, "%s", err.Error())
		}
		parsed[setting] = value
	}
	if ms, set := parsed[config.PushInterval].(int); set && (ms < config.MinPushIntervalMs || ms > config.MaxPushIntervalMs) {
		return refuse(ErrInvalidRequest, "Invalid value %d for %s, interval must be between %d and %d (1 hour)",
			ms, config.PushInterval, config.MinPushIntervalMs, config.MaxPushIntervalMs)
	}
	patterns, _ := parsed[config.ClientMatch].([]string)
	for _, pattern := range patterns {
		if !validMatch(pattern) {
			return refuse(ErrInvalidConfig, "Illegal client matching pattern: %s", pattern)
		}
	}
	return nil
}

// validMatch wants name=pattern, with no equals sign more but at its end. The pattern is one of RE2, as in Kafka 4.4.
func validMatch(pattern string) bool {
	name, expression, _ := strings.Cut(strings.TrimRight(pattern, "="), "=")
	if expression == "" || strings.Contains(expression, "=") || !slices.Contains(matchable, strings.TrimSpace(name)) {
		return false
	}
	_, err := regexp.Compile(strings.TrimSpace(expression))
	return err == nil
}
