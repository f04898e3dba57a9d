package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeCluster 0-2. Version 1 asks for brokers or controllers (KIP-919), 2 may include fenced brokers (KIP-1073):
// those that belong to the cluster and are down, at the addresses they had. Controllers are brokers and are not dialled
// by clients: asking for them is MISMATCHED_ENDPOINT_TYPE.

const brokerEndpoints = 1

func (a *API) describeCluster(c *Call, request *kmsg.DescribeClusterRequest) *kmsg.DescribeClusterResponse {
	response := kmsg.NewPtrDescribeClusterResponse()
	if c.Header.Version >= 1 && request.EndpointType != brokerEndpoints {
		response.ErrorCode = kerr.UnsupportedEndpointType.Code
		message := fmt.Sprintf("Unsupported endpoint type %d", request.EndpointType)
		if request.EndpointType == controllerEndpoints {
			response.ErrorCode = kerr.MismatchedEndpointType.Code
			message = "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
		}
		response.ErrorMessage = &message
		return response
	}
	image := a.Metadata.Current()
	response.EndpointType = brokerEndpoints
	response.ClusterID = image.ClusterID().String()
	response.ControllerID = int32(a.controllerFor(image, c.Client.Listener))
	brokers := image.Brokers()
	if request.IncludeFencedBrokers {
		brokers = image.Members()
	}
	for _, b := range brokers {
		endpoint, ok := b.Endpoint(c.Client.Listener)
		if !ok {
			continue
		}
		node := kmsg.NewDescribeClusterResponseBroker()
		node.NodeID, node.Host, node.Port, node.Rack = int32(b.ID), endpoint.Host, endpoint.Port, rackOf(b)
		node.IsFenced = image.Broker(b.ID) == nil
		response.Brokers = append(response.Brokers, node)
	}
	if request.IncludeClusterAuthorizedOperations {
		response.ClusterAuthorizedOperations = clusterOperations
	}
	return response
}

const controllerEndpoints = 2
