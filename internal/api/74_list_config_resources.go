package api

import (
	"slices"
	"strconv"

	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListConfigResources 0-1. Version 0 lists client metrics (KIP-714), 1 whatever types are asked for, all for none
// (KIP-1142).

// listableTypes are all types, in the order of their numbers.
var listableTypes = []int8{
	int8(kmsg.ConfigResourceTypeTopic), int8(kmsg.ConfigResourceTypeBroker), int8(kmsg.ConfigResourceTypeBrokerLogger),
	int8(kmsg.ConfigResourceTypeClientMetrics), int8(kmsg.ConfigResourceTypeGroupConfig),
}

func (a *API) listConfigResources(c *Call, request *kmsg.ListConfigResourcesRequest) *kmsg.ListConfigResourcesResponse {
	response := kmsg.NewPtrListConfigResourcesResponse()
	types := request.ResourceTypes
	switch {
	case c.Header.Version == 0:
		types = []int8{int8(kmsg.ConfigResourceTypeClientMetrics)}
	case len(types) == 0:
		types = listableTypes
	}
	for _, kind := range types {
		if !slices.Contains(listableTypes, kind) {
			response.ErrorCode = kerr.UnsupportedVersion.Code
			response.ConfigResources = nil
			return response
		}
	}
	image := a.Metadata.Current()
	for _, kind := range listableTypes {
		if slices.Contains(types, kind) {
			response.ConfigResources = append(response.ConfigResources, resourcesOf(image, kind)...)
		}
	}
	return response
}

func resourcesOf(image *metadata.Image, kind int8) []kmsg.ListConfigResourcesResponseConfigResource {
	var out []kmsg.ListConfigResourcesResponseConfigResource
	add := func(name string) {
		r := kmsg.NewListConfigResourcesResponseConfigResource()
		r.Name, r.Type = name, kind
		out = append(out, r)
	}
	switch kmsg.ConfigResourceType(kind) {
	case kmsg.ConfigResourceTypeTopic:
		for t := range image.Topics() {
			add(t.Name)
		}
	case kmsg.ConfigResourceTypeBroker, kmsg.ConfigResourceTypeBrokerLogger:
		for _, b := range image.Brokers() {
			add(strconv.Itoa(int(b.ID)))
		}
	default:
		resource, _ := resourceOf(kmsg.ConfigResourceType(kind), "")
		for name := range image.Configs(resource.Type) {
			add(name)
		}
	}
	return out
}
