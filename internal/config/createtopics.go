package config

import (
	"fmt"
	"strconv"
	"strings"
)

// createTopics puts KAFKA_CREATE_TOPICS, whose separator a variable may change, into the form that
// barnabas.create.topics has.
func (e *environment) createTopics(value string) {
	separator := ","
	if s, ok := e.vars["KAFKA_CREATE_TOPICS_SEPARATOR"]; ok {
		separator = unescapeSeparator(s)
	}
	topics := strings.Split(value, separator)
	for i := range topics {
		topics[i] = strings.ReplaceAll(strings.TrimSpace(topics[i]), ",", topicListComma)
	}
	e.settings = append(e.settings, given{CreateTopics.Name, strings.Join(topics, ","), "KAFKA_CREATE_TOPICS"})
}

// topicListComma stands for a comma inside of one topic's description (compact,delete) while descriptions
// are themselves separated by commas.
const topicListComma = "+"

// unescapeSeparator reads the shell's $'\n', which compose files hand over as they are.
func unescapeSeparator(s string) string {
	if inner, ok := strings.CutPrefix(s, "$'"); ok {
		s = strings.TrimSuffix(inner, "'")
	}
	return strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(s)
}

var topicName = lazyRegexp(`^[a-zA-Z0-9._-]{1,249}$`)

// parseTopics reads name:partitions:replicas[:cleanup.policy], separated by commas. Partitions and
// replicas may be left empty, for the broker's defaults (-1). A cleanup.policy of both is compact+delete.
func parseTopics(value string) ([]NewTopic, error) {
	var list []NewTopic
	seen := map[string]bool{}
	for _, description := range strings.Split(value, ",") {
		description = strings.TrimSpace(description)
		if description == "" {
			continue
		}
		topic, err := parseTopic(description)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", description, err)
		}
		if seen[topic.Name] {
			return nil, fmt.Errorf("%q: the topic is there twice", description)
		}
		seen[topic.Name] = true
		list = append(list, topic)
	}
	return list, nil
}

func parseTopic(description string) (NewTopic, error) {
	parts := strings.Split(description, ":")
	if len(parts) > 4 {
		return NewTopic{}, fmt.Errorf("want name:partitions:replicas[:cleanup.policy]")
	}
	for len(parts) < 4 {
		parts = append(parts, "")
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	topic := NewTopic{Name: parts[0]}
	if !topicName().MatchString(topic.Name) || topic.Name == "." || topic.Name == ".." {
		return topic, fmt.Errorf("a topic's name has 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'")
	}
	var err error
	if topic.Partitions, err = countOrDefault("partitions", parts[1], 1<<31-1); err != nil {
		return topic, err
	}
	if topic.Replicas, err = countOrDefault("replicas", parts[2], 1<<15-1); err != nil {
		return topic, err
	}
	if policy := strings.ReplaceAll(parts[3], topicListComma, ","); policy != "" {
		if _, err := CleanupPolicy.Parse(policy); err != nil {
			return topic, err
		}
		topic.Configs = map[string]string{CleanupPolicy.Name: policy}
	}
	return topic, nil
}

func countOrDefault(what, s string, most int) (int, error) {
	if s == "" {
		return -1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%s is not a number of %s", s, what)
	}
	return n, nil
}
