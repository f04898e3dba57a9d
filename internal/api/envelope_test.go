package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A change to the loggers of broker 7 that came to this one, broker 1, because it is the controller is not refused for
// naming another broker.
func TestBrokerLoggersInAnEnvelope(t *testing.T) {
	b := newBroker(t, nil)
	value := "INFO"
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	alter.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeBrokerLogger, ResourceName: "7",
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "kafka.server", Value: &value}},
	}}
	if got := ask[*kmsg.IncrementalAlterConfigsResponse](t, b, 1, alter).Resources[0]; got.ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("asked itself: %d %v", got.ErrorCode, *got.ErrorMessage)
	}
	envelope := kmsg.NewPtrEnvelopeRequest()
	envelope.RequestData = kmsg.NewRequestFormatter().AppendRequest(nil, alter, 5)[4:]
	envelope.ClientHostAddress = []byte{127, 0, 0, 1}
	response := ask[*kmsg.EnvelopeResponse](t, b, 0, envelope)
	answer := kmsg.NewPtrIncrementalAlterConfigsResponse()
	answer.Version = 1
	must(t, answer.ReadFrom(response.ResponseData[5:])) // after the correlation id and no tags
	if got := answer.Resources[0]; got.ErrorCode != kerr.InvalidConfig.Code {
		t.Errorf("in an envelope: %d %v", got.ErrorCode, *got.ErrorMessage)
	}
}
