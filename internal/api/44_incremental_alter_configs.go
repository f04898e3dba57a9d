package api

import (
	"barnabas/internal/controller"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// IncrementalAlterConfigs 0-1 (KIP-339): sets, deletes, appends to and subtracts from single settings. Version 1 is
// flexible. Of each resource all is changed or nothing.

func (a *API) incrementalAlterConfigs(
	c *Call, request *kmsg.IncrementalAlterConfigsRequest,
) *kmsg.IncrementalAlterConfigsResponse {
	alter := newAlteration(a, c, len(request.Resources))
	for _, r := range request.Resources {
		changes := make([]controller.ConfigChange, len(r.Configs))
		for j, entry := range r.Configs {
			changes[j] = controller.ConfigChange{
				Name: entry.Name, Op: controller.ConfigOp(entry.Op), Value: entry.Value,
			}
		}
		alter.add(r.ResourceType, r.ResourceName, changes, false)
	}
	return incrementallyAltered(request, alter.run(request.ValidateOnly))
}

// incrementallyAltered tells what has come of each resource of a request.
func incrementallyAltered(
	request *kmsg.IncrementalAlterConfigsRequest, outcomes []error,
) *kmsg.IncrementalAlterConfigsResponse {
	response := kmsg.NewPtrIncrementalAlterConfigsResponse()
	for i, err := range outcomes {
		answer := kmsg.NewIncrementalAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = request.Resources[i].ResourceType, request.Resources[i].ResourceName
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), messageOf(err)
		response.Resources = append(response.Resources, answer)
	}
	return response
}
