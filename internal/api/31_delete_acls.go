package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteAcls 1-3. Each filter is refused: there is no authorizer (29_describe_acls.go).

func (a *API) deleteACLs(_ *Call, request *kmsg.DeleteACLsRequest) *kmsg.DeleteACLsResponse {
	response := kmsg.NewPtrDeleteACLsResponse()
	for range request.Filters {
		result := kmsg.NewDeleteACLsResponseResult()
		result.ErrorCode, result.ErrorMessage = kerr.SecurityDisabled.Code, new(noAuthorizer)
		response.Results = append(response.Results, result)
	}
	return response
}
