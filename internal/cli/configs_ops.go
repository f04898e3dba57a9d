package cli

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// configEntry is one setting of a resource as a broker describes it.
type configEntry struct {
	Name      string          `json:"name"`
	Value     string          `json:"value"`
	IsNull    bool            `json:"null,omitempty"`
	Source    string          `json:"source"`
	Sensitive bool            `json:"sensitive,omitempty"`
	ReadOnly  bool            `json:"readOnly,omitempty"`
	Synonyms  []configSynonym `json:"synonyms,omitempty"`
}

type configSynonym struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	IsNull bool   `json:"null,omitempty"`
	Source string `json:"source"`
}

// defaultSource marks a value that nobody set.
const defaultSource = "DEFAULT_CONFIG"

func nonDefault(configs []configEntry) []configEntry {
	var own []configEntry
	for _, config := range configs {
		if config.Source != defaultSource {
			own = append(own, config)
		}
	}
	return own
}

// resource names something that has settings.
type resource struct {
	kind kmsg.ConfigResourceType
	name string
}

// describeConfigs returns the settings of one resource. A broker's own settings are asked of that
// broker, as only it knows them.
func (c *client) describeConfigs(ctx context.Context, r resource) ([]configEntry, error) {
	all, err := c.describeConfigsOf(ctx, []resource{r})
	if err != nil {
		return nil, err
	}
	return all[r.name], nil
}

func (c *client) topicConfigs(ctx context.Context, topics []topicDescription) (map[string][]configEntry, error) {
	resources := make([]resource, len(topics))
	for i, topic := range topics {
		resources[i] = resource{kmsg.ConfigResourceTypeTopic, topic.Name}
	}
	return c.describeConfigsOf(ctx, resources)
}

func (c *client) describeConfigsOf(ctx context.Context, resources []resource) (map[string][]configEntry, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms = true
	for _, r := range resources {
		one := kmsg.NewDescribeConfigsRequestResource()
		one.ResourceType, one.ResourceName = r.kind, r.name
		req.Resources = append(req.Resources, one)
	}
	all := map[string][]configEntry{}
	for _, shard := range c.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, answer := range shard.Resp.(*kmsg.DescribeConfigsResponse).Resources {
			if err := codeError(answer.ErrorCode, answer.ErrorMessage); err != nil {
				return nil, err
			}
			for _, config := range answer.Configs {
				all[answer.ResourceName] = append(all[answer.ResourceName], toConfigEntry(config))
			}
		}
	}
	return all, nil
}

func toConfigEntry(config kmsg.DescribeConfigsResponseResourceConfig) configEntry {
	entry := configEntry{
		Name: config.Name, Source: sourceName(config.Source),
		Sensitive: config.IsSensitive, ReadOnly: config.ReadOnly,
	}
	entry.Value, entry.IsNull = orNull(config.Value)
	for _, synonym := range config.ConfigSynonyms {
		s := configSynonym{Name: synonym.Name, Source: sourceName(synonym.Source)}
		s.Value, s.IsNull = orNull(synonym.Value)
		entry.Synonyms = append(entry.Synonyms, s)
	}
	return entry
}

func orNull(value *string) (string, bool) {
	if value == nil {
		return "null", true
	}
	return *value, false
}

// sourceName is a source as Kafka's tools print it; the protocol calls some of them otherwise.
func sourceName(source kmsg.ConfigSource) string {
	switch source {
	case kmsg.ConfigSourceDynamicTopicConfig:
		return "DYNAMIC_TOPIC_CONFIG"
	case kmsg.ConfigSourceDynamicBrokerConfig:
		return "DYNAMIC_BROKER_CONFIG"
	case kmsg.ConfigSourceDynamicDefaultBrokerConfig:
		return "DYNAMIC_DEFAULT_BROKER_CONFIG"
	case kmsg.ConfigSourceStaticBrokerConfig:
		return "STATIC_BROKER_CONFIG"
	case kmsg.ConfigSourceDefaultConfig:
		return defaultSource
	case kmsg.ConfigSourceDynamicBrokerLoggerConfig:
		return "DYNAMIC_BROKER_LOGGER_CONFIG"
	case kmsg.ConfigSourceClientMetricsConfig:
		return "DYNAMIC_CLIENT_METRICS_CONFIG"
	case kmsg.ConfigSourceGroupConfig:
		return "DYNAMIC_GROUP_CONFIG"
	}
	return source.String()
}
