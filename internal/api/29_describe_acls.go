package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeAcls 1-3. There is no authorizer, and so no list that could be shown: the answer is SECURITY_DISABLED, as Kafka's is
// where none is configured. Clients go on without lists when they meet that code (MirrorMaker, web consoles); that the key is
// unknown they take for a failure.

func (a *API) describeACLs(*Call, *kmsg.DescribeACLsRequest) *kmsg.DescribeACLsResponse {
	response := kmsg.NewPtrDescribeACLsResponse()
	response.ErrorCode, response.ErrorMessage = kerr.SecurityDisabled.Code, new("No Authorizer is configured on the broker")
	return response
}
