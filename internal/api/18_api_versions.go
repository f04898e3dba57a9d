package api

import (
	"maps"
	"regexp"
	"slices"

	"barnabas/internal/controller"
	"barnabas/internal/ident"
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ApiVersions 0-5. Version 3 is flexible and names the client's software (KIP-511), but the response's header
// stays version 0 for ever. Version 4 lets a feature's lowest level be 0, where 3 leaves such a feature out; version 5
// names the cluster and node that the client believes it is talking to, and if that is another answers
// REBOOTSTRAP_REQUIRED (KIP-1242). An unknown version is answered in version 0 with UNSUPPORTED_VERSION and the versions
// of this key alone (KIP-511).

// softwareName is what a client may call itself; others are INVALID_REQUEST.
var softwareName = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

func (a *API) apiVersions(c *Call, request *kmsg.ApiVersionsRequest) *kmsg.ApiVersionsResponse {
	response := kmsg.NewPtrApiVersionsResponse()
	version := c.Header.Version
	if version >= 3 {
		if !softwareName.MatchString(request.ClientSoftwareName) || !softwareName.MatchString(request.ClientSoftwareVersion) {
			response.ErrorCode = kerr.InvalidRequest.Code
			return response
		}
		c.Client.SetSoftware(wire.Software{Name: request.ClientSoftwareName, Version: request.ClientSoftwareVersion})
	}
	if version >= 5 {
		if response.ErrorCode = a.checkIdentity(request); response.ErrorCode != 0 {
			return response
		}
	}
	a.listVersions(response)
	if version >= 3 {
		a.listFeatures(version, response)
	}
	return response
}

// checkIdentity compares what the client believes it is talking to; it names both cluster and node, or neither.
func (a *API) checkIdentity(request *kmsg.ApiVersionsRequest) int16 {
	cluster, node := request.ClusterID, ident.BrokerID(request.NodeID)
	switch {
	case (cluster == nil) != (node == ident.NoBroker):
		return kerr.InvalidRequest.Code
	case cluster == nil:
		return 0
	case *cluster != a.Metadata.Current().ClusterID().String() || node != a.Broker:
		return kerr.RebootstrapRequired.Code
	}
	return 0
}

// unknownApiVersions answers a version that nobody knows yet.
func (a *API) unknownApiVersions(x Exchange, h wire.Header) {
	response := kmsg.NewPtrApiVersionsResponse()
	response.ErrorCode = kerr.UnsupportedVersion.Code
	response.ApiKeys = append(response.ApiKeys, a.rows[wire.KeyApiVersions].versions())
	x.Reply(wire.NewReply(h, response))
}

func (a *API) listVersions(response *kmsg.ApiVersionsResponse) {
	for _, r := range a.rows {
		if r == nil || r.hidden {
			continue
		}
		response.ApiKeys = append(response.ApiKeys, r.versions())
	}
}

// versions are what clients are told of an API.
func (r *row) versions() kmsg.ApiVersionsResponseApiKey {
	key := kmsg.NewApiVersionsResponseApiKey()
	key.ApiKey, key.MinVersion, key.MaxVersion = r.key, r.min, r.max
	if r.advertised != nil {
		key.MinVersion = *r.advertised
	}
	return key
}

func (a *API) listFeatures(version int16, response *kmsg.ApiVersionsResponse) {
	supported := controller.SupportedFeatures()
	for _, name := range slices.Sorted(maps.Keys(supported)) {
		if version < 4 && supported[name].Min == 0 {
			continue
		}
		feature := kmsg.NewApiVersionsResponseSupportedFeature()
		feature.Name, feature.MinVersion, feature.MaxVersion = name, supported[name].Min, supported[name].Max
		response.SupportedFeatures = append(response.SupportedFeatures, feature)
	}
	image := a.Metadata.Current()
	finalized := image.Features()
	response.FinalizedFeaturesEpoch = int64(image.Revision())
	for _, name := range slices.Sorted(maps.Keys(finalized)) {
		feature := kmsg.NewApiVersionsResponseFinalizedFeature()
		feature.Name, feature.MinVersionLevel, feature.MaxVersionLevel = name, finalized[name], finalized[name]
		response.FinalizedFeatures = append(response.FinalizedFeatures, feature)
	}
}
