package api

import (
	"slices"
	"strconv"

	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeConfigs 1-4. Version 1 tells sources and synonyms, 3 types and documentation, 4 is flexible. Answers for topics and
// for this broker; a broker without a name stands for what all brokers share. Subscriptions to clients' metrics have what
// was set and the defaults, whether somebody has made them or not; groups have nothing. Loggers have no settings here: their broker answers
// with none.

func (a *API) describeConfigs(c *Call, request *kmsg.DescribeConfigsRequest) *kmsg.DescribeConfigsResponse {
	response := kmsg.NewPtrDescribeConfigsResponse()
	if slices.ContainsFunc(request.Resources, unknownKind) {
		return refuseDescription(request, response)
	}
	for i := range request.Resources {
		wanted := &request.Resources[i]
		answer := kmsg.NewDescribeConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = wanted.ResourceType, wanted.ResourceName
		entries, err := a.entriesOf(c, wanted)
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), wordsOf(err)
		for _, e := range entries {
			if len(wanted.ConfigNames) == 0 || slices.Contains(wanted.ConfigNames, e.Name) {
				answer.Configs = append(answer.Configs, described(request, e))
			}
		}
		response.Resources = append(response.Resources, answer)
	}
	return response
}

// unknownKind reports whether a resource is of a type that nobody knows. As in Kafka nothing at all is then described.
func unknownKind(wanted kmsg.DescribeConfigsRequestResource) bool {
	_, known := resourceOf(wanted.ResourceType, wanted.ResourceName)
	return !known && wanted.ResourceType != kmsg.ConfigResourceTypeBrokerLogger
}

func refuseDescription(
	request *kmsg.DescribeConfigsRequest, response *kmsg.DescribeConfigsResponse,
) *kmsg.DescribeConfigsResponse {
	for _, wanted := range request.Resources {
		answer := kmsg.NewDescribeConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = wanted.ResourceType, wanted.ResourceName
		answer.ErrorCode, answer.ErrorMessage = kerr.InvalidRequest.Code, &malformed
		response.Resources = append(response.Resources, answer)
	}
	return response
}

func (a *API) entriesOf(c *Call, wanted *kmsg.DescribeConfigsRequestResource) ([]config.Entry, error) {
	name := wanted.ResourceName
	switch wanted.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		return a.topicEntries(c, name)
	case kmsg.ConfigResourceTypeBroker:
		return a.brokerEntries(c, name)
	case kmsg.ConfigResourceTypeBrokerLogger:
		return nil, a.checkLoggerName(name)
	case kmsg.ConfigResourceTypeClientMetrics:
		if name == "" {
			return nil, refuse(kerr.InvalidRequest, "Client metrics subscription name must not be empty")
		}
		resource, _ := resourceOf(wanted.ResourceType, name)
		return config.DescribeSubscription(a.Metadata.Current().Config(resource)), nil
	case kmsg.ConfigResourceTypeGroupConfig:
		if name == "" {
			return nil, refuse(kerr.InvalidRequest, "Group name must not be empty")
		}
		resource, _ := resourceOf(wanted.ResourceType, name)
		return storedEntries(a.Metadata.Current().Config(resource)), nil
	}
	return nil, refuse(kerr.InvalidRequest, "Unsupported resource type: %d", wanted.ResourceType)
}

func (a *API) topicEntries(c *Call, name string) ([]config.Entry, error) {
	if !a.authorized(c, opDescribeConfigs, metadata.TopicResource, name) {
		return nil, kerr.TopicAuthorizationFailed
	}
	if err := controller.CheckTopicName(name); err != nil {
		return nil, err
	}
	image := a.Metadata.Current()
	topic := image.Topic(name)
	if topic == nil {
		return nil, kerr.UnknownTopicOrPartition
	}
	replicas := 0
	if first := topic.Partition(0); first != nil {
		replicas = len(first.Replicas)
	}
	own := image.Config(metadata.Resource{Type: metadata.TopicResource, Name: name})
	return a.Config().ForTopic(own).DescribeTopic(replicas), nil
}

func (a *API) brokerEntries(c *Call, name string) ([]config.Entry, error) {
	if !a.authorized(c, opDescribeConfigs, metadata.BrokerResource, name) {
		return nil, kerr.ClusterAuthorizationFailed
	}
	if name == "" {
		return a.Config().DescribeClusterDefaults(), nil
	}
	if err := a.checkBrokerName(name); err != nil {
		return nil, err
	}
	return a.Config().DescribeBroker(a.Metadata.Current().NumBrokers()), nil
}

// checkBrokerName wants this broker: nobody else knows its static settings.
func (a *API) checkBrokerName(name string) error {
	id, err := strconv.ParseInt(name, 10, 32)
	switch {
	case err != nil:
		return refuse(kerr.InvalidRequest, "Broker id must be an integer, but it is: %s", name)
	case id != int64(a.Broker):
		return refuse(kerr.InvalidRequest,
			"Unexpected broker id, expected %d or empty string, but received %s", a.Broker, name)
	}
	return nil
}

// checkLoggerName wants this broker's number: loggers are each broker's own.
func (a *API) checkLoggerName(name string) error {
	id, err := strconv.ParseInt(name, 10, 32)
	switch {
	case name == "":
		return refuse(kerr.InvalidRequest, "Broker id must not be empty")
	case err == nil && id != int64(a.Broker):
		return refuse(kerr.InvalidRequest, "Unexpected broker id, expected %d but received %s", a.Broker, name)
	}
	return a.checkBrokerName(name)
}

// storedEntries are the settings of a resource that has no table of its own.
func storedEntries(values map[string]string) []config.Entry {
	var entries []config.Entry
	for name, value := range values {
		entries = append(entries, config.Entry{Name: name, Value: &value, Kind: config.String})
	}
	slices.SortFunc(entries, func(a, b config.Entry) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return entries
}

func described(request *kmsg.DescribeConfigsRequest, e config.Entry) kmsg.DescribeConfigsResponseResourceConfig {
	out := kmsg.NewDescribeConfigsResponseResourceConfig()
	out.Name, out.Value, out.ReadOnly, out.IsSensitive = e.Name, e.Value, e.ReadOnly, e.Sensitive
	out.Source, out.IsDefault = kmsg.ConfigSource(e.Source), e.Source == config.Default
	out.ConfigType = kmsg.ConfigType(e.Kind)
	if request.IncludeDocumentation {
		out.Documentation = &e.Doc
	}
	if !request.IncludeSynonyms {
		return out
	}
	for _, s := range e.Synonyms {
		synonym := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		synonym.Name, synonym.Value, synonym.Source = s.Name, s.Value, kmsg.ConfigSource(s.Source)
		out.ConfigSynonyms = append(out.ConfigSynonyms, synonym)
	}
	return out
}

// createdConfigs are the settings of a topic just made, or that would be, as CreateTopics answers them.
func (a *API) createdConfigs(t controller.CreatedTopic) []kmsg.CreateTopicsResponseTopicConfig {
	entries := a.Config().ForTopic(t.Configs).DescribeTopic(int(t.ReplicationFactor))
	out := make([]kmsg.CreateTopicsResponseTopicConfig, len(entries))
	for i, e := range entries {
		out[i] = kmsg.NewCreateTopicsResponseTopicConfig()
		out[i].Name, out[i].Value, out[i].ReadOnly = e.Name, e.Value, e.ReadOnly
		out[i].Source, out[i].IsSensitive = int8(e.Source), e.Sensitive
	}
	return out
}
