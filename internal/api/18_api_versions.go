package api

import (
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ApiVersions 0-5. Version 3 is flexible and names the client's software (KIP-511), but the response's header
// stays version 0 for ever. Version 4 lets a feature's lowest version be 0; version 5 names the cluster
// and node that the client believes it is talking to (KIP-1242). An unknown version is answered in version 0 with
// UNSUPPORTED_VERSION and the list of keys.

func (a *API) apiVersions(c *Call, request *kmsg.ApiVersionsRequest) *kmsg.ApiVersionsResponse {
	response := request.ResponseKind().(*kmsg.ApiVersionsResponse)
	a.listVersions(response)
	return response
}

// unknownApiVersions answers a version that nobody knows yet.
func (a *API) unknownApiVersions(x Exchange, h wire.Header) {
	response := kmsg.NewPtrApiVersionsResponse()
	response.ErrorCode = kerr.UnsupportedVersion.Code
	a.listVersions(response)
	x.Reply(wire.NewReply(h, response))
}

func (a *API) listVersions(response *kmsg.ApiVersionsResponse) {
	for _, r := range a.rows {
		if r == nil {
			continue
		}
		key := kmsg.NewApiVersionsResponseApiKey()
		key.ApiKey, key.MinVersion, key.MaxVersion = r.key, r.min, r.max
		if r.advertised != nil {
			key.MinVersion = *r.advertised
		}
		response.ApiKeys = append(response.ApiKeys, key)
	}
}
