package api

import (
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// resourceTypes are the protocol's kinds of resources that have settings, by the names they have in the metadata.
var resourceTypes = map[kmsg.ConfigResourceType]metadata.ResourceType{
	kmsg.ConfigResourceTypeTopic:         metadata.TopicResource,
	kmsg.ConfigResourceTypeBroker:        metadata.BrokerResource,
	kmsg.ConfigResourceTypeClientMetrics: metadata.ClientMetricsResource,
	kmsg.ConfigResourceTypeGroupConfig:   metadata.GroupResource,
}

// resourceOf is a request's resource as the metadata names it; false for a type that nobody knows.
func resourceOf(kind kmsg.ConfigResourceType, name string) (metadata.Resource, bool) {
	known, ok := resourceTypes[kind]
	return metadata.Resource{Type: known, Name: name}, ok
}
