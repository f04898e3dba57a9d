package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateAcls 1-3. Each is refused: there is no authorizer that would heed it (29_describe_acls.go).

func (a *API) createACLs(_ *Call, request *kmsg.CreateACLsRequest) *kmsg.CreateACLsResponse {
	response := kmsg.NewPtrCreateACLsResponse()
	for range request.Creations {
		result := kmsg.NewCreateACLsResponseResult()
		result.ErrorCode, result.ErrorMessage = kerr.SecurityDisabled.Code, new(noAuthorizer)
		response.Results = append(response.Results, result)
	}
	return response
}

// noAuthorizer is why no list can be changed.
const noAuthorizer = "No Authorizer is configured."
